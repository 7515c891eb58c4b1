/* The steps of asyncio's tasks and callbacks: what the hooks of loops and tasks call. */
#ifndef TRACER_TASKS_H
#define TRACER_TASKS_H

#include "python/compat.h"
#include "ring/ring.h"

/* A loop has scheduled the next step of a task, when `future` is done (NULL: it awaited none), … */
void tasks_ready(thread_buffer *b, uint64_t tick, PyObject *task, PyObject *future);
/* … or a callback. */
void tasks_callback_ready(thread_buffer *b, uint64_t tick, const void *handle);
void tasks_begin_step(thread_buffer *b, PyObject *task);
void tasks_end_step(thread_buffer *b, uint64_t tick, PyObject *task); /* NULL: it was a callback */
/* The same for a callback, which may be the step of a pure-Python task: of asyncio's own loop … */
void tasks_begin_callback(thread_buffer *b, PyObject *callback);
/* … or of any; `due_ns`: when a timer was due, 0: it is none. */
void tasks_begin_scheduled(thread_buffer *b, PyObject *callback, const void *handle, uint64_t due_ns);
void tasks_end_callback(thread_buffer *b, uint64_t tick, PyObject *callback);
/* The step in which the recording began has ended, if it is this thread's. */
void tasks_end_adopted(thread_buffer *b, uint64_t tick);
/* How many threads are still in a step in which the recording began. */
extern OURS _Atomic int tasks_adopting;
/* Makes a task known that there is already; whether it was not yet. */
int tasks_adopt(thread_buffer *b, PyObject *task);
/* What it waits for; what it does on another thread is not known until that one comes to a hook. */
void tasks_adopt_state(thread_buffer *b, PyObject *task);
/* The one that this thread is in a step of; or the function that its loop has called back. */
void tasks_adopt_running(thread_buffer *b, PyObject *task);
void tasks_adopt_called(thread_buffer *b, uint32_t func);
/* The parts of a new task, which its own fields may not have yet. */
typedef struct {
    uint32_t loop;
    PyObject *coro, *name; /* NULL: unknown, or not given */
} eager_parts;
/* The task is about to begin its first step while being created … */
void tasks_on_eager_begin(thread_buffer *b, PyObject *task, eager_parts parts);
/* … and now has been created, or has not, because of the exception `raised`. */
void tasks_on_made(thread_buffer *b, uint64_t tick, PyObject *task, PyObject *raised);

extern PyMethodDef tasks_methods[];

#endif
