/* Jobs of pools of processes: submitted, sent, run in a worker, their results sent and read. */
#ifndef TRACER_JOBS_H
#define TRACER_JOBS_H

#include "python/compat.h"
#include "ring/ring.h"

/* Each is called by the watched function that it names, at its begin or, with a value, at its return. */
void jobs_on_work_item(thread_buffer *b, uint64_t tick, PyObject *value);      /* _WorkItem.__init__ */
void jobs_on_pool_result(thread_buffer *b, uint64_t tick, PyObject *value);    /* ApplyResult.__init__ … returns */
void jobs_on_drawn(thread_buffer *b, uint64_t tick, PyObject *value);          /* IMapIterator._set_length */
void jobs_on_pickle(thread_buffer *b, uint64_t tick, PyObject *value);         /* ForkingPickler.dumps */
void jobs_on_pickled(thread_buffer *b, uint64_t tick, PyObject *value);
void jobs_on_send(thread_buffer *b, uint64_t tick, PyObject *value);           /* Connection._send_bytes */
void jobs_on_sent(thread_buffer *b, uint64_t tick, PyObject *value);
void jobs_on_read(thread_buffer *b, uint64_t bytes);                           /* Connection._recv_bytes returns */
void jobs_on_received(thread_buffer *b, uint64_t tick, PyObject *value);       /* Connection.recv returns */
void jobs_on_got(thread_buffer *b, uint64_t tick, PyObject *value);            /* Queue.get, SimpleQueue.get return */
void jobs_on_end(thread_buffer *b, uint64_t tick, PyObject *value);            /* _sendback_result */
void jobs_on_put(thread_buffer *b, uint64_t tick, PyObject *value);            /* SimpleQueue.put */
void jobs_on_result_item(thread_buffer *b, uint64_t tick, PyObject *value);    /* process_result_item */
void jobs_on_pool_set(thread_buffer *b, uint64_t tick, PyObject *value);       /* ApplyResult._set … */

int jobs_is_sending(const thread_buffer *b); /* after jobs_on_send(): whether the message is a job or a result */

/* For libraries with pools of their own kind: */

typedef struct {
    uint64_t pool, number; /* pool 0: unknown, then nothing is told of the job */
} job_id;

#define JOBS_UNKNOWN_NS UINT64_MAX /* as `pickling_ns`: the trace does not have it */

void jobs_emit(thread_buffer *b, enum pool_step step, uint32_t a, job_id job, pool_job_details details);
uint64_t jobs_pool_of_queue(PyObject *queue);                 /* its pipe; 0: it has none */
uint64_t jobs_chunk_number(uint64_t job, uint64_t chunk);     /* UINT64_MAX: one of them is unknown */
uint64_t jobs_now_ns(void);

/* What is found for a name, and kept for good: an object, or the code of a function. */
typedef struct {
    const char *name;
    PyObject **place;
    int is_code;
} known_row;

/* A name of an attribute, as a string that is made once. */
typedef struct {
    const char *text;
    PyObject **place;
} known_name;

/* For tables `known` and `names` with a member of each name. */
#define JOBS_CODE_ROW(name) {#name, &known.name, 1},
#define JOBS_OBJECT_ROW(name) {#name, &known.name, 0},
#define JOBS_NAME_ROW(name) {#name, &names.name},

/* Returns -1 with an exception set when memory is short. Of the rows those in `found`, a dict, are kept. */
int jobs_know(PyObject *found, const known_row *rows, size_t row_count, const known_name *texts, size_t text_count);

extern PyMethodDef jobs_methods[];

#endif
