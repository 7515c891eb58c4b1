/* Locks of tasks: which task holds which. */
#ifndef TRACER_ASYNC_LOCKS_H
#define TRACER_ASYNC_LOCKS_H

#include "ring/ring.h"
#include "signals/asyncio/await.h"

/* A task begins to wait for `facts->lock`. */
void async_locks_wait(const thread_buffer *b, const await_facts *facts, await_lock *details);
void async_locks_acquired(thread_buffer *b, uint64_t tick, PyObject *value); /* in Lock.acquire */
void async_locks_released(thread_buffer *b, uint64_t tick, PyObject *value); /* in Lock.release */
/* The same for locks that know which task holds them. */
void owned_lock_acquired(thread_buffer *b, uint64_t tick, PyObject *value);
void owned_lock_released(thread_buffer *b, uint64_t tick, PyObject *value);

/* The same for locks of which another hook knows who has them: `owner` is a task, 0: none that is known. */
void async_lock_taken(thread_buffer *b, PyObject *lock, uint32_t owner, uint32_t site);
int async_lock_given(thread_buffer *b, PyObject *lock); /* whether any task may wait for it */

/* In a forked child: the tasks that hold locks do not run in it. */
void async_locks_leave_parent(void);

extern PyMethodDef async_locks_methods[];

#endif
