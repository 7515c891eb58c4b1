/* Numbers for locks and what is waited for in other objects. */
#ifndef TRACER_LOCK_IDS_H
#define TRACER_LOCK_IDS_H

#include "python/compat.h"

#include <stdint.h>

/* A lock is about to be freed, whoever has it. Runs no Python code. */
typedef void lock_freed(const void *lock, uint32_t id);

/* For a lock (`what` = 0), of whose end `freed` is told, or for what can be waited for in an object (a
 * queue's items are not its room, a thread's start is not its end): never used for another. An object
 * without weak references has a new one each time. Attached; runs no Python code. */
uint32_t lock_ids_of(PyObject *object, uint32_t what, lock_freed *freed);
void lock_ids_forget(void); /* lets go of every object; numbers go on counting */

#endif
