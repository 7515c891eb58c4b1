/* What a thread is executing: its steps of tasks and callbacks, one inside the other. */
#ifndef TRACER_RUNNING_H
#define TRACER_RUNNING_H

#include "ring/ring.h"

/* NULL: nothing, or deeper than is remembered. */
static inline step *running_top(thread_buffer *b)
{
    return b->depth && b->depth <= STEP_DEPTH ? &b->steps[b->depth - 1] : NULL;
}

static inline void running_push(thread_buffer *b, step pushed)
{
    if (b->depth++ < STEP_DEPTH)
        b->steps[b->depth - 1] = pushed;
}

/* Whether it is `task` that runs, and its step, whose end says so, has scheduled the next. */
static inline int running_readies_itself(thread_buffer *b, const void *task)
{
    step *top = running_top(b);
    if (!top || top->object != task)
        return 0;
    top->readied_itself = 1;
    return 1;
}

/* A callback begins; `due_ns`: when its timer was due, 0: it is none. */
static inline void running_callback(thread_buffer *b, uint64_t tick, uint32_t func, const void *handle, uint64_t due_ns)
{
    running_push(b, (step){0});
    ring_emit(b, tick, REC_CB_BEGIN, due_ns != 0, func, (uint64_t)(uintptr_t)handle, due_ns);
}

#endif
