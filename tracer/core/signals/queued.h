/* Who put what a multiprocessing.Queue's own thread writes into its pipe. */
#ifndef TRACER_QUEUED_H
#define TRACER_QUEUED_H

#include "python/compat.h"
#include "ring/ring.h"

/* Each is called at the begin of the watched function that it names. */
void queued_on_put(thread_buffer *b, uint64_t tick, PyObject *value);  /* Queue.put */
void queued_on_feed(thread_buffer *b, uint64_t tick, PyObject *value); /* Queue._feed */

void queued_is_pickled(const thread_buffer *b, PyObject *object); /* by this thread, which writes it next */
uint32_t queued_stack(const thread_buffer *b); /* of who put what this thread writes now; 0: unknown, or nobody */

#endif
