/* Numbers for locks, and for what threads wait for in other objects. */
#ifndef TRACER_LOCK_IDS_H
#define TRACER_LOCK_IDS_H

#include "python/compat.h"

#include <stdint.h>

/* A lock is about to be freed, whether or not it is held. Runs no Python code. */
typedef void lock_freed(const void *lock, uint32_t id);

/* The number of a lock (`what` = 0; `freed` is called when it dies), or of one thing to wait for in an
 * object (a queue's items are not its room, a thread's start is not its end). A number is never reused.
 * An object without weak references gets a new one each time. Attached; runs no Python code. */
uint32_t lock_ids_of(PyObject *object, uint32_t what, lock_freed *freed);
void lock_ids_forget(void); /* drops every object; the numbers keep counting up */

#endif
