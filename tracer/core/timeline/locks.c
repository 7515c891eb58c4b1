/* Turns records into slices: waits for locks, holds and releases. */
#include "timeline/locks.h"

#include <string.h>

#include "ring/stack_names.h"
#include "timeline/lanes.h"
#include "timeline/waits.h"

HANDLER(lock_wait_begins)
{
    int late = r->flag & LOCK_TOLD_LATE, is_signal = r->flag & LOCK_IS_SIGNAL;
    if (!late)
        lane_flush(t, thread);
    lock_wait *wait = lock_wait_begin(t, thread, (uint32_t)r->b, ns);
    if (!wait)
        return;
    lock_line *lock = wait->of;
    lock_wait_details details;
    memcpy(&details, text, sizeof details);
    wait->what = r->a;
    wait->stack = details.stack;
    wait->token = details.token;
    wait->slots = details.slots;
    wait->owner = details.owner_tid;
    wait->owner_site = details.owner_site;
    wait->told_owner = (r->flag & LOCK_IS_HELD) != 0;
    wait->outer = thread->waits;
    thread->waits = wait;
    if (r->flag & LOCK_IS_END) {
        lock_wait_joins(t, wait, details.joined, 0);
        wait->owner = wait->joined ? wait->joined->tid : wait->owner;
    }
    if (!is_signal) {
        const stack_facts *stack = stack_names_of(details.stack);
        hold_tracks(t, lock, r->a, stack ? stack->site : 0);
        if (wait->owner && !(lock->held && lock->owner == wait->owner))
            hold_begin(t, lock, (lock_owner){wait->owner, 0, wait->owner_site, 1}, ns);
    }
    hold_count(t, lock, 1, ns);
}

HANDLER(lock_got)
{
    UNUSED(text);
    lock_wait *wait = thread->waits;
    while (wait && wait->of->id != r->b)
        wait = wait->outer;
    if (!wait)
        return; /* its begin is lost */
    while (thread->waits != wait)
        lock_wait_end(t, thread, ns);
    wait->outcome = r->flag;
    if (r->flag != LOCK_FREE)
        lane_flush(t, thread);
    lock_wait_end(t, thread, ns);
}

/* A piece of the wait ends here; the wait may continue for another thread. (A thread without a
 * threading.Thread reports its end only when it is gone.) */
HANDLER(joined)
{
    UNUSED(ns), UNUSED(text);
    lock_wait *wait = thread->waits;
    if (!wait || !wait->is_end || wait->outcome != LOCK_LASTS)
        return;
    lock_wait_joins(t, wait, r->b, 1);
    if (!wait->joined || !wait->joined->end_ns)
        return;
    wait->outcome = LOCK_ACQUIRED;
    lane_flush(t, thread);
    wait->outcome = LOCK_LASTS;
}

/* One thread at a time may hold the lock: earlier releases no longer count. But they still do for a thread
 * whose signal handler takes, in the middle of the thread's own wait, what another has released. */
static void releases_are_used(timeline *t, const thread_line *thread, lock_line *lock)
{
    for (const lock_wait *wait = thread->waits; wait; wait = wait->outer)
        if (wait->of == lock)
            return;
    lock_releases_write(t, lock);
}

HANDLER(lock_acquired)
{
    UNUSED(text);
    lock_line *lock = lock_line_of(t, r->b);
    if (!lock || !lock->kind)
        return;
    uint32_t task = r->flag ? (uint32_t)r->c : 0;
    for (lock_wait *wait = lock->first; wait; wait = wait->next) {
        int is_own = task ? wait->task == task : wait->tid == thread->tid;
        if (!wait->told_owner && !wait->owner && !wait->owner_task && wait->outcome == LOCK_LASTS && !is_own) {
            wait->owner = task ? 0 : thread->tid;
            wait->owner_task = task;
            wait->owner_site = r->a;
        }
    }
    releases_are_used(t, thread, lock);
    hold_begin(t, lock, (lock_owner){thread->tid, task, r->a, 0}, ns);
}

HANDLER(lock_released)
{
    UNUSED(text);
    lock_line *lock = lock_line_of(t, r->b);
    if (!lock)
        return;
    if (lock->kind) {
        lock->release_stack = r->a;
        hold_end(t, lock, ns);
        releases_are_used(t, thread, lock);
    }
    if (lock->waiters && !r->flag) /* a task's release shows in the task that it woke */
        lock_release_keep(t, lock, (lock_release){ns, thread, (uint32_t)r->c});
}

HANDLER(lock_freed)
{
    UNUSED(thread), UNUSED(text);
    lock_line *lock = lock_line_of(t, r->b);
    if (!lock)
        return;
    hold_end(t, lock, ns);
    lock_line_forget(t, lock);
}

const record_handler timeline_lock_handlers[REC_KINDS] = {
    [REC_LOCK_WAIT] = lock_wait_begins,
    [REC_LOCK_GOT] = lock_got,
    [REC_LOCK_ACQUIRED] = lock_acquired,
    [REC_LOCK_RELEASED] = lock_released,
    [REC_LOCK_FREED] = lock_freed,
    [REC_JOINED] = joined,
};

void locks_lose(timeline *t, thread_line *thread, uint64_t ns)
{
    while (thread->waits)
        lock_wait_end(t, thread, ns);
    for (uint32_t i = 0; ns && t->locks.slots && i <= t->locks.mask; i++) {
        lock_line *lock = (lock_line *)(uintptr_t)t->locks.slots[i].value;
        if (t->locks.slots[i].key && lock->held && lock->owner == thread->tid)
            hold_end(t, lock, ns);
    }
}
