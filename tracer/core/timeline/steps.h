/* What runs on a thread: a task's step, a callback or a poll, each a slice on its loop's track. */
#ifndef TRACER_TIMELINE_STEPS_H
#define TRACER_TIMELINE_STEPS_H

#include "packets/slices.h"
#include "ring/hot.h"
#include "timeline/model.h"

void end_poll(timeline *t, loop_line *loop, uint64_t ns);
/* Its slice, for the first time: others will be of the same shape. */
void step_show_first(timeline *t, loop_line *loop, uint64_t ns, running_step *s, int by_timer, shape *as);

/* Its slice. `task`: its own, written out so that the compiler makes a way of its own for callbacks. */
static WITHIN void step_show(timeline *t, loop_line *loop, uint64_t ns, running_step *s, uint32_t task)
{
    if (loop->polling)
        end_poll(t, loop, ns);
    loop->handled++;
    ++*(task ? &loop->steps : &loop->callbacks);
    s->since_ns = ns;
    int by_timer = s->because.kind == CAUSE_TIMER && !s->flow_in; /* else what a timer's callback has scheduled */
    shape *as = encoder_shape(&t->out, task ? SHAPE_TASK : SHAPE_CALLBACK, 0, s->func, (uint32_t)by_timer, 0);
    s->loop = loop;
    if (encoder_knows(&t->out, as))
        encoder_shaped(&t->out, task ? SHAPE_TASK : SHAPE_CALLBACK, as, task, &loop->running, ns, s->flow_in, &s->on_loop);
    else
        step_show_first(t, loop, ns, s, by_timer, as);
}

/* Its fields one by one: the processor waits where it reads several at once that were written singly. */
static WITHIN running_step *step_push(thread_line *thread, uint32_t task, uint32_t func, const cause *because, uint64_t flow_in)
{
    if (thread->depth++ >= RUNNING_DEPTH)
        return NULL;
    running_step *s = &thread->steps[thread->depth - 1];
    s->task = task;
    s->func = func;
    s->because.kind = because->kind;
    s->because.id = because->id;
    s->because.due_ns = because->due_ns;
    s->flow_in = flow_in;
    s->loop = NULL;
    return s;
}

/* It begins; `task` 0: a callback. */
static WITHIN void step_begins(timeline *t, thread_line *thread, loop_line *loop, uint64_t ns, uint32_t task, uint32_t func,
                               const cause *because, uint64_t flow_in)
{
    running_step *s = step_push(thread, task, func, because, flow_in);
    if (s && loop)
        step_show(t, loop, ns, s, task);
    else if (s)
        s->on_loop.position = 0; /* the one before had it */
}

void pop_step(timeline *t, thread_line *thread, uint64_t ns);

/* Where that is not the innermost of all. */
void step_leave_outer(timeline *t, thread_line *thread, uint32_t task, uint64_t ns);

/* Ends the innermost step of `task` (0: callback) and whatever is left open inside it. */
static WITHIN void leave_step(timeline *t, thread_line *thread, uint32_t task, uint64_t ns)
{
    uint32_t last = thread->depth - 1;
    if (last >= RUNNING_DEPTH || thread->steps[last].task != task) {
        step_leave_outer(t, thread, task, ns);
        return;
    }
    thread->depth = last;
    loop_line *loop = thread->steps[last].loop;
    if (loop)
        encoder_end(&t->out, &loop->running, ns);
}

/* Who wakes, where that step runs. */
static inline cause cause_of(const thread_line *thread, const running_step *waker)
{
    if (!waker && thread->loop && thread->loop->id >> LOOP_KIND_SHIFT == LOOP_GREENLETS)
        return (cause){CAUSE_IO, 0, 0}; /* of greenlets that is the hub, in code of its own */
    if (!waker)
        return (cause){CAUSE_THREAD, thread->tid, 0};
    return waker->task ? (cause){CAUSE_TASK, waker->task, 0} : waker->because;
}

/* The begin of the slice of what runs; NULL: none. */
packet_ref *step_slice(const timeline *t, running_step *by);
/* A new flow from what runs on the thread: from the slice of its step `by`, or, if it runs none or that
 * slice is written already, from an instant of this name on the thread or inside the step. 0: no memory. */
uint64_t flow_from(timeline *t, thread_line *thread, uint64_t ns, running_step *by, uint8_t name);

#endif
