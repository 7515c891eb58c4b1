/* What the lines add to the counters when a state ends: the lengths of the slices that are written. */
#include "timeline/counts.h"

tally_coroutine *count_new(timeline *t, uint32_t func)
{
    uint64_t *slot = map_put(&t->coroutines, func ? func : UINT64_MAX);
    if (slot && !*slot)
        *slot = (uint64_t)(uintptr_t)calloc(1, sizeof(tally_coroutine));
    tally_coroutine *counts = slot ? (tally_coroutine *)(uintptr_t)*slot : NULL;
    if (!counts)
        return NULL;
    counts->func = func;
    counts->live++;
    counts->made++;
    return counts;
}

enum tally_state count_state_of(const lane_line *lane)
{
    static const uint8_t of_call[] = {
        [CLASS_NONE] = TALLY_IO, [CLASS_IO] = TALLY_IO, [CLASS_SLEEP] = TALLY_SLEEP, [CLASS_LOCK] = TALLY_LOCK,
    };
    static const uint8_t of_state[] = {
        [LANE_NONE] = TALLY_STATES,
        [LANE_RUNNING] = TALLY_RUNNING,
        [LANE_NATIVE] = TALLY_NATIVE,
        [LANE_PREEMPTED] = TALLY_PREEMPTED,
        [LANE_PREEMPTED_WITH_GIL] = TALLY_PREEMPTED,
        [LANE_OFF_CPU] = TALLY_OFF_CPU,
        [LANE_OFF_CPU_WITH_GIL] = TALLY_OFF_CPU,
        [LANE_GIL_WAIT] = TALLY_GIL_WAIT,
    };
    return lane->state == LANE_CALL ? of_call[lane->class] : of_state[lane->state];
}

int count_holds_gil(const lane_line *lane)
{
    return lane->state == LANE_RUNNING || lane->state == LANE_PREEMPTED_WITH_GIL ||
           lane->state == LANE_OFF_CPU_WITH_GIL || (lane->state == LANE_CALL && lane->holding_gil);
}

void count_lane(thread_line *thread, uint64_t ns)
{
    const lane_line *lane = &thread->lane;
    enum tally_state state = count_state_of(lane);
    if (state == TALLY_STATES)
        return;
    thread->counts.ns[state] += ns - lane->boundary_ns;
    if (count_holds_gil(lane))
        thread->counts.held_ns += ns - lane->boundary_ns;
}
