/* What each thread is doing at this moment, where no record says so yet. */
#ifndef TRACER_PRESENT_H
#define TRACER_PRESENT_H

#include "output/ticks.h"
#include "timeline/timeline.h"

/* Writes the state of every thread of this recording at the latest pair; `last`: nothing follows. */
void present_tell(timeline *line, const tick_line *ticks, uint32_t generation, int last);

#endif
