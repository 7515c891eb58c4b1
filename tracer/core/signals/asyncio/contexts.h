/* What libuv's loop calls back without call_soon(): protocols, and its own code.
 *
 * uvloop enters a contextvars context around every callback. What began in it is mostly known: a step, or a callback
 * that the program has scheduled. What is not known is shown as a callback if it wakes somebody or lasts. */
#ifndef TRACER_CONTEXTS_H
#define TRACER_CONTEXTS_H

#include "python/codes.h"
#include "python/compat.h"
#include "ring/held.h"
#include "signals/asyncio/running.h"

/* The thread's state in the interpreter. While libuv runs its loop, that is always the same. */
static inline PyThreadState *contexts_tstate(const thread_buffer *b)
{
    return b->in_libuv ? (PyThreadState *)b->libuv_tstate : PyThreadState_Get();
}

/* The innermost context; NULL: none, or deeper than is remembered. */
static inline context_entry *contexts_innermost(thread_buffer *b)
{
    uint32_t at = b->contexts - 1;
    if (at >= CONTEXT_DEPTH)
        return NULL;
    context_entry *entry = &b->entered[at];
    NEVER_NULL(entry);
    return entry;
}

/* A context is about to be entered inside the innermost one, and what runs in that has not shown itself. */
void contexts_enter_unknown(thread_buffer *b);

/* The thread is `in_libuv`. */
static inline void contexts_enter(thread_buffer *b)
{
    const context_entry *around = contexts_innermost(b);
    if (around && around->tick)
        contexts_enter_unknown(b);
    uint64_t took = b->took_records == b->offered ? b->took_tick : 0;
    b->took_tick = b->left_tick = 0;
    b->contexts++;
    context_entry *entry = contexts_innermost(b);
    if (!entry)
        return;
    if (entry->code)
        Py_CLEAR(*(PyObject **)&entry->code);
    entry->tick = 0;
    entry->is_shown = 0;
    if (b->depth != b->poll_depth)
        return; /* a known one's call */
    entry->tick = took ? took : clock_tick(); /* uvloop has prepared the call meanwhile */
    entry->records = running_noticed(b, 0).records;
    PyObject **callee = COMPAT_FREE_THREADED ? NULL : compat_next_code((const PyThreadState *)b->libuv_tstate);
    entry->callee = callee;
    entry->deaths = codes_deaths;
    if (callee)
        *callee = NULL;
}

/* The thread has left the context of a callback that is shown; whatever Python function runs now will have changed that
 * place. */
static inline void contexts_note_left(thread_buffer *b, uint64_t tick, PyObject **callee)
{
    b->left_tick = 0;
    if (b->contexts || !callee)
        return;
    *callee = NULL;
    b->left_tick = tick;
    b->left_records = b->offered;
}

/* When the thread gives up the GIL: now; or, where it has done nothing since, as it left a context. */
static inline uint64_t contexts_left(thread_buffer *b)
{
    uint64_t left = b->left_tick;
    b->left_tick = 0;
    return left && b->left_records == b->offered && !*(PyObject **)b->entered[0].callee ? left : clock_counter();
}

/* Leaves the innermost context if what ran in it has shown itself, as most do, or was shown as a callback: that ends now.
 * Whether it has left it. */
static inline int contexts_leave_known(thread_buffer *b)
{
    const context_entry *entry = contexts_innermost(b);
    if (!entry || entry->tick || entry->code)
        return 0;
    if (entry->is_shown) {
        const step *top = running_top(b);
        if (!top || top->object || top->kind != STEP_COMMON || top->readied_itself)
            return 0;
        uint64_t tick = clock_tick();
        b->depth--;
        held_end_callback(b, tick);
        b->contexts--;
        contexts_note_left(b, tick, entry->callee);
        return 1;
    }
    b->contexts--;
    return 1;
}

int contexts_leave(thread_buffer *b, uint64_t tick); /* whatever ran in it; whether a callback that is shown ends */

/* The thread has come back from a call that took its time: remembers which callback made it. Runs no Python code. */
void contexts_see(thread_buffer *b, PyThreadState *tstate);

/* What runs in the innermost context shows itself. Returns when it began: as the context was entered for it, or now; the
 * context's time counts if nothing was recorded since. */
static inline uint64_t contexts_known(thread_buffer *b)
{
    uint64_t tick = 0;
    context_entry *entry = contexts_innermost(b);
    if (entry) {
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
    const context_entry *entry = contexts_innermost(b);
    if (entry && entry->tick)
        contexts_show(b, called);
}

#endif
