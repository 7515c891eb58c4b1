/* Work with the GIL in slices: after each the other threads have it for a moment. */
#ifndef TRACER_SLICES_H
#define TRACER_SLICES_H

#include <stdint.h>

#include "python/compat.h"

void slices_begin(void);      /* attached: this thread's first slice begins */
uint64_t slices_now_ns(void); /* MONOTONIC, unless a test has said how long a unit of work takes */
/* Attached: so many units of work were done. Lets go of the GIL for a moment if the slice is over; returns whether. */
int slices_give_way(uint32_t units);

extern PyMethodDef slices_methods[];

#endif
