/* gevent's hub: what is scheduled on its loop, and when that loop is idle. */
#ifndef TRACER_HUB_H
#define TRACER_HUB_H

#include "python/compat.h"
#include "ring/ring.h"

/* gevent.threadpool.ThreadResult: set(self, …) or handle_error(self, …) begins, in a thread of the pool … */
void hub_on_job_done(thread_buffer *b, uint64_t tick, PyObject *value);
/* … and _on_async(self), in the hub, begins and returns. */
void hub_on_job_taken(thread_buffer *b, uint64_t tick, PyObject *value);
void hub_on_job_told(thread_buffer *b, uint64_t tick, PyObject *value);
/* run_callback() of a loop that is written in Python returns the `callback` that it has scheduled; see watched.h. */
void hub_on_scheduled(thread_buffer *b, uint64_t tick, PyObject *callback);

extern PyMethodDef hub_methods[];

#endif
