/* Reads from the threads' buffers what they are doing now. */
#include "output/present.h"

#include "output/held.h"
#include "ring/ring.h"
#include "timeline/lanes.h"

/* What the thread is doing now, for a thread whose past is written completely. The order of the reads
 * matters: a thread that takes the GIL writes its record, counts it, and clears the tick last. Returns 0
 * if the state was changing meanwhile. */
static int present_of(const tick_line *ticks, thread_buffer *b, lane_present *now)
{
    uint64_t released = atomic_load_explicit(&b->released_tick, memory_order_acquire);
    uint64_t held_call = atomic_load_explicit(&b->held_call_tick, memory_order_acquire);
    uint64_t asked = b->asked_tick, out = b->out_tick ? b->out_tick : released;
    now->call = (lane_call){b->call, 0, b->call_serial, b->call_blocks, 0};
    if (!now->call.what && b->libc)
        now->call = (lane_call){b->libc, (uint32_t)(b->libc_fd + 1) & CALL_FD, 0, b->libc_class, 0};
    if (!now->call.what && (b->forced || (asked && asked - out < gil_threshold_ticks)))
        asked = released;
    now->released_ns = released > ticks->to.tick ? 0 : ticks_convert_past(ticks, released);
    now->asked_ns = asked > ticks->to.tick ? 0 : ticks_convert_past(ticks, asked);
    now->held_call_ns = held_call > ticks->to.tick ? 0 : ticks_convert_past(ticks, held_call);
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&b->released_tick, memory_order_relaxed) == released;
}

/* The same, read from the first record about the GIL beyond the horizon. */
static void present_from(const tick_line *ticks, const record *ahead, const record *call, lane_present *now)
{
    if (ahead->kind == REC_HELD_CALL) {
        now->held_call_ns = ticks_convert_past(ticks, ahead->b);
        return;
    }
    now->released_ns = ahead->b > ticks->to.tick ? 0 : ticks_convert_past(ticks, ahead->b);
    now->asked_ns = ahead->c > ticks->to.tick ? 0 : ticks_convert_past(ticks, ahead->c);
    now->stack = ahead->a;
    if (call)
        now->call = (lane_call){call->a, (uint32_t)call->b & CALL_FD, (uint32_t)call->c, call->flag, 0};
}

void present_tell(timeline *line, const tick_line *ticks, uint32_t generation, int last)
{
    for (thread_buffer *b = atomic_load(&ring_threads); b; b = atomic_load(&b->next)) {
        if (b->generation != generation || !b->timeline)
            continue;
        if (atomic_load(&b->dropped) != timeline_lost(b->timeline))
            continue; /* records were dropped: what it did since its last record is not known yet, or lost */
        held_show(line, ticks, b, last);
        lane_present now = {0};
        const record *call = NULL, *ahead = NULL;
        int steady = present_of(ticks, b, &now);
        if (atomic_load_explicit(&b->lane_records, memory_order_acquire) != timeline_lane_records(b->timeline)) {
            steady = (ahead = ring_look_ahead(b, &call)) != NULL;
            now = (lane_present){0};
            if (ahead)
                present_from(ticks, ahead, call, &now);
        }
        now.is_last = (uint8_t)last;
        if (steady || last)
            timeline_present(line, b->timeline, &now, ticks->to.ns);
    }
}
