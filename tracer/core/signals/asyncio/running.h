/* What a thread is executing: its steps of tasks and callbacks, one inside the other. */
#ifndef TRACER_RUNNING_H
#define TRACER_RUNNING_H

#include "ring/ring.h"

/* When a hook has noticed the end of a step, and how much the thread had recorded by then. */
typedef struct {
    uint64_t tick, records;
} noticed;

static inline noticed running_noticed(const thread_buffer *b, uint64_t tick)
{
    return (noticed){tick, b->offered};
}

/* Signal handlers and properties of the program can run while a hook looks at a task. What they record is part
 * of the step, which ends after it. */
static inline uint64_t running_end(const thread_buffer *b, noticed end)
{
    return running_noticed(b, 0).records == end.records ? end.tick : clock_tick();
}

/* NULL: nothing, or deeper than is remembered. */
static inline step *running_top(thread_buffer *b)
{
    uint32_t at = b->depth - 1;
    if (at >= STEP_DEPTH)
        return NULL;
    step *top = &b->steps[at];
    NEVER_NULL(top);
    return top;
}

/* The task whose step runs, 0: none that is known. */
static inline uint32_t running_task(thread_buffer *b)
{
    const step *top = running_top(b);
    return top ? top->task : 0;
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
    ring_emit(b, tick, REC_CB_BEGIN, due_ns ? CALLED_BY_TIMER : CALLED, func, (uint64_t)(uintptr_t)handle, due_ns);
}

#endif
