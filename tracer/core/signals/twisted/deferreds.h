/* Twisted's coroutines: their steps, what they wait for, and who has its locks and semaphores. What monitor.c calls; `value`
 * and `tick`: see watched.h. */
#ifndef TRACER_DEFERREDS_H
#define TRACER_DEFERREDS_H

#include "python/compat.h"
#include "ring/ring.h"

/* Around _inlineCallbacks, which goes on with a generator or coroutine until that yields a Deferred that has no result. */
void deferreds_on_step(thread_buffer *b, uint64_t tick, PyObject *value);
void deferreds_on_stepped(thread_buffer *b, uint64_t tick, PyObject *value);
void deferreds_on_failure(thread_buffer *b, uint64_t tick, PyObject *value); /* one is made */
/* A reactor of Twisted's own begins its loop, and has left it. */
void deferreds_on_run(thread_buffer *b, uint64_t tick, PyObject *value);
void deferreds_on_ran(thread_buffer *b, uint64_t tick, PyObject *value);
/* Around what waits for events and then calls deferreds_on_read() for each. */
void deferreds_on_poll(thread_buffer *b, uint64_t tick, PyObject *value);
void deferreds_on_polled(thread_buffer *b, uint64_t tick, PyObject *value);
void deferreds_on_read(thread_buffer *b, uint64_t tick, PyObject *value);
/* acquire() of a lock or semaphore begins, or release(), or that has returned. */
void deferreds_on_acquire(thread_buffer *b, uint64_t tick, PyObject *value);
void deferreds_on_release(thread_buffer *b, uint64_t tick, PyObject *value);
void deferreds_on_released(thread_buffer *b, uint64_t tick, PyObject *value);

/* In a forked child: no reactor polls in it yet. */
void deferreds_leave_parent(void);
void deferreds_forget(void);

extern PyMethodDef deferreds_methods[];

#endif
