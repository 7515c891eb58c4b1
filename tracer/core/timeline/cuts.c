/* The kernel's switches, kept with the lane of their thread until it gets there. */
#include "timeline/cuts.h"

#include <stdlib.h>

#include "packets/encoder.h"

enum { CUTS_AT_FIRST = 16 };

static void kernel_lost(timeline *t, uint64_t ns, uint64_t lost)
{
    static const char hook[] = "sched", reason[] = "the kernel dropped context switches";
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .on = &t->tracer, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_TRACER, .name = SCHEMA_NOTE};
    event_text(&ev, SCHEMA_ARG_HOOK, hook, sizeof hook - 1);
    event_text(&ev, SCHEMA_ARG_REASON, reason, sizeof reason - 1);
    event_uint(&ev, SCHEMA_ARG_COUNT, lost);
    encoder_event(&t->out, &ev);
}

static void cut(thread_line *thread, uint64_t ns, enum kernel_state state)
{
    lane_line *lane = &thread->lane;
    if (!lane->base) { /* nothing to cut yet */
        lane->kernel = (uint8_t)state;
        return;
    }
    if (lane->cut_count == lane->cut_capacity) {
        uint32_t capacity = lane->cut_capacity ? lane->cut_capacity * 2 : CUTS_AT_FIRST;
        lane_cut *cuts = realloc(lane->cuts, capacity * sizeof *cuts);
        if (!cuts)
            return;
        lane->cuts = cuts;
        lane->cut_capacity = capacity;
    }
    lane->cuts[lane->cut_count++] = (lane_cut){ns, (uint8_t)state};
}

void timeline_kernel(timeline *t, uint32_t tid, uint64_t ns, enum kernel_state state, uint64_t lost)
{
    thread_line *thread = timeline_thread_of(t, tid);
    if (thread && state != KERNEL_EXIT)
        cut(thread, ns, state);
    if (state != KERNEL_LOST)
        return;
    for (uint32_t i = 0; t->threads.slots && i <= t->threads.mask; i++)
        if (t->threads.slots[i].key)
            cut((thread_line *)(uintptr_t)t->threads.slots[i].value, ns, KERNEL_UNKNOWN);
    kernel_lost(t, ns, lost);
}
