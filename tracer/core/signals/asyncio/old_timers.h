/* uvloop's timers from before the recording: nothing shows when one of them calls back. */
#ifndef TRACER_OLD_TIMERS_H
#define TRACER_OLD_TIMERS_H

#include "python/compat.h"
#include "ring/ring.h"

extern OURS uint32_t old_timers_count;

/* The poll of an old run's loop has ended. */
void old_timers_polled(thread_buffer *b);
/* Whether what the loop calls back now may be one of them. */
int old_timers_are_due(const thread_buffer *b);
static inline int old_timers_may_call(const thread_buffer *b)
{
    return b->is_old_run && old_timers_count && old_timers_are_due(b);
}
void old_timers_forget(void);

extern PyMethodDef old_timers_methods[];

#endif
