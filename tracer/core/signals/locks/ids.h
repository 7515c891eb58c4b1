/* Numbers for locks and what is waited for in other objects. */
#ifndef TRACER_LOCK_IDS_H
#define TRACER_LOCK_IDS_H

#include "python/compat.h"

#include <stdint.h>

/* For a lock (`what` = 0) or for what can be waited for in an object (a queue's items are not its
 * room, a thread's start is not its end), never used for another. Attached; runs no Python code. */
uint32_t lock_ids_of(PyObject *object, uint32_t what);
void lock_ids_forget(void); /* lets go of every object; numbers go on counting */

#endif
