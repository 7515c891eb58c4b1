/* Sampled allocations: which blocks the program allocates, where, and when it frees them. */
#ifndef TRACER_HEAP_H
#define TRACER_HEAP_H

#include "python/compat.h"

void heap_forget(void); /* in a forked child */

extern PyMethodDef heap_methods[];

#endif
