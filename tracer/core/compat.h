/* Every CPython internal we touch and every version #if, in one place.
 *
 * Supported in full: 3.12 - 3.15 with the GIL. An unknown interpreter gets the public-API
 * fallback or an "absent" answer; callers must cope with NULL. */
#ifndef TRACER_COMPAT_H
#define TRACER_COMPAT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#ifndef Py_BUILD_CORE
#define Py_BUILD_CORE 1
#define COMPAT_UNDEF_BUILD_CORE
#endif
#undef _PyGC_FINALIZED
#if PY_VERSION_HEX >= 0x030e0000
#include "internal/pycore_interpframe_structs.h"
#else
#include "internal/pycore_frame.h"
#endif
#ifdef COMPAT_UNDEF_BUILD_CORE
#undef Py_BUILD_CORE
#undef COMPAT_UNDEF_BUILD_CORE
#endif

typedef struct _PyInterpreterFrame compat_frame;

/* Thread state's innermost interpreter frame; the calling thread must be attached. */
static inline compat_frame **compat_frame_slot(PyThreadState *tstate)
{
#if PY_VERSION_HEX >= 0x030d0000
    return &tstate->current_frame;
#else
    return &tstate->cframe->current_frame;
#endif
}

/* First local (`self` of a method) of the running frame, borrowed; NULL when unset. */
static inline PyObject *compat_local(PyThreadState *tstate, int index)
{
    compat_frame *frame = *compat_frame_slot(tstate);
    if (!frame)
        return NULL;
#if PY_VERSION_HEX >= 0x030e0000
    return (PyObject *)(frame->localsplus[index].bits & ~(uintptr_t)3);
#else
    return frame->localsplus[index];
#endif
}

/* Where a suspended coroutine, generator or async generator stands, as a byte offset into its
 * code; -1 when that cannot be told. */
static inline int compat_gen_offset(PyObject *gen, PyCodeObject *code)
{
#if PY_VERSION_HEX >= 0x030e0000
    compat_frame *frame = &((PyGenObject *)gen)->gi_iframe;
    Py_ssize_t offset = (char *)frame->instr_ptr - code->co_code_adaptive;
#elif PY_VERSION_HEX >= 0x030d0000
    compat_frame *frame = (compat_frame *)((PyGenObject *)gen)->gi_iframe;
    Py_ssize_t offset = (char *)frame->instr_ptr - code->co_code_adaptive;
#else
    compat_frame *frame = (compat_frame *)((PyGenObject *)gen)->gi_iframe;
    Py_ssize_t offset = (char *)frame->prev_instr - code->co_code_adaptive;
#endif
    Py_ssize_t size = Py_SIZE(code) * (Py_ssize_t)sizeof(_Py_CODEUNIT);
    return offset >= 0 && offset < size ? (int)offset : -1;
}

/* The object a weak reference points to, as a new reference; NULL when it is gone. */
static inline PyObject *compat_weakref_get(PyObject *ref)
{
#if PY_VERSION_HEX >= 0x030d0000
    PyObject *object;
    return PyWeakref_GetRef(ref, &object) > 0 ? object : NULL;
#else
    PyObject *object = PyWeakref_GetObject(ref);
    return object && object != Py_None ? Py_NewRef(object) : NULL;
#endif
}

/* Guards tables that the GIL guards where there is one. */
#ifdef Py_GIL_DISABLED
typedef PyMutex compat_mutex;
#define compat_lock(m) PyMutex_Lock(m)
#define compat_unlock(m) PyMutex_Unlock(m)
#else
typedef char compat_mutex;
#define compat_lock(m) ((void)(m))
#define compat_unlock(m) ((void)(m))
#endif

#endif
