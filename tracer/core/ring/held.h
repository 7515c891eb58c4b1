/* Steps and callbacks during which nothing is recorded: each is one record, written as it ends.
 *
 * Until then it is held in its thread's buffer, where the writer looks for those that last. Whatever else the thread is about
 * to record writes it first, as the records that a longer one consists of: the chunk seems full meanwhile. */
#ifndef TRACER_HELD_H
#define TRACER_HELD_H

#include "ring/ring.h"

enum { HELD_RECORDS = 2 /* of one that is written before its end, at most */ };

/* Whether one may be held: then there is room for its records until it ends. */
static inline int held_has_room(const thread_buffer *b)
{
    return b->write_at + HELD_RECORDS <= b->room;
}

/* `what`: a task, or a callback's function. */
static inline void held_begin(thread_buffer *b, uint64_t tick, uint8_t kind, uint8_t called, uint32_t what)
{
    b->writing = 1;
    b->room = 0;
    atomic_thread_fence(memory_order_release); /* whoever sees one of these sees that what was held before is no more */
    b->held.kind = kind;
    b->held.called = called;
    b->held.what = what;
    atomic_store_explicit(&b->held.woken, 0, memory_order_relaxed);
    atomic_store_explicit(&b->held.tick, tick, memory_order_release);
    __atomic_store_n(&b->writing, 0, __ATOMIC_RELEASE);
}

static inline void held_begin_step(thread_buffer *b, uint64_t tick, uint32_t task)
{
    if (held_has_room(b))
        held_begin(b, tick, REC_STEP_BEGIN, 0, task);
    else
        ring_emit(b, tick, REC_STEP_BEGIN, 0, task, 0, 0);
}

/* It has no handle, and its loop is the thread's. */
static inline void held_begin_callback(thread_buffer *b, uint64_t tick, uint8_t called, uint32_t func)
{
    if (held_has_room(b))
        held_begin(b, tick, REC_CB_BEGIN, called, func);
    else
        ring_emit(b, tick, REC_CB_BEGIN, called, func, (uint64_t)(uintptr_t)b, 0);
}

static inline int held_is(const thread_buffer *b, uint8_t kind)
{
    return atomic_load_explicit(&b->held.tick, memory_order_relaxed) && b->held.kind == kind;
}

/* A REC_READY. The first that a callback makes is held with it. */
static inline void held_ready(thread_buffer *b, uint64_t tick, uint8_t flag, uint32_t task, uint32_t stack)
{
    if (flag || !held_is(b, REC_CB_BEGIN) || atomic_load_explicit(&b->held.woken, memory_order_relaxed)) {
        ring_emit(b, tick, REC_READY, flag, task, stack, 0);
        return;
    }
    b->held.stack = stack;
    b->held.woken_tick = tick;
    atomic_store_explicit(&b->held.woken, task, memory_order_release);
}

/* Whether what is held ends as one record. */
static inline int held_ends(const thread_buffer *b, uint64_t tick, uint8_t kind, uint32_t what)
{
    return held_is(b, kind) && b->held.what == what &&
           tick - atomic_load_explicit(&b->held.tick, memory_order_relaxed) <= ring_short_ticks;
}

/* It does: `a`, `b` and `c` as in the record, but for how long it lasted. */
static inline void held_end(thread_buffer *buffer, uint64_t tick, uint8_t kind, uint8_t flag, uint32_t a, uint64_t b, uint64_t c)
{
    buffer->writing = 1;
    chunk *written = buffer->write_chunk;
    uint32_t at = buffer->write_at;
    uint64_t since = atomic_load_explicit(&buffer->held.tick, memory_order_relaxed);
    NEVER_NULL(written);
    written->records[at] = (record){tick, kind, flag, 0, a, b, c << 32 | (uint32_t)(tick - since)};
    buffer->room = CHUNK_RECORDS;
    ring_commit_to(buffer, written, at + 1, 1);
    atomic_store_explicit(&buffer->held.tick, 0, memory_order_release);
}

/* The end of a step: a REC_STEP_YIELD, or a REC_STEP_AWAIT that awaits no task and no lock. */
static inline void held_end_step(thread_buffer *b, uint64_t tick, uint8_t kind, uint32_t task, uint64_t what_and_site,
                                 uint32_t stack)
{
    if (held_ends(b, tick, REC_STEP_BEGIN, task))
        held_end(b, tick, REC_STEP_SHORT, kind, task, what_and_site, stack);
    else
        ring_emit(b, tick, kind, 0, task, what_and_site, (uint64_t)stack << 32);
}

static inline void held_end_callback(thread_buffer *b, uint64_t tick)
{
    uint32_t woken = atomic_load_explicit(&b->held.woken, memory_order_relaxed);
    if (held_ends(b, tick, REC_CB_BEGIN, b->held.what) && woken)
        held_end(b, tick, REC_CB_SHORT, b->held.called, b->held.what, (uint64_t)woken << 32 | b->held.stack,
                 tick - b->held.woken_tick);
    else
        ring_emit(b, tick, REC_CB_END, 0, 0, 0, 0);
}

#endif
