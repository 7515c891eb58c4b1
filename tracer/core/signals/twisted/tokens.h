/* Who has tokens of Twisted's semaphores. Attached; runs no Python code. */
#ifndef TRACER_TOKENS_H
#define TRACER_TOKENS_H

#include "signals/asyncio/await.h"

int tokens_left(PyObject *semaphore); /* whether one is free */
/* `task` is about to take one that is free; 0: it is not known. */
void tokens_take(PyObject *semaphore, uint32_t task);
/* `task` is about to give one back, which `next` has at once if `is_wanted`. */
void tokens_give(PyObject *semaphore, uint32_t task, int is_wanted, uint32_t next);
/* Says who has them to whoever waits for one. */
void tokens_tell(PyObject *semaphore, await_facts *facts);
void tokens_forget(void);

#endif
