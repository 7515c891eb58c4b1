/* What ran already when the recording began: tasks, and loops on whatever thread. */
#ifndef TRACER_FOUND_H
#define TRACER_FOUND_H

#include "python/compat.h"
#include "ring/ring.h"
#include "signals/asyncio/identity.h"

/* The thread begins to run `loop`; `is_old`: it did so already before the recording began. */
void found_run(thread_buffer *b, PyObject *loop, int is_old);

/* The thread has come to a hook of asyncio's for the first time: looks which loop it runs, and what that has called.
 * `is_called`: something, if the loop is uvloop's. Returns 0 if tasks are not known yet: hooks record nothing until then. */
int found_look(thread_buffer *b, int is_called);

/* This thread's buffer for a hook of asyncio's; NULL: it records nothing. */
static inline thread_buffer *found_current(void)
{
    thread_buffer *b = ring_current();
    return b && __builtin_expect(!b->loop && !b->is_looked_at, 0) && !found_look(b, 0) ? NULL : b;
}

/* The same for a hook in what a loop has called. */
static inline thread_buffer *found_called(void)
{
    thread_buffer *b = ring_current();
    return b && __builtin_expect(!b->loop && !b->is_looked_at, 0) && !found_look(b, 1) ? NULL : b;
}

/* How many threads run a loop that has not come to a hook since the recording began: their steps have ends to be seen. */
extern OURS _Atomic int found_awaited;

/* `set_running`: what a loop calls with None when it stops. */
void found_watch(PyObject *set_running);
void found_unwatch(void);
/* A recording has ended, or its threads are left in the parent: no step from before it has an end to come. */
void found_await_nothing(void);

extern PyMethodDef found_methods[];

#endif
