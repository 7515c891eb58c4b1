/* Handles what threads hold in their buffers, and what that became, as the records that it stands for. */
#include "output/held.h"

#include "ring/hot.h"

static void handle_at(timeline *line, const tick_line *ticks, thread_buffer *b, const record *r)
{
    uint64_t ns = r->tick < ticks->from.tick ? ticks_convert_past(ticks, r->tick) : ticks_convert(ticks, r->tick);
    timeline_record(line, b->timeline, r, ns, NULL);
}

/* The first records of what is held, or was. */
typedef struct {
    record begin, ready; /* the latter of a callback */
} held_records;

static inline held_records records_of(const thread_buffer *b, uint64_t since, uint8_t kind, uint8_t called, uint32_t what,
                                      record ready)
{
    uint64_t handle = kind == REC_CB_BEGIN ? (uint64_t)(uintptr_t)b : 0; /* none */
    return (held_records){{since, kind, called, 0, what, handle, 0}, ready};
}

static inline held_records records_of_short(const thread_buffer *b, const record *r)
{
    int is_step = r->kind == REC_STEP_SHORT;
    record ready = {r->tick - (r->c >> 32), REC_READY, 0, 0, (uint32_t)(r->b >> 32), (uint32_t)r->b, 0};
    return records_of(b, r->tick - (uint32_t)r->c, is_step ? REC_STEP_BEGIN : REC_CB_BEGIN, is_step ? 0 : r->flag, r->a,
                      is_step ? (record){0} : ready);
}

HOT void held_handle(timeline *line, const tick_line *ticks, thread_buffer *b, const record *r)
{
    held_records first = records_of_short(b, r);
    record end = r->kind == REC_STEP_SHORT ? (record){r->tick, r->flag, 0, 0, r->a, r->b, r->c >> 32 << 32}
                                           : (record){r->tick, REC_CB_END, 0, 0, 0, 0, 0};
    int shown = b->shown;
    b->shown = 0;
    if (shown < 1)
        handle_at(line, ticks, b, &first.begin);
    if (shown < 2 && first.ready.kind)
        handle_at(line, ticks, b, &first.ready);
    handle_at(line, ticks, b, &end);
}

const record *held_pass(thread_buffer *b, const record *r)
{
    if (r->kind == REC_STEP_SHORT || r->kind == REC_CB_SHORT)
        return r;
    uint8_t shown = b->shown;
    b->shown = 0;
    return r + shown;
}

static void show(timeline *line, const tick_line *ticks, thread_buffer *b, const held_records *first, uint64_t horizon)
{
    if (!b->shown && first->begin.tick <= horizon) {
        handle_at(line, ticks, b, &first->begin);
        b->shown = 1;
    }
    if (b->shown == 1 && first->ready.kind && first->ready.tick <= horizon) {
        handle_at(line, ticks, b, &first->ready);
        b->shown = 2;
    }
}

void held_show(timeline *line, const tick_line *ticks, thread_buffer *b, int last)
{
    const held_entry *held = &b->held;
    uint64_t horizon = last ? UINT64_MAX : ticks->to.tick;
    uint64_t tick = atomic_load_explicit(&held->tick, memory_order_acquire);
    const record *next = ring_peek(b);
    held_records first;
    if (next) {
        if (next->kind != REC_STEP_SHORT && next->kind != REC_CB_SHORT)
            return;
        first = records_of_short(b, next);
    } else {
        uint32_t woken = atomic_load_explicit(&held->woken, memory_order_acquire);
        first = records_of(b, tick, held->kind, held->called, held->what,
                           (record){held->woken_tick, woken ? REC_READY : 0, 0, 0, woken, held->stack, 0});
        atomic_thread_fence(memory_order_acquire);
        if (!tick || atomic_load_explicit(&held->tick, memory_order_relaxed) != tick)
            return; /* there is nothing, or it has just changed */
    }
    show(line, ticks, b, &first, horizon);
}
