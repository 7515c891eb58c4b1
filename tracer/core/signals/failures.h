/* Exceptions as they are raised, where they are likely to be failures, and answers that say so. */
#ifndef TRACER_FAILURES_H
#define TRACER_FAILURES_H

#include "python/compat.h"
#include "ring/hot.h"
#include "ring/ring.h"

/* On the writer's thread, after each pass: as many may be raised and written again. */
void failures_after_pass(void);

/* A role of monitor.c: the head of an answer has been read. */
void failures_on_answer(thread_buffer *b, uint64_t tick, PyObject *value);

extern OURS const uint8_t *failures_heard; /* by which tools, as bits; NULL: exceptions are not recorded … */
extern OURS uint8_t failures_tool;         /* … by this one */
/* Whether exceptions are recorded, and nobody else is told of them. */
static inline int failures_are_heard_alone(void)
{
    return failures_heard && !(*failures_heard & ~failures_tool);
}

extern PyMethodDef failures_methods[];

#endif
