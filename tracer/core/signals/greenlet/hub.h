/* gevent's hub: what is scheduled on its loop, and when that loop is idle. */
#ifndef TRACER_HUB_H
#define TRACER_HUB_H

#include "python/compat.h"
#include "ring/ring.h"

/* run_callback() of a loop that is written in Python returns the `callback` that it has scheduled; see watched.h. */
void hub_on_scheduled(thread_buffer *b, uint64_t tick, PyObject *callback);

extern PyMethodDef hub_methods[];

#endif
