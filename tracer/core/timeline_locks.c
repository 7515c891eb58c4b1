/* Records to slices: who waited for a lock, who had it, who gave it back. */
#include "stacks.h"
#include "timeline_private.h"

void locks_begin_wait(timeline *t, thread_line *thread, event *ev, const stack_facts *stack)
{
    UNUSED(t), UNUSED(thread);
    if (stack && stack->wait)
        ev->name_id = stack->wait;
}

void locks_end_wait(timeline *t, thread_line *thread, event *ev)
{
    UNUSED(t), UNUSED(thread), UNUSED(ev);
}

uint64_t locks_flow(timeline *t, thread_line *thread)
{
    UNUSED(t), UNUSED(thread);
    return 0;
}

const record_handler timeline_lock_handlers[REC_KINDS] = {0};
