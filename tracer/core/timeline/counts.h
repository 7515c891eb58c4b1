/* What the lines add to the counters (timeline/tally.h) when a state ends. */
#ifndef TRACER_TIMELINE_COUNTS_H
#define TRACER_TIMELINE_COUNTS_H

#include "timeline/model.h"

/* A task of the coroutine function is made. NULL: no memory. */
tally_coroutine *count_new(timeline *t, uint32_t func);
/* The task's state ends at `ns`. */
static inline void count_state(timeline *t, const task_line *task, uint64_t ns)
{
    uint64_t length_ns = ns - task->since_ns;
    tally_coroutine *counts = task->counts;
    if (task->state == STATE_READY && length_ns > t->worst_ready_ns) {
        t->worst_ready_ns = length_ns;
        t->worst_ready_func = task->func;
    }
    if (task->state == STATE_READY && task->loop)
        tally_size(&task->loop->lag, length_ns);
    if (counts)
        tally_span(task->state == STATE_READY ? &counts->ready
                   : task->state == STATE_RUNNING ? &counts->running : &counts->await, length_ns);
}
/* Where the lane's open state belongs; TALLY_STATES: it has none. */
enum tally_state count_state_of(const lane_line *lane);
int count_holds_gil(const lane_line *lane);
/* The thread's open state ends at `ns`. */
void count_lane(thread_line *thread, uint64_t ns);

#endif
