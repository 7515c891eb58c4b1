/* Putting a function of ours in front of a builtin, and taking it out again. */
#ifndef TRACER_TRAMPOLINES_H
#define TRACER_TRAMPOLINES_H

#include "python/compat.h"
#include "python/hashes.h"

/* Puts `trampoline` in front of a builtin, once; CPython reads ml_meth at every call. `original`, what it goes on to,
 * stays set afterwards: threads may be inside. */
static inline void trampoline_put(PyMethodDef *def, PyCFunction trampoline, PyCFunction *original)
{
    if (def->ml_meth == trampoline)
        return;
    *original = def->ml_meth;
    hash_keep(def, trampoline, *original);
    __atomic_store_n(&def->ml_meth, trampoline, __ATOMIC_RELEASE);
}

/* A builtin that other code has since put its own trampoline in front of stays as it is: then 0. */
static inline int trampoline_take(PyMethodDef *def, PyCFunction trampoline, PyCFunction original)
{
    if (def->ml_meth != trampoline)
        return 0;
    __atomic_store_n(&def->ml_meth, original, __ATOMIC_RELEASE);
    return 1;
}

/* A builtin of a module, and the wrapper that goes in front of it. */
typedef struct {
    const char *module, *name;
    int flags; /* the calling convention the wrapper expects; any other is left alone */
    PyCFunction wrapper;
} builtin_wrapper;

typedef struct {
    PyMethodDef *def; /* static: it outlives the function. NULL: not wrapped */
    PyCFunction original;
} wrapped_builtin;

/* Once. */
static inline void builtin_put(PyMethodDef *def, const builtin_wrapper *with, wrapped_builtin *builtin)
{
    if (builtin->def)
        return;
    builtin->def = def;
    trampoline_put(def, with->wrapper, &builtin->original);
}

/* `module` may be NULL. Leaves no exception set. */
static inline void builtin_wrap(PyObject *module, const builtin_wrapper *with, wrapped_builtin *builtin)
{
    PyObject *function = module && !builtin->def ? PyObject_GetAttrString(module, with->name) : NULL;
    PyMethodDef *def = function ? compat_method_def(function) : NULL;
    Py_XDECREF(function);
    PyErr_Clear();
    if (def && def->ml_flags == with->flags)
        builtin_put(def, with, builtin);
}

/* A builtin that other code has wrapped after us keeps both wrappers. */
static inline void builtin_unwrap(const builtin_wrapper *with, wrapped_builtin *builtin)
{
    if (builtin->def && trampoline_take(builtin->def, with->wrapper, builtin->original))
        builtin->def = NULL;
}

#endif
