/* Lanes without a GIL: records of calls as they end, and what the writer may see of a call before that. */
#include "signals/gil/attached.h"

#include "python/stacks.h"
#include "ring/hot.h"

HOT_DATA enum gil_mode gil_mode;

void attached_begin(thread_buffer *b)
{
    if (b->attached_tick)
        return;
    b->attached_tick = clock_tick();
    ring_emit(b, b->attached_tick, REC_TAKE, TAKE_ATTACHES, 0, 0, 0);
    ring_count_lane(b);
}

void attached_leave(thread_buffer *b, uint64_t tick)
{
    attached_begin(b);
    atomic_store_explicit(&b->released_tick, tick > b->attached_tick ? tick : b->attached_tick, memory_order_release);
}

void attached_stay(thread_buffer *b)
{
    atomic_store_explicit(&b->released_tick, 0, memory_order_release);
}

/* Writes the record first, then its count, then the tick: the writer's present_of() relies on that order. */
void attached_back(thread_buffer *b, const record *call, uint64_t start)
{
    uint64_t tick = clock_tick();
    uint32_t stack = stacks_capture(compat_own_tstate());
    if (start < b->attached_tick)
        start = b->attached_tick; /* a call inside this one has been written */
    record *two = ring_reserve(b, 2, tick);
    if (two) {
        two[0] = *call;
        two[0].tick = tick;
        two[1] = (record){tick, REC_TAKE, TAKE_ATTACHES, 0, stack, start, 0};
        ring_commit(b, 2);
        ring_count_lane(b);
    } else if (b->gap_records == 2) {
        b->gap_tick = start; /* the first thing lost is the begin of the call */
    }
    b->attached_tick = tick;
    attached_stay(b);
}
