/* What the kernel did to the threads: switches, as they come. */
#ifndef TRACER_TIMELINE_CUTS_H
#define TRACER_TIMELINE_CUTS_H

#include "ring/sources.h"
#include "timeline/model.h"

/* From `ns` on the kernel has the thread in `state`; in order of time with the records. With
 * KERNEL_LOST, `lost` records of unknown threads are missing (tid 0). */
void timeline_kernel(timeline *t, uint32_t tid, uint64_t ns, enum kernel_state state, uint64_t lost);

#endif

