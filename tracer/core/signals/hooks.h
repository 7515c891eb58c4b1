/* What the Python-side hooks share: code names, task identity, roles of watched code.
 *
 * Everything here runs attached to the interpreter (with the GIL, where there is one). A hook
 * leaves no exception set, and writes its records in one go: between reserving a slot and
 * committing it nothing of Python may run. */
#ifndef TRACER_HOOKS_H
#define TRACER_HOOKS_H

#include "python/compat.h"

#include "ring/map.h"
#include "ring/ring.h"

enum await_primitive {
    PRIMITIVE_NONE,
    PRIMITIVE_SIGNAL, /* its first argument, which nobody holds: a condition, event, queue */
    PRIMITIVE_LOCK,   /* its first argument, a lock */
};

/* --- codes.c: code objects and callables as intern.h functions --- */

typedef struct {
    uint32_t func;   /* intern.h function id */
    uint32_t label;  /* string id of "await …" if waiting inside this code has a name */
    uint8_t outward; /* the label counts even if deeper code has one (Queue.join over Event.wait) */
    uint8_t inside_asyncio;
    uint8_t primitive;       /* enum await_primitive: what a task that waits inside it waits for */
    uint8_t inside_library;  /* the standard library's */
    uint32_t wait;           /* string id of "lock wait: …" if a thread's wait inside it has a name */
} code_facts;

int codes_start(void); /* installs the code watcher; 0, or -1 with an exception */
const code_facts *codes_of(PyCodeObject *code);
uint32_t codes_line(PyCodeObject *code, const code_facts *facts, int offset); /* "file:line function" */
/* Without a GIL another thread's code may die meanwhile: what was remembered has a line until then. */
void codes_remember(PyCodeObject *code);
uint32_t codes_line_if_known(PyCodeObject *code, int offset);
uint32_t codes_callable(PyObject *callable); /* function id of a callback's name and site */
uint32_t codes_text(PyObject *text);         /* string id; 0 if it is no str */

/* --- await.c --- */

typedef struct {
    uint32_t what, site; /* strings */
    uint32_t stack;      /* of stacks.h: the coroutines that await each other */
    uint32_t awaited;    /* task, 0 = none */
    uint8_t primitive;   /* enum await_primitive of … */
    PyObject *lock;      /* … this; new reference, or NULL */
} await_facts;

/* The next link of a chain of awaits, as a new reference; NULL at its end. Runs nothing of Python. */
PyObject *await_next(PyObject *at);
/* What the chain of awaits below `coro` ends in. */
void await_describe(PyObject *coro, PyObject *waiter, await_facts *facts);
int await_setup(PyObject *facts); /* from signals/loops/asyncio.py */

/* --- identity.c --- */

int tasks_setup(PyObject *facts);  /* from signals/loops/asyncio.py */
void tasks_forget(void);           /* drops every table and reference */
uint32_t tasks_id(PyObject *task); /* 0 when unknown or no task */
int tasks_is_task(PyObject *object);
uint32_t tasks_loop_id(PyObject *loop);

/* --- tasks.c --- */

void tasks_on_ready(thread_buffer *b, uint64_t tick, PyObject *handle);
void tasks_on_begin(thread_buffer *b, PyObject *callback);
void tasks_on_end(thread_buffer *b, uint64_t tick, PyObject *callback);
int tasks_on_step_return(thread_buffer *b, uint64_t tick); /* whether it ended an adopted step */
void tasks_on_eager_begin(thread_buffer *b, PyObject *loop, PyObject *coro, PyObject *name);
void tasks_on_eager_end(thread_buffer *b, uint64_t tick, PyObject *task);
void tasks_on_rename(thread_buffer *b, PyObject *task, PyObject *name);

/* --- signals/asyncio/locks.c --- */

extern int async_locks_watched; /* the signal is on */
/* A task begins to wait for `facts->lock`. */
void async_locks_wait(const await_facts *facts, await_lock *details);
void async_locks_acquired(thread_buffer *b, uint64_t tick, PyObject *value); /* in Lock.acquire */
void async_locks_released(thread_buffer *b, uint64_t tick, PyObject *value); /* in Lock.release */

/* --- monitor.c --- */

int monitor_watches(PyCodeObject *code); /* whether some role has its events */
int monitor_runs_steps(PyCodeObject *code); /* a loop's: what it calls are callbacks and tasks */
/* An exception is set: clears it, records why, and switches the role off. */
void monitor_failed(const char *what);
void monitor_note(int kind, const char *subject, const char *text);

/* --- user.c --- */

int user_exec(PyObject *module);

extern PyMethodDef monitor_methods[];
extern PyMethodDef codes_methods[];
extern PyMethodDef tasks_methods[];
extern PyMethodDef async_locks_methods[];
extern PyMethodDef threads_methods[];
extern PyMethodDef launch_methods[];
extern PyMethodDef sampling_methods[];
extern PyMethodDef kernel_methods[];
extern PyMethodDef user_methods[];

/* --- threads.c --- */

void threads_on_start(thread_buffer *b, PyObject *thread);
void threads_on_bootstrap(thread_buffer *b, PyObject *thread);
void threads_on_rename(thread_buffer *b, PyObject *thread, PyObject *name);

#endif
