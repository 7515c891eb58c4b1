/* Known blocking C functions: trampolines in front of them show what a thread is blocked in.
 *
 * A trampoline replaces `ml_meth` of a PyMethodDef, which CPython reads at every call. It sets the name of
 * the call in the thread's buffer; the GIL's hooks write it when the thread comes back late. Nothing is
 * written for a short call during which no other thread took the GIL. */
#ifndef TRACER_CALLS_H
#define TRACER_CALLS_H

#include "python/compat.h"
#include "python/stacks.h"
#include "ring/ring.h"
#include "signals/gil/attached.h"

/* What a thread was in before it entered a blocking call, to be restored on leaving it. */
typedef struct {
    thread_buffer *buffer; /* NULL: not recorded */
    uint64_t start_tick; /* only where the GIL is not watched */
    uint8_t is_part;     /* the call around it is recorded, not this one */
    uint64_t switches;
    uint32_t generation;
    uint32_t serial;
    const void *outer_frame;
    uint32_t outer_call;
    uint8_t outer_class;
} call_frame;

static inline thread_buffer *calls_buffer(void)
{
    thread_buffer *b = ring_current();
    /* Without the watched GIL (in an interpreter that has its own), the tables are not ours to use. */
    return b && b->has_gil ? b : NULL;
}

/* `frame`: the calling Python frame, or NULL. A call made by the same frame from inside another call
 * keeps the outer one's name: it is what the programmer wrote. */
static inline call_frame calls_enter(thread_buffer *b, uint32_t call, uint8_t blocks, const void *frame)
{
    call_frame f = {.buffer = b};
    if (!b)
        return f;
    if (__builtin_expect(atomic_load_explicit(&stacks_pending, memory_order_relaxed), 0))
        stacks_resolve(); /* now: the call may last longer than the writer waits for names */
    f.generation = b->generation;
    f.switches = b->switches;
    f.outer_call = b->call;
    f.outer_class = b->call_blocks;
    f.outer_frame = b->call_frame;
    if (!b->call || !frame || b->call_frame != frame) {
        b->call_blocks = blocks;
        b->call_frame = frame;
        b->call_serial++;
        b->call = call;
    } else {
        f.is_part = 1;
    }
    f.serial = b->call_serial;
    if (gil_mode != GIL_WATCHED) {
        f.is_part |= f.outer_call == b->call && f.outer_frame == frame;
        f.start_tick = clock_tick();
        if (gil_mode == GIL_ABSENT && !f.outer_call) {
            b->libc_longest_fd = -1;
            attached_leave(b, f.start_tick);
        }
    }
    return f;
}

/* Whether the recording is still the one the call was entered in. (A new buffer may have the old
 * one's address, but not its generation.) */
static inline int calls_same_recording(const call_frame *f)
{
    return f->buffer && f->buffer == ring_mine &&
           f->generation == atomic_load_explicit(&ring_generation, memory_order_relaxed);
}

/* Where the GIL is not watched: the buffer if calls_write_unwatched() is to record the call, else NULL. */
thread_buffer *calls_leave_unwatched(const call_frame *f);

/* The buffer if the call has blocked noticeably, else NULL. Safe when the recording has ended or another
 * has begun meanwhile. */
static inline thread_buffer *calls_leave(call_frame *f)
{
    thread_buffer *b = f->buffer;
    if (!calls_same_recording(f))
        return NULL;
    b->call = f->outer_call;
    b->call_blocks = f->outer_class;
    b->call_frame = f->outer_frame;
    if (__builtin_expect(gil_mode == GIL_WATCHED, 1))
        return b->switches != f->switches ? b : NULL;
    return calls_leave_unwatched(f);
}

enum { CALLS_CONVENTIONS = 5 };
/* Which calling convention `ml_flags` stand for: two arguments, three, fast, fast with keywords, fast
 * with keywords and the defining class; -1: none of these. */
int calls_convention(int flags);

/* Where the GIL is not watched: writes the wait that has just ended. */
void calls_write_unwatched(thread_buffer *b, const call_frame *f, uint32_t call, uint8_t blocks);

extern PyMethodDef calls_methods[];

#endif
