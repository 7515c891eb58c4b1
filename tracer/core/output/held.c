/* Handles what threads hold in their buffers, and what that became, as the records that it stands for. */
#include "output/held.h"

#include "ring/hot.h"

static inline uint64_t time_of(const tick_line *ticks, uint64_t tick)
{
    return tick < ticks->from.tick ? ticks_convert_past(ticks, tick) : ticks_convert(ticks, tick);
}

static inline void handle_at(timeline *line, const tick_line *ticks, thread_buffer *b, const record *r)
{
    timeline_record(line, b->timeline, r, time_of(ticks, r->tick), NULL);
}

/* Of a REC_CB_SHORT. */
static inline record ready_of(const record *r)
{
    return ring_held_woken(r->tick - (r->c >> 32), (uint32_t)(r->b >> 32), (uint32_t)r->b);
}

/* Each record is made where it is handled: the processor waits where it copies what was just written in parts. */
HOT void held_handle(timeline *line, const tick_line *ticks, thread_buffer *b, const record *r, uint64_t ns)
{
    uint64_t since = r->tick - (uint32_t)r->c;
    int shown = b->shown;
    b->shown = 0;
    if (r->kind == REC_STEP_SHORT) {
        record begin = ring_held_begun(b, since, REC_STEP_BEGIN, 0, r->a);
        record end = {r->tick, r->flag, 0, 0, r->a, r->b, r->c >> 32 << 32};
        if (!shown)
            handle_at(line, ticks, b, &begin);
        timeline_record(line, b->timeline, &end, ns, NULL);
        return;
    }
    record begin = ring_held_begun(b, since, REC_CB_BEGIN, r->flag, r->a);
    record ready = ready_of(r);
    record end = {r->tick, REC_CB_END, 0, 0, 0, 0, 0};
    if (!shown)
        handle_at(line, ticks, b, &begin);
    if (shown < 2)
        handle_at(line, ticks, b, &ready);
    timeline_record(line, b->timeline, &end, ns, NULL);
}

const record *held_pass(thread_buffer *b, const record *r)
{
    if (r->kind == REC_STEP_SHORT || r->kind == REC_CB_SHORT)
        return r;
    uint8_t shown = b->shown;
    b->shown = 0;
    return r + shown;
}

/* The first records of what is held, or was. */
typedef struct {
    record begin, ready; /* the latter of a callback that has woken a task; else of no kind */
} held_records;

static held_records records_of_short(const thread_buffer *b, const record *r)
{
    uint64_t since = r->tick - (uint32_t)r->c;
    if (r->kind == REC_STEP_SHORT)
        return (held_records){.begin = ring_held_begun(b, since, REC_STEP_BEGIN, 0, r->a)};
    return (held_records){ring_held_begun(b, since, REC_CB_BEGIN, r->flag, r->a), ready_of(r)};
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
        first = (held_records){.begin = ring_held_begun(b, tick, held->kind, held->called, held->what)};
        if (woken)
            first.ready = ring_held_woken(held->woken_tick, woken, held->stack);
        atomic_thread_fence(memory_order_acquire);
        if (!tick || atomic_load_explicit(&held->tick, memory_order_relaxed) != tick)
            return; /* there is nothing, or it has just changed */
    }
    show(line, ticks, b, &first, horizon);
}
