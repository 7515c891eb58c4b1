/* Exceptions as they are raised, where they are likely to be failures. */
#ifndef TRACER_FAILURES_H
#define TRACER_FAILURES_H

#include "python/compat.h"

/* On the writer's thread, after each pass: as many may be raised and written again. */
void failures_after_pass(void);

extern PyMethodDef failures_methods[];

#endif
