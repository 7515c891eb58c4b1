/* Loops, their callbacks, and who scheduled these. */
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
/* It is seen on this thread, and got its name when a recording began elsewhere. */
void loop_place(loop_line *loop, const thread_line *thread);
static inline void loop_is_seen(loop_line *loop, const thread_line *thread)
{
    if (loop && loop->is_astray)
        loop_place(loop, thread);
}
/* Greenlets have a loop for as long as their thread lives. */
void loops_end_with_thread(timeline *t, thread_line *thread, uint64_t ns);
/* Who made a task ready that its hub resumes at `ns`: changes that to when it was, and gives the arrow, or 0. */
cause resume_cause_of(timeline *t, thread_line *thread, const record *r, uint64_t *ns, uint64_t *flow);

#endif
