/* asyncio's locks: which task holds which. */
#ifndef TRACER_ASYNC_LOCKS_H
#define TRACER_ASYNC_LOCKS_H

#include "ring/ring.h"
#include "signals/asyncio/await.h"

/* A task begins to wait for `facts->lock`. */
void async_locks_wait(const thread_buffer *b, const await_facts *facts, await_lock *details);
void async_locks_acquired(thread_buffer *b, uint64_t tick, PyObject *value); /* in Lock.acquire */
void async_locks_released(thread_buffer *b, uint64_t tick, PyObject *value); /* in Lock.release */

extern PyMethodDef async_locks_methods[];

#endif
