/* The state of a thread at every moment. */
#ifndef TRACER_TIMELINE_LANES_H
#define TRACER_TIMELINE_LANES_H

#include "timeline/model.h"

/* How many REC_TAKE and REC_HELD_CALL records of the thread have arrived. */
static inline uint64_t timeline_lane_records(const thread_line *thread)
{
    return thread->lane.counted;
}
/* Sets the thread's state at `ns`, after all records up to then. */
void timeline_present(timeline *t, thread_line *thread, const lane_present *now, uint64_t ns);

extern const record_handler timeline_lane_handlers[REC_KINDS];
void lane_flush(timeline *t, thread_line *thread);
/* Writes the lane up to `ns`, when the thread is known to be executing Python code. */
void lane_reach(timeline *t, thread_line *thread, uint64_t ns);
/* The lane ends at `ns`; the thread has released the GIL at `drop_ns` (0: it has not). */
void lane_close(timeline *t, thread_line *thread, uint64_t drop_ns, uint64_t ns);
void lane_free(lane_line *lane);

#endif
