/* The steps of asyncio's tasks and callbacks: what monitor.c calls on their events. */
#ifndef TRACER_TASKS_H
#define TRACER_TASKS_H

#include "python/compat.h"
#include "ring/ring.h"

void tasks_on_ready(thread_buffer *b, uint64_t tick, PyObject *handle);
void tasks_on_begin(thread_buffer *b, PyObject *callback);
void tasks_on_end(thread_buffer *b, uint64_t tick, PyObject *callback);
int tasks_on_step_return(thread_buffer *b, uint64_t tick); /* whether it ended an adopted step */
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
