/* Putting a function of ours in front of a builtin, and taking it out again. */
#ifndef TRACER_TRAMPOLINES_H
#define TRACER_TRAMPOLINES_H

#include "python/compat.h"

/* Puts `trampoline` in front of a builtin, once; CPython reads ml_meth at every call. `original`, what it goes on to,
 * stays set afterwards: threads may be inside. */
static inline void trampoline_put(PyMethodDef *def, PyCFunction trampoline, PyCFunction *original)
{
    if (def->ml_meth == trampoline)
        return;
    *original = def->ml_meth;
    __atomic_store_n(&def->ml_meth, trampoline, __ATOMIC_RELEASE);
}

/* A builtin that other code has since put its own trampoline in front of stays as it is. */
static inline void trampoline_take(PyMethodDef *def, PyCFunction trampoline, PyCFunction original)
{
    if (def->ml_meth == trampoline)
        __atomic_store_n(&def->ml_meth, original, __ATOMIC_RELEASE);
}

#endif
