/* gevent's locks: which greenlet holds which. */
#ifndef TRACER_GREENLET_LOCKS_H
#define TRACER_GREENLET_LOCKS_H

#include "signals/greenlet/greenlets.h"

/* The greenlet `from` begins to wait for something of gevent's, named "await …". */
void greenlet_locks_wait(known_greenlet *from, PyObject *object, uint32_t what, await_lock *details);
/* A call that acquires has returned: whether it did. */
void greenlet_locks_called(thread_buffer *b, const void *lock, int acquired);
void greenlet_locks_released(thread_buffer *b, PyObject *lock);
void greenlet_locks_start(void);

#endif
