/* What tasks and threads wait for inside libraries, by the code that waits; and the pools among it. */
#ifndef TRACER_LIBRARIES_H
#define TRACER_LIBRARIES_H

#include "python/codes.h"

typedef struct {
    PyObject *object; /* the pool, or what stands for it, borrowed from what holds it; NULL: unknown */
    uint32_t slots;   /* how many may use it at once; 0: unknown */
    PyObject *holders; /* a set of who does, borrowed from the pool; NULL: unknown */
} library_pool;

/* The pool that a suspended or running frame of such code waits for: `number` is code_facts.pool. Attached.
 * Leaves no exception set. */
library_pool library_pool_of(uint8_t number, const compat_frame *frame);

/* The code of the function that another thread runs for such a frame: `number` is code_facts.job. Borrowed from the
 * function; NULL: unknown. */
PyCodeObject *library_job_of(uint8_t number, const compat_frame *frame);

extern PyMethodDef libraries_methods[];

#endif
