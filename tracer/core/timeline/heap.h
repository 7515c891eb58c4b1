/* Allocations: instants of the sampled ones, and counters of what they stand for. */
#ifndef TRACER_TIMELINE_HEAP_H
#define TRACER_TIMELINE_HEAP_H

#include "timeline/model.h"

extern const record_handler timeline_heap_handlers[REC_KINDS];

/* Writes the allocations whose stacks have got their names meanwhile. */
void heap_settle(timeline *t);
/* Writes those of the blocks that live again, for the head of a flight recording's file. */
void heap_head(timeline *t);
void heap_counters(timeline *t, uint64_t ns);
int64_t heap_live(const timeline *t); /* bytes that live; -1: not recorded */
void heap_free(timeline *t);

#endif
