/* What libuv's loop calls back without call_soon(): protocols, and its own code.
 *
 * uvloop enters a contextvars context around every callback. What began in it is mostly known: a step, or a callback
 * that the program has scheduled. What is not known is shown as a callback if it wakes somebody or lasts. */
#ifndef TRACER_CONTEXTS_H
#define TRACER_CONTEXTS_H

#include "python/compat.h"
#include "ring/ring.h"
#include "signals/asyncio/running.h"

/* The thread's state in the interpreter. While libuv runs its loop, that is always the same. */
static inline PyThreadState *contexts_tstate(const thread_buffer *b)
{
    return b->in_libuv ? (PyThreadState *)b->libuv_tstate : PyThreadState_Get();
}

void contexts_enter(thread_buffer *b);
int contexts_leave(thread_buffer *b, uint64_t tick); /* whether a callback that is shown ends with it */

/* Leaves the innermost context if what ran in it has shown itself, as most do: whether it has left it. */
static inline int contexts_leave_known(thread_buffer *b)
{
    const context_entry *entry = b->contexts && b->contexts <= CONTEXT_DEPTH ? &b->entered[b->contexts - 1] : NULL;
    if (!entry || entry->tick || entry->code || entry->is_shown)
        return 0;
    b->contexts--;
    return 1;
}

/* The thread has come back from a call that took its time: remembers which callback made it. Runs no Python code. */
void contexts_see(thread_buffer *b, PyThreadState *tstate);

/* What runs in the innermost context shows itself. Returns when it began: as the context was entered for it, or now; the
 * context's time counts if nothing was recorded since. */
static inline uint64_t contexts_known(thread_buffer *b)
{
    uint64_t tick = 0;
    if (b->contexts && b->contexts <= CONTEXT_DEPTH) {
        context_entry *entry = &b->entered[b->contexts - 1];
        if (entry->records == running_noticed(b, 0).records)
            tick = entry->tick;
        entry->tick = 0;
    }
    return tick ? tick : clock_tick();
}

/* What runs in the innermost context, unless it is known, has woken somebody: shows it as a callback. `called`: the
 * function that the loop has called there; NULL: it is looked for. */
void contexts_show(thread_buffer *b, PyCodeObject *called);

static inline void contexts_name(thread_buffer *b, PyCodeObject *called)
{
    if (b->contexts && b->contexts <= CONTEXT_DEPTH && b->entered[b->contexts - 1].tick)
        contexts_show(b, called);
}

#endif
