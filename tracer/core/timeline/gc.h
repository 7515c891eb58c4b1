/* The slice of a collection: on its thread and on the GC track. */
#ifndef TRACER_TIMELINE_GC_H
#define TRACER_TIMELINE_GC_H

#include "timeline/model.h"

void gc_slice(timeline *t, const thread_line *thread, track *on, uint64_t ns, uint8_t type);
void gc_finish(timeline *t, thread_line *thread, uint64_t ns, uint64_t collected, uint64_t uncollectable);

#endif
