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

/* From now on only libuv's and uvloop's code runs on the thread, until it enters a context or calls a Python function. That is
 * not so where the thread is inside such a function already: a signal handler, or one that hears of an object's death. */
static inline void contexts_quiet_since(thread_buffer *b, uint64_t tick)
{
    PyThreadState *tstate = (PyThreadState *)b->libuv_tstate;
    b->quiet_tick = 0;
    b->quiet_callee = NULL;
    if (*compat_frame_slot(tstate) != b->loop_caller)
        return;
    running_quiet_since(b, tick);
    PyObject **callee = COMPAT_FREE_THREADED ? NULL : compat_next_code(tstate);
    if (callee)
        *callee = NULL;
    b->quiet_callee = callee; /* valid as long as the frame lives that runs the loop */
}

/* The same, unless the thread is in a context. */
static inline void contexts_back_since(thread_buffer *b, uint64_t tick)
{
    if (b->contexts)
        b->quiet_tick = 0;
    else
        contexts_quiet_since(b, tick);
}

/* As running_is_quiet_since(), in libuv's loop: as far as is known, it has called no Python function. */
static inline uint64_t contexts_is_quiet_since(const thread_buffer *b)
{
    return b->quiet_callee && *(PyObject **)b->quiet_callee ? 0 : running_is_quiet_since(b);
}

/* The same where the thread is about to release the GIL, which it may do anywhere. */
static inline uint64_t contexts_drops_since(const thread_buffer *b)
{
    return b->in_libuv && b->quiet_callee ? contexts_is_quiet_since(b) : 0;
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
    } else {
        tick = running_is_quiet_since(b);
        b->quiet_tick = 0;
    }
    return tick ? tick : clock_tick();
}

/* Whether it is not known what runs in the innermost context. */
static inline int contexts_unnamed(const thread_buffer *b)
{
    return b->contexts && b->contexts <= CONTEXT_DEPTH && b->entered[b->contexts - 1].tick;
}

/* What runs in the innermost context, and is not known, has woken somebody: it is a callback from now on. `called`: the
 * function that the loop has called there; NULL: it is looked for. Returns its function, and since when it runs, for the
 * caller to record. */
uint32_t contexts_show(thread_buffer *b, PyCodeObject *called, uint64_t *since);

/* The same, recorded. */
void contexts_name(thread_buffer *b, PyCodeObject *called);

#endif
