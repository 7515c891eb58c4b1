/* Which task is which: what tasks.c's hooks read from asyncio's objects.
 *
 * Reading a field may run the program's code, which may stop the recording: so never keep a
 * known_task across such a read. */
#ifndef TRACER_IDENTITY_H
#define TRACER_IDENTITY_H

#include "python/compat.h"
#include "ring/map.h"
#include "ring/ring.h"

typedef struct {
    uint32_t id, func;
    uint8_t awaits_lock; /* a lock, or something built on one */
    uint8_t is_starting; /* it is in its first step while being created */
    uint8_t has_yielded; /* of trio: its last step says already that it is ready */
    uint8_t sleeps;      /* of Twisted, and … */
    uint32_t loop;       /* of trio and Twisted */
    uint32_t await_site; /* string: where it last began to wait for a lock */
    uint32_t failure;    /* … string: the class of the exception that ends it */
    PyObject *ref; /* weak reference whose callback reports a task that died pending */
    PyObject *task; /* its address, not a reference */
    PyObject *stand_in; /* what last had a slot of a limiter for it; a reference, or NULL */
} known_task;

typedef struct {
    uint32_t id;
    PyObject *ref;
} known_loop;

/* What is read from a task. C tasks provide it through getters, pure-Python ones as attributes. */
enum field { FIELD_STATE, FIELD_WAITER, FIELD_CORO, FIELD_EXCEPTION, FIELD_LOOP, FIELD_UNASKED, FIELDS };

/* What each step needs comes first. */
struct identity {
    PyTypeObject *handle, *threadsafe_handle; /* the latter NULL before 3.14 */
    PyTypeObject *step_wrapper, *c_task, *py_task, *trio_task, *timer_handle;
    PyMethodDef *wakeup;
    Py_ssize_t callback_offset, args_offset, when_offset;
    Py_ssize_t step_task_offset; /* in an object of the type step_wrapper */
    map by_task;
    Py_ssize_t places[FIELDS]; /* in a task of the C module: where it keeps the field; 0: not known */
    PyObject *pending, *cancelled;
    getter fields[FIELDS];
    PyObject *field_strings[FIELDS], *str_name;
    PyMethodDef *get_name, *set_name;
    Py_ssize_t name_offset; /* in a task of the C module: its name, or the number for it; -1: not known */
    map by_ref, by_stand_in, loops;
    _Atomic uint32_t next_task, next_loop;
    PyObject *on_gone, *current_task, *get_running;
    int is_complete; /* the tasks that there were when the recording began are known */
    Py_ssize_t trio_coro; /* where its coroutine is */
    PyTypeObject *uv_loop;
    PyObject *py_step, *py_wakeup; /* functions of the pure-Python task */
    PyCFunction original_set_name;
    PyObject *wrapping, *wrapper; /* codes: of a function, whose first argument is a coroutine, and of that around it */
};

extern OURS struct identity identity;
extern OURS compat_mutex identity_guard;

int identity_start(void);             /* before tasks are enrolled; 0, or -1 with an exception */
int identity_setup(PyObject *facts);  /* from signals/loops/asyncio.py */
/* In a forked child: the parent's tasks and loops do not run in it. */
void identity_leave_parent(void);
void identity_forget(void);           /* drops every table and reference */
uint32_t identity_id(PyObject *task); /* 0 when unknown or not a task */
int identity_is_task(PyObject *object);
uint32_t identity_loop_id(PyObject *loop);
uint32_t identity_loop_of(PyObject *loop, enum loop_kind kind);
uint32_t identity_known_loop(PyObject *loop); /* 0 when the trace has no record of it */

/* The task that an object of the type step_wrapper steps, borrowed from it; NULL: it has been cleared. */
static inline PyObject *identity_step_task(PyObject *step)
{
    return *(PyObject **)((char *)step + identity.step_task_offset);
}

static inline known_task *identity_find(const void *task)
{
    const uint64_t *known = map_find(&identity.by_task, (uint64_t)(uintptr_t)task);
    return known ? (known_task *)(uintptr_t)*known : NULL;
}

/* The object has a slot for the task. */
void identity_stand_in(known_task *known, PyObject *object);
known_task *identity_having(const void *object); /* the task that it is, or that it has a slot for */
PyObject *identity_py_task_of(PyObject *callback);
/* The task that `callback` steps or wakes up, borrowed from it; NULL for other callbacks. */
static inline PyObject *identity_task_of(PyObject *callback)
{
    if (Py_TYPE(callback) == identity.step_wrapper)
        return identity_step_task(callback);
    if (PyCFunction_CheckExact(callback))
        return ((PyCFunctionObject *)callback)->m_ml == identity.wakeup ? PyCFunction_GET_SELF(callback) : NULL;
    return identity.py_task ? identity_py_task_of(callback) : NULL;
}
/* A new reference, or NULL; never sets an exception. */
PyObject *identity_read(PyObject *task, enum field which);
/* The same, where it mostly is an object that a task of the C module keeps: then nothing is called. None may be NULL. */
static inline PyObject *identity_take(PyObject *task, enum field which)
{
    Py_ssize_t place = identity.places[which];
    if (__builtin_expect(place && Py_TYPE(task) == identity.c_task, 1))
        return Py_XNewRef(*(PyObject **)((char *)task + place));
    return identity_read(task, which);
}
int identity_same_text(PyObject *value, PyObject *constant);
PyObject *identity_coro(PyObject *task); /* a new reference, or NULL */
uint32_t identity_function(PyObject *coro);
void identity_emit_name(thread_buffer *b, uint32_t id, PyObject *name);
PyObject *identity_name(PyObject *task);
void identity_renamed(thread_buffer *b, PyObject *task, PyObject *name);
Py_ssize_t identity_slot(PyObject *type, const char *name); /* its offset; -1, perhaps with an exception */
known_task *identity_enroll(PyObject *task, uint32_t id, uint32_t func);
void identity_dismiss(known_task *known);

#endif
