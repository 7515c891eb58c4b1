/* The steps of asyncio's tasks and callbacks: what monitor.c calls at their events. */
#ifndef TRACER_TASKS_H
#define TRACER_TASKS_H

#include "python/compat.h"
#include "ring/ring.h"

void tasks_on_ready(thread_buffer *b, uint64_t tick, PyObject *handle);
void tasks_on_begin(thread_buffer *b, PyObject *callback);
void tasks_on_end(thread_buffer *b, uint64_t tick, PyObject *callback);
int tasks_on_step_return(thread_buffer *b, uint64_t tick); /* whether it ended an adopted step */
/* What a task is made of; it may not know yet. */
typedef struct {
    uint32_t loop;
    PyObject *coro, *name; /* NULL: unknown, or none is given */
} eager_parts;
/* The task is about to begin its first step as it is made … */
void tasks_on_eager_begin(thread_buffer *b, PyObject *task, eager_parts parts);
/* … and has been made, or not, for what has been `raised`. */
void tasks_on_made(thread_buffer *b, uint64_t tick, PyObject *task, PyObject *raised);

extern PyMethodDef tasks_methods[];

#endif
