/* What asyncio's own loops and trio's runs have to run next: a trampoline in front of the append of their queue. */
#ifndef TRACER_READY_H
#define TRACER_READY_H

#include "python/compat.h"

/* `append`: collections.deque.append. Returns 0, or -1 with an exception. */
int ready_watch(PyObject *append);
void ready_unwatch(void);

#endif
