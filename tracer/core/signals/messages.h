/* Messages of multiprocessing's connections, and so of its queues: which write ended somebody's wait. */
#ifndef TRACER_MESSAGES_H
#define TRACER_MESSAGES_H

#include "python/compat.h"
#include "ring/ring.h"

/* Each is called by the watched function that it names, at its begin or, with a value, at its return. */
void messages_on_pipe(thread_buffer *b, uint64_t tick, PyObject *value);  /* Pipe returns */
void messages_on_close(thread_buffer *b, uint64_t tick, PyObject *value); /* Connection._close */
void messages_on_wait(thread_buffer *b, uint64_t tick, PyObject *value);  /* wait */
void messages_on_ready(thread_buffer *b, uint64_t tick, PyObject *value);
void messages_on_pickle(thread_buffer *b, uint64_t tick, PyObject *value); /* ForkingPickler.dumps */
void messages_on_send(thread_buffer *b, uint64_t tick, PyObject *value);  /* Connection._send_bytes */
void messages_on_sent(thread_buffer *b, uint64_t tick, PyObject *value);
void messages_on_read(thread_buffer *b, uint64_t tick, PyObject *value);  /* Connection._recv_bytes */
void messages_on_got(thread_buffer *b, uint64_t tick, PyObject *value);

/* Whether the thread writes or reads one just now. With the GIL or without. */
int messages_are_passing(const thread_buffer *b);

#endif
