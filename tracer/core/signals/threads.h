/* Threads as threading.Thread shows them: what monitor.c calls at its events. */
#ifndef TRACER_THREADS_H
#define TRACER_THREADS_H

#include "python/compat.h"
#include "ring/ring.h"

void threads_on_start(thread_buffer *b, PyObject *thread);
void threads_on_bootstrap(thread_buffer *b, PyObject *thread);
void threads_on_failure(thread_buffer *b); /* it handles an exception that ends it */
void threads_on_end(thread_buffer *b);
/* `job`: a work item of concurrent.futures.thread, or what another pool of threads is given. */
void threads_on_submit(thread_buffer *b, PyObject *job);
void threads_on_job(thread_buffer *b, PyObject *job);
void threads_on_call(thread_buffer *b, PyObject *job, PyObject *called);
/* sched.scheduler.enterabs() returns `job`. */
void threads_on_entered(thread_buffer *b, uint64_t tick, PyObject *scheduler, PyObject *job);
void threads_on_rename(thread_buffer *b, PyObject *thread, PyObject *name);

void threads_name(const char *name); /* the calling thread, which is ours */

extern PyMethodDef threads_methods[];

#endif
