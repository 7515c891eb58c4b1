/* Loops, what runs on them, and who scheduled a callback. */
#ifndef TRACER_TIMELINE_LOOPS_H
#define TRACER_TIMELINE_LOOPS_H

#include "timeline/model.h"

extern const record_handler timeline_loop_handlers[REC_KINDS];
/* Not the one that the thread runs, or not as far as is known. */
loop_line *timeline_other_loop(timeline *t, thread_line *thread, uint32_t id);
/* The loop, or for id 0 that of the thread. A new one is called after the thread; NULL: the first that it is seen on. */
static inline loop_line *timeline_loop(timeline *t, thread_line *thread, uint32_t id)
{
    if (!id)
        return thread ? thread->loop : NULL;
    return thread && thread->loop && thread->loop->id == id ? thread->loop : timeline_other_loop(t, thread, id);
}
void loop_free(timeline *t, loop_line *loop);
/* Frees what is left from callbacks that have begun. */
void loops_forget_causes(timeline *t);
/* It will not run again: it goes, or will with the last of its tasks. A service may make one for each request. */
void loop_ends(timeline *t, loop_line *loop);
/* A step of a task begins. */
void push_step(timeline *t, thread_line *thread, loop_line *loop, uint64_t ns, uint32_t task, uint32_t func);
void pop_step(timeline *t, thread_line *thread, uint64_t ns);
/* Ends the innermost step of `task` (0: callback) and whatever is left open inside it. */
void leave_step(timeline *t, thread_line *thread, uint32_t task, uint64_t ns);
void end_poll(timeline *t, loop_line *loop, uint64_t ns);
/* Greenlets have a loop for as long as their thread lives. */
void loops_end_with_thread(timeline *t, thread_line *thread, uint64_t ns);
cause cause_of(const thread_line *thread, const running_step *waker);
/* Who made a task ready that its hub resumes at `ns`: changes that to when it was, and gives the arrow, or 0. */
cause resume_cause_of(timeline *t, thread_line *thread, const record *r, uint64_t *ns, uint64_t *flow);
/* A new flow from what runs on the thread: from the slice of its step `by`, or, if it runs none or that
 * slice is written already, from an instant of this name on the thread or inside the step. 0: no memory. */
uint64_t flow_from(timeline *t, thread_line *thread, uint64_t ns, running_step *by, uint8_t name);

#endif
