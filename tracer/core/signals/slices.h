/* Work with the GIL in slices: after each the other threads have it for a moment. */
#ifndef TRACER_SLICES_H
#define TRACER_SLICES_H

#include <stdint.h>

#include "python/compat.h"

void slices_begin(void);      /* attached: this thread's first slice begins */
uint64_t slices_now_ns(void); /* MONOTONIC, unless a test has said how long a unit of work takes */
int slices_is_over(uint32_t units); /* attached: so many units of work more are done; whether the slice is over */
void slices_pause(void);            /* attached: lets go of the GIL for a moment; the next slice begins */
int slices_give_way(uint32_t units); /* both; returns whether it has paused */

extern PyMethodDef slices_methods[];

#endif
