/* Jobs of billiard's pools, and so of Celery's prefork: submitted, sent, run in a worker, their results sent and read. */
#ifndef TRACER_BILLIARD_H
#define TRACER_BILLIARD_H

#include "python/compat.h"
#include "ring/ring.h"

/* Each is called by the watched function that it names, at its begin or, with a value, at its return. */
void billiard_on_request(thread_buffer *b, uint64_t tick, PyObject *value);   /* Celery's _process_task_sem */
void billiard_on_slot(thread_buffer *b, uint64_t tick, PyObject *value);      /* Celery's _process_task */
void billiard_on_submitted(thread_buffer *b, uint64_t tick, PyObject *value); /* ApplyResult.__init__ returns */
void billiard_on_pickle(thread_buffer *b, uint64_t tick, PyObject *value);    /* Celery's send_job */
void billiard_on_pickled(thread_buffer *b, uint64_t tick, PyObject *value);
void billiard_on_write(thread_buffer *b, uint64_t tick, PyObject *value);     /* Celery's _write_job */
void billiard_on_written(thread_buffer *b, uint64_t tick, PyObject *value);
void billiard_on_send(thread_buffer *b, uint64_t tick, PyObject *value);      /* _ConnectionBase.send */
void billiard_on_put(thread_buffer *b, uint64_t tick, PyObject *value);       /* _SimpleQueue.put */
void billiard_on_was_put(thread_buffer *b, uint64_t tick, PyObject *value);
void billiard_on_bytes(thread_buffer *b, uint64_t tick, PyObject *value);     /* Connection._send_bytes */
void billiard_on_sent(thread_buffer *b, uint64_t tick, PyObject *value);
void billiard_on_read(thread_buffer *b, uint64_t tick, PyObject *value);      /* Connection._recv_bytes returns */
void billiard_on_got(thread_buffer *b, uint64_t tick, PyObject *value);       /* a worker's receive() returns */
void billiard_on_state(thread_buffer *b, uint64_t tick, PyObject *value);     /* the parent's on_state_change() */

extern PyMethodDef billiard_methods[];

#endif
