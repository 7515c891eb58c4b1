/* Exceptions as they are raised, where they are likely to be failures, and answers that say so. */
#ifndef TRACER_FAILURES_H
#define TRACER_FAILURES_H

#include "python/compat.h"
#include "ring/ring.h"

/* On the writer's thread, after each pass: as many may be raised and written again. */
void failures_after_pass(void);

/* A role of monitor.c: the head of an answer has been read. */
void failures_on_answer(thread_buffer *b, uint64_t tick, PyObject *value);

extern PyMethodDef failures_methods[];

#endif
