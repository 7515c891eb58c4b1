/* The steps of asyncio's tasks and callbacks: what monitor.c calls at their events. */
#ifndef TRACER_TASKS_H
#define TRACER_TASKS_H

#include "python/compat.h"
#include "ring/ring.h"

void tasks_on_ready(thread_buffer *b, uint64_t tick, PyObject *handle);
void tasks_on_begin(thread_buffer *b, PyObject *callback);
void tasks_on_end(thread_buffer *b, uint64_t tick, PyObject *callback);
int tasks_on_step_return(thread_buffer *b, uint64_t tick); /* whether it ended an adopted step */
void tasks_on_eager_begin(thread_buffer *b, PyObject *loop, PyObject *coro, PyObject *name);
void tasks_on_eager_end(thread_buffer *b, uint64_t tick, PyObject *task);

extern PyMethodDef tasks_methods[];

#endif
