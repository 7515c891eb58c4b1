/* Who has permits of semaphores, which do not know it themselves; also of those who got one without waiting. */
#ifndef TRACER_PERMITS_H
#define TRACER_PERMITS_H

#include "python/compat.h"
#include "ring/ring.h"

/* `task` has got one; 0: it is not known. */
void permits_take(PyObject *semaphore, uint32_t task);
/* `task` is about to give one back. */
void permits_give(PyObject *semaphore, uint32_t task);
/* A wait called `what` begins: how many have one, and which tasks; 0: none is known. */
uint32_t permits_tell(PyObject *semaphore, uint32_t what, await_holders *holders);

/* acquire() of a semaphore has returned, or release() begins; `value` and `tick`: see watched.h. */
void permits_on_taken(thread_buffer *b, uint64_t tick, PyObject *value);
void permits_on_given(thread_buffer *b, uint64_t tick, PyObject *value);
/* How many of these are looked at, though nobody has waited for any semaphore: then none is before somebody does. */
extern int permits_calls_left;

void permits_forget(void);

extern PyMethodDef permits_methods[];

#endif
