/* Every CPython internal that the recorder touches and every version #if, in one place.
 *
 * Supported in full: 3.12 - 3.15 with the GIL. On an unknown interpreter each function falls back to the
 * public API or answers "absent"; callers must cope with NULL. */
#ifndef TRACER_COMPAT_H
#define TRACER_COMPAT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <dlfcn.h>
#include <sched.h>
#include <stddef.h>

#ifndef Py_BUILD_CORE
#define Py_BUILD_CORE 1
#define COMPAT_UNDEF_BUILD_CORE
#endif
#undef _PyGC_FINALIZED
#if PY_VERSION_HEX >= 0x030e0000
#include "internal/pycore_interpframe_structs.h"
#endif
#include "internal/pycore_frame.h"
#ifndef Py_GIL_DISABLED
#include "internal/pycore_interp.h"
#include "internal/pycore_runtime.h"
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

/* Whether `frame` is a caller of the running frame. Addresses only; `frame` may be gone. */
static inline int compat_is_caller(PyThreadState *tstate, const compat_frame *frame)
{
    compat_frame *at = *compat_frame_slot(tstate);
    while (at && (at = at->previous))
        if (at == frame)
            return 1;
    return 0;
}

/* Whether it is the code that the interpreter puts below an inlined __init__: no line of any program. */
static inline int compat_is_shim(const PyCodeObject *code)
{
    return code->_co_firsttraceable >= Py_SIZE(code);
}

static inline PyObject *compat_frame_executable(const compat_frame *frame)
{
#if PY_VERSION_HEX >= 0x030e0000
    return (PyObject *)(frame->f_executable.bits & ~(uintptr_t)7);
#elif PY_VERSION_HEX >= 0x030d0000
    return frame->f_executable;
#else
    return (PyObject *)frame->f_code;
#endif
}

/* What a frame executes, borrowed, without a look at it: it may be a shim. NULL for the frames that the interpreter
 * and calls from C leave between. */
static inline PyCodeObject *compat_frame_code_unread(const compat_frame *frame)
{
#if PY_VERSION_HEX >= 0x030e0000
    int is_functions = frame->owner < FRAME_OWNED_BY_INTERPRETER;
#else
    int is_functions = frame->owner < FRAME_OWNED_BY_CSTACK;
#endif
    return is_functions ? (PyCodeObject *)compat_frame_executable(frame) : NULL;
}

/* The code a frame executes, borrowed; NULL for the frames that are nobody's. */
static inline PyCodeObject *compat_frame_code(const compat_frame *frame)
{
    PyCodeObject *code = compat_frame_code_unread(frame);
    return code && PyCode_Check(code) && !compat_is_shim(code) ? code : NULL;
}

/* The instruction that a frame is at. */
static inline const _Py_CODEUNIT *compat_frame_at(const compat_frame *frame)
{
#if PY_VERSION_HEX >= 0x030d0000
    return frame->instr_ptr;
#else
    return frame->prev_instr;
#endif
}

/* … as a byte offset into its code. */
static inline int compat_frame_offset(const compat_frame *frame)
{
    return (int)((const char *)compat_frame_at(frame) - compat_frame_code(frame)->co_code_adaptive);
}

static inline const compat_frame *compat_frame_caller(const compat_frame *frame)
{
    return frame->previous;
}

/* The namespace of code that is no function's. A function's frame has no use for the reference there, and drops it
 * after its variables. (Up to 3.12 it is the dict of locals(), once that was called.) */
static inline PyObject **compat_frame_space(compat_frame *frame)
{
    return &frame->f_locals;
}

/* The globals of a frame that is about to run, borrowed. */
static inline const PyObject *compat_frame_globals(const compat_frame *frame)
{
    return frame->f_globals;
}

/* The calling OS thread's state, also while it is just taking or releasing the GIL; NULL while the state
 * is being created or destroyed. */
static inline PyThreadState *compat_own_tstate(void)
{
    return PyGILState_GetThisThreadState();
}

/* The state with which the calling thread is attached to an interpreter, NULL if it is not. */
static inline PyThreadState *compat_attached(void)
{
#if PY_VERSION_HEX >= 0x030d0000
    return PyThreadState_GetUnchecked();
#else
    return _PyThreadState_UncheckedGet();
#endif
}

/* Has some thread of the main interpreter call the function, attached, at its next opportunity; the main
 * thread where the interpreter offers no more. For any thread. Returns 0, or -1 if the queue is full. */
static inline int compat_call_soon(int (*function)(void *))
{
    typedef int add_call(PyInterpreterState *, int (*)(void *), void *, int);
    static add_call *any_thread;
    static int is_looked_up;
    if (!is_looked_up) {
        any_thread = (add_call *)dlsym(RTLD_DEFAULT, "_PyEval_AddPendingCall");
        is_looked_up = 1;
    }
    return any_thread ? any_thread(PyInterpreterState_Main(), function, NULL, 0) : Py_AddPendingCall(function, NULL);
}

/* The running Python frame's address; the calling thread is attached. */
static inline const void *compat_running_frame(void)
{
    return *compat_frame_slot(PyThreadState_Get());
}

/* Where the next Python function that C code calls on this thread names its code. Nothing is there yet; it stays there when
 * the function has returned. NULL: not known beforehand, as from 3.14 on. */
static inline PyObject **compat_next_code(const PyThreadState *tstate __attribute__((unused)))
{
#if PY_VERSION_HEX < 0x030e0000
    PyObject **next = tstate->datastack_top; /* a frame begins with its code */
    if (next && next + sizeof(compat_frame) / sizeof *next <= tstate->datastack_limit)
        return next;
#endif
    return NULL;
}

static inline int compat_is_main_interpreter(PyThreadState *tstate)
{
    return tstate->interp == PyInterpreterState_Main();
}

/* The table entry behind a builtin function or method descriptor; NULL for anything else. */
static inline PyMethodDef *compat_method_def(PyObject *callable)
{
    if (PyCFunction_Check(callable))
        return ((PyCFunctionObject *)callable)->m_ml;
    if (Py_IS_TYPE(callable, &PyMethodDescr_Type) || Py_IS_TYPE(callable, &PyClassMethodDescr_Type))
        return ((PyMethodDescrObject *)callable)->d_method;
    return NULL;
}

/* Whether any thread holds a _thread.RLock. */
static inline int compat_rlock_is_taken(const PyObject *lock)
{
#if PY_VERSION_HEX >= 0x030e0000
    return *(const uint8_t *)(lock + 1) & 1; /* its PyMutex */
#else
    const struct {
        PyObject_HEAD
        void *lock;
        unsigned long owner, count;
    } *rlock = (const void *)lock;
    return rlock->count != 0;
#endif
}

/* Where the interpreter keeps the list that the program knows as gc.callbacks; NULL if the list is not
 * there or its place is unknown. */
static inline PyObject **compat_gc_callbacks(PyObject *list)
{
#ifdef Py_GIL_DISABLED
    (void)list;
    return NULL;
#else
    PyObject **place = &PyInterpreterState_Get()->gc.callbacks;
    return *place == list && PyList_CheckExact(list) ? place : NULL;
#endif
}

/* Reports an exception that a function of gc.callbacks raised, in the interpreter's own words. */
static inline void compat_gc_callback_failed(PyObject *callback)
{
#if PY_VERSION_HEX >= 0x030e0000
    PyErr_FormatUnraisable("Exception ignored while calling GC callback %R", callback);
#else
    PyErr_WriteUnraisable(callback);
#endif
}

/* The frame behind a frame object. */
static inline const compat_frame *compat_frame_of(PyFrameObject *frame)
{
    return frame->f_frame;
}

/* First local (`self` of a method) of a frame, borrowed; NULL when unset. */
static inline PyObject *compat_frame_local(const compat_frame *frame, Py_ssize_t index)
{
#if PY_VERSION_HEX >= 0x030e0000
    uintptr_t bits = frame->localsplus[index].bits;
    return (bits & 3) == 3 ? NULL : (PyObject *)(bits & ~(uintptr_t)3); /* 3: a number, no object */
#else
    return frame->localsplus[index];
#endif
}

/* … of the running frame. */
static inline PyObject *compat_local(PyThreadState *tstate, int index)
{
    compat_frame *frame = *compat_frame_slot(tstate);
    return frame ? compat_frame_local(frame, index) : NULL;
}

/* An instruction as it is in the code now: specialised or instrumented. */
static inline int compat_opcode(const PyCodeObject *code, int unit)
{
    return (unsigned char)code->co_code_adaptive[unit * (int)sizeof(_Py_CODEUNIT)];
}

/* The frame of a coroutine, generator or async generator. */
static inline compat_frame *compat_gen_frame(PyObject *gen)
{
#if PY_VERSION_HEX >= 0x030e0000
    return &((PyGenObject *)gen)->gi_iframe;
#else
    return (compat_frame *)((PyGenObject *)gen)->gi_iframe;
#endif
}

/* Its code, borrowed from it. */
static inline PyCodeObject *compat_gen_code(PyObject *gen)
{
    return (PyCodeObject *)compat_frame_executable(compat_gen_frame(gen));
}

/* Where it is if it is suspended, as a byte offset into its code; -1 if unknown. */
static inline int compat_gen_offset(PyObject *gen, PyCodeObject *code)
{
    Py_ssize_t offset = (const char *)compat_frame_at(compat_gen_frame(gen)) - code->co_code_adaptive;
    Py_ssize_t size = Py_SIZE(code) * (Py_ssize_t)sizeof(_Py_CODEUNIT);
    return offset >= 0 && offset < size ? (int)offset : -1;
}

/* How many values its frame has, while it is suspended: its variables and those on its stack. */
static inline Py_ssize_t compat_gen_values(PyObject *gen)
{
    const compat_frame *frame = compat_gen_frame(gen);
#if PY_VERSION_HEX >= 0x030e0000
    return frame->stackpointer - frame->localsplus;
#else
    return frame->stacktop;
#endif
}

/* What it awaits, borrowed from it, or NULL; only if COMPAT_KNOWS_AWAITED. */
#define COMPAT_KNOWS_AWAITED (PY_VERSION_HEX >= 0x030d0000 && PY_VERSION_HEX < 0x030f0000)
static inline PyObject *compat_gen_awaited(PyObject *gen)
{
#if COMPAT_KNOWS_AWAITED
    const compat_frame *frame = compat_gen_frame(gen);
    if (__builtin_expect(((PyGenObject *)gen)->gi_frame_state == -1, 1)) /* FRAME_SUSPENDED_YIELD_FROM */
        return compat_frame_local(frame, compat_gen_values(gen) - 1);
#endif
    (void)gen;
    return NULL;
}

/* Whether it has begun, has not ended and is not running: only then does it have values. */
static inline int compat_gen_is_suspended(PyObject *gen)
{
#if PY_VERSION_HEX >= 0x030f0000
    int state = ((PyGenObject *)gen)->gi_frame_state;
    return state >= 1 && state <= 3; /* FRAME_SUSPENDED, …_YIELD_FROM, …_YIELD_FROM_LOCKED */
#elif PY_VERSION_HEX >= 0x030d0000
    int state = ((PyGenObject *)gen)->gi_frame_state;
    return state == -2 || state == -1; /* FRAME_SUSPENDED, FRAME_SUSPENDED_YIELD_FROM */
#else
    return ((PyGenObject *)gen)->gi_frame_state == -1; /* FRAME_SUSPENDED */
#endif
}

/* One of its locals, borrowed, or NULL; not to be called while it runs. */
static inline PyObject *compat_gen_local(PyObject *gen, int index)
{
    return compat_frame_local(compat_gen_frame(gen), index);
}

/* How many values the evaluation stack of a suspended one has … */
static inline int compat_gen_stack_size(PyObject *gen)
{
    return (int)compat_gen_values(gen) - compat_gen_code(gen)->co_nlocalsplus;
}

/* … and one of those of a frame, borrowed, or NULL. */
static inline PyObject *compat_stack_value(const compat_frame *frame, int index)
{
    return compat_frame_local(frame, compat_frame_code(frame)->co_nlocalsplus + index);
}

/* The address of what a weak reference points to, to be compared only; that of None if the object is gone. */
static inline const PyObject *compat_weakref_target(PyObject *ref)
{
    return ((PyWeakReference *)ref)->wr_object;
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

/* Guards for tables that the GIL protects where there is one: a mutex where Python may be called (a thread
 * that has to wait is detached), and a spin lock for a few instructions on memory. */
#ifdef Py_GIL_DISABLED
#define COMPAT_FREE_THREADED 1
typedef PyMutex compat_mutex;
#define compat_lock(m) PyMutex_Lock(m)
#define compat_unlock(m) PyMutex_Unlock(m)
static inline void compat_spin(uint8_t *taken)
{
    while (__atomic_exchange_n(taken, 1, __ATOMIC_ACQUIRE))
        sched_yield();
}
#define compat_unspin(taken) __atomic_store_n(taken, 0, __ATOMIC_RELEASE)
#else
#define COMPAT_FREE_THREADED 0
typedef char compat_mutex;
#define compat_lock(m) ((void)(m))
#define compat_unlock(m) ((void)(m))
#define compat_spin(taken) ((void)(taken))
#define compat_unspin(taken) ((void)(taken))
#endif

/* Which tools of sys.monitoring are told of each exception, as bits by their ids; a trace function is one of them. */
static inline const uint8_t *compat_hear_of_exceptions(void)
{
#ifdef Py_GIL_DISABLED
    return NULL; /* not known */
#else
    return &PyInterpreterState_Get()->monitors.tools[PY_MONITORING_EVENT_RAISE];
#endif
}

/* Whether next() shows its caller the same StopIteration if C code ended without one. (Since 3.14 that one has arguments.) */
#define COMPAT_CAN_END_QUIETLY (PY_VERSION_HEX < 0x030e0000 && !COMPAT_FREE_THREADED)

/* The free-threaded Python versions whose frames and locks are known here. (3.14 runs copies of the bytecode.) */
#define COMPAT_KNOWS_ATTACHED (COMPAT_FREE_THREADED && PY_VERSION_HEX < 0x030e0000)

/* --- Running a program as `python` itself would (launch.c) --- */

#define COMPAT_CAN_HIDE_FRAMES (!COMPAT_FREE_THREADED)

/* The calling thread looks as if nothing had called it (no frame below, no recursion), for good: never return to Python code. */
static inline void compat_hide_callers(PyThreadState *tstate)
{
#if COMPAT_CAN_HIDE_FRAMES
    *compat_frame_slot(tstate) = NULL;
#endif
    tstate->py_recursion_remaining = tstate->py_recursion_limit;
#if PY_VERSION_HEX >= 0x030e0000
    /* C recursion is measured by stack address there. */
#elif defined(Py_C_RECURSION_LIMIT)
    tstate->c_recursion_remaining = Py_C_RECURSION_LIMIT;
#else
    tstate->c_recursion_remaining = C_RECURSION_LIMIT;
#endif
}

/* Whether an uncaught exception of this type makes python end by SIGINT: KeyboardInterrupt does, and since
 * 3.14 every class derived from it. */
static inline int compat_is_interrupt(PyObject *type)
{
#if PY_VERSION_HEX >= 0x030e0000
    return PyErr_GivenExceptionMatches(type, PyExc_KeyboardInterrupt);
#else
    return type == PyExc_KeyboardInterrupt;
#endif
}

/* Whether that is so for errors before the program begins, too. */
#define COMPAT_EARLY_INTERRUPT_KILLS (PY_VERSION_HEX >= 0x030e0000)

/* Where the interpreter notes that a KeyboardInterrupt ended the program, or code that was given as text
 * (even if it was caught then). NULL if it is not there: it follows SIG_DFL and SIG_IGN, as numbers. */
static inline int *compat_interrupt_note(void)
{
#ifdef Py_GIL_DISABLED
    return NULL;
#else
    struct _signals_runtime_state *known = &_PyRuntime.signals;
    PyObject *zero = PyLong_FromLong(0), *one = PyLong_FromLong(1); /* always the same objects */
    int is_there = zero == known->default_handler && one == known->ignore_handler;
    Py_XDECREF(zero);
    Py_XDECREF(one);
    return is_there ? &known->unhandled_keyboard_interrupt : NULL;
#endif
}

/* Runs `-c` code in __main__. Returns 0, or -1 with the error already printed. Since 3.13 python registers
 * the source with linecache, which PyRun_SimpleStringFlags does not: under the file's name, or, where
 * linecache has a cache for it (3.14, and 3.13 from some patch release on), under the code. `note` is
 * compat_interrupt_note's. */
static inline int compat_run_command(const char *code, PyCompilerFlags *flags, int *note)
{
#if PY_VERSION_HEX >= 0x030d0000
    PyObject *main = PyImport_AddModuleRef("__main__");
    PyObject *filename = PyUnicode_FromString("<string>");
    PyObject *source = PyUnicode_FromString(code);
    PyObject *compiled = NULL, *linecache = NULL, *known = NULL, *result = NULL;
    if (main && filename && source)
        compiled = Py_CompileStringObject(code, filename, Py_file_input, flags, -1);
    if (compiled)
        linecache = PyImport_ImportModule("linecache");
    if (linecache) {
        int by_code = PyObject_HasAttrString(linecache, "_interactive_cache");
        known = PyObject_CallMethod(linecache, "_register_code", "OOO", by_code ? compiled : filename, source,
                                    filename);
    }
    Py_XDECREF(linecache);
    if (known && PySys_Audit("exec", "O", compiled) == 0) {
        PyObject *globals = PyModule_GetDict(main);
        result = PyEval_EvalCode(compiled, globals, globals);
        if (!result && PyErr_Occurred() == PyExc_KeyboardInterrupt)
            *note = 1;
    }
    Py_XDECREF(known);
    Py_XDECREF(compiled);
    Py_XDECREF(source);
    Py_XDECREF(filename);
    Py_XDECREF(main);
    if (!result) {
        PyErr_Print();
        return -1;
    }
    Py_DECREF(result);
    return 0;
#else
    (void)note; /* found, and written, by the interpreter */
    return PyRun_SimpleStringFlags(code, flags);
#endif
}

/* Replaces a list in the configuration by a Python list of str. Returns -1 with an exception set on
 * failure. */
static inline int compat_replace_words(PyWideStringList *words, PyObject *list)
{
    for (Py_ssize_t i = 0; i < words->length; i++)
        PyMem_RawFree(words->items[i]);
    words->length = 0;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
        wchar_t *word = PyUnicode_AsWideCharString(PyList_GET_ITEM(list, i), NULL);
        if (!word)
            return -1;
        PyStatus status = PyWideStringList_Append(words, word);
        PyMem_Free(word);
        if (PyStatus_Exception(status)) {
            PyErr_NoMemory();
            return -1;
        }
    }
    return 0;
}

/* Sets what a new subinterpreter inherits from the main one's start: sys.argv, sys.orig_argv and (since
 * 3.13; out of reach on 3.12) sys.path[0], NULL for none. Best effort: returns 0 if the configuration is
 * not accessible, -1 with an exception set on failure. */
static inline int compat_configure_subinterpreters(PyObject *argv, PyObject *orig_argv,
                                                   const wchar_t *path0)
{
    const PyConfig *(*get_config)(void) =
        (const PyConfig *(*)(void))dlsym(RTLD_DEFAULT, "_Py_GetConfig");
    if (!get_config)
        return 0;
    PyConfig *config = (PyConfig *)get_config();
#if PY_VERSION_HEX >= 0x030d0000
    wchar_t *copy = NULL;
    if (path0) {
        size_t size = (wcslen(path0) + 1) * sizeof(wchar_t);
        copy = PyMem_RawMalloc(size);
        if (!copy) {
            PyErr_NoMemory();
            return -1;
        }
        memcpy(copy, path0, size);
    }
    PyMem_RawFree(config->sys_path_0);
    config->sys_path_0 = copy;
#else
    (void)path0;
#endif
    if (compat_replace_words(&config->argv, argv) < 0)
        return -1;
    return compat_replace_words(&config->orig_argv, orig_argv);
}

/* --- Frames as a signal handler may read them (sampler.c) --- */

/* Without a GIL another thread may change what the sampler takes to be frozen. */
#define COMPAT_CAN_SAMPLE (!COMPAT_FREE_THREADED)

/* 3.12 publishes a frame before it is linked: a pointer may be anything, so a system call reads it, which fails but never faults. */
#define COMPAT_FRAMES_ALWAYS_LINKED (PY_VERSION_HEX >= 0x030d0000)

enum { COMPAT_FRAME_BYTES = offsetof(compat_frame, localsplus) };

/* The thread state of the calling thread, with or without the GIL; safe in a signal handler. */
static inline PyThreadState *compat_thread_state(void)
{
    return PyGILState_GetThisThreadState();
}

/* Addresses that lead from a thread state to its innermost frame: follow each in turn. */
static inline int compat_frame_path(const PyThreadState *tstate, size_t offsets[2])
{
    (void)tstate;
#if PY_VERSION_HEX >= 0x030d0000
    offsets[0] = offsetof(PyThreadState, current_frame);
    return 1;
#else
    offsets[0] = offsetof(PyThreadState, cframe);
    offsets[1] = offsetof(_PyCFrame, current_frame);
    return 2;
#endif
}

static inline size_t compat_interp_offset(void)
{
    return offsetof(PyThreadState, interp);
}

typedef struct {
    uintptr_t code;   /* 0: not a frame of Python code */
    int64_t offset;   /* of the instruction in the code, in bytes */
    uintptr_t caller; /* address of the frame below, 0 = none */
} compat_position;

/* Decodes a copy of a frame's first COMPAT_FRAME_BYTES bytes. */
static inline compat_position compat_position_of(const compat_frame *frame)
{
    uintptr_t instruction = (uintptr_t)compat_frame_at(frame);
    compat_position at = {(uintptr_t)compat_frame_executable(frame), 0, (uintptr_t)frame->previous};
    if ((unsigned char)frame->owner >= 3) /* an entry into the interpreter from C */
        at.code = 0;
    at.offset = (int64_t)(instruction - at.code - offsetof(PyCodeObject, co_code_adaptive));
    return at;
}

#if PY_VERSION_HEX >= 0x030d0000
#define compat_is_finalizing Py_IsFinalizing
#else
#define compat_is_finalizing _Py_IsFinalizing
#endif

/* Whether os.posix_spawn takes None for the process's own environment. */
#define COMPAT_SPAWN_TAKES_NONE (PY_VERSION_HEX >= 0x030d0000)

#endif
