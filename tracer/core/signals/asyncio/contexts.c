/* What libuv's loop calls back without call_soon(). */
#include "signals/asyncio/contexts.h"

#include <string.h>

#include "python/codes.h"
#include "ring/hot.h"
#include "ring/intern.h"
#include "sampler/sampler.h"
#include "signals/asyncio/old_timers.h"
#include "signals/asyncio/running.h"

static HOT context_entry *innermost(thread_buffer *b)
{
    return b->contexts && b->contexts <= CONTEXT_DEPTH ? &b->entered[b->contexts - 1] : NULL;
}

/* The Python function that was called last in the context, and has returned; NULL: not known. It was alive then. */
static PyCodeObject *called_last(const context_entry *entry)
{
    PyObject *code = entry->callee && entry->deaths == codes_deaths ? *(PyObject **)entry->callee : NULL;
    return code && PyCode_Check(code) && !compat_is_shim((PyCodeObject *)code) ? (PyCodeObject *)code : NULL;
}

/* The outermost Python function that the loop has called, borrowed; NULL: none, or it is not known which. */
static HOT PyCodeObject *called_by_loop(const thread_buffer *b, PyThreadState *tstate)
{
    PyCodeObject *outermost = NULL;
    compat_frame *at = b->loop_caller ? *compat_frame_slot(tstate) : NULL;
    for (; at && at != b->loop_caller; at = at->previous) {
        PyCodeObject *code = compat_frame_code(at);
        outermost = code ? code : outermost;
    }
    return at ? outermost : NULL;
}

void contexts_see(thread_buffer *b, PyThreadState *tstate)
{
    context_entry *entry = innermost(b);
    if (entry && entry->tick && !entry->code)
        entry->code = Py_XNewRef(called_by_loop(b, tstate));
}

/* `otherwise`: its name where no Python function is known. */
static HOT void show(thread_buffer *b, context_entry *entry, PyCodeObject *code, const char *otherwise)
{
    uint32_t func = code ? codes_func(code)
                         : intern_function(intern_string(otherwise, strlen(otherwise)), intern_string("?:0", 3));
    uint64_t since = entry->tick;
    entry->tick = 0;
    entry->is_shown = 1;
    running_push(b, (step){0});
    ring_emit(b, since, REC_CB_BEGIN, old_timers_may_call(b) ? CALLED_BY_NOBODY : CALLED, func, (uint64_t)(uintptr_t)entry, 0);
}

HOT void contexts_show(thread_buffer *b, PyCodeObject *called)
{
    show(b, innermost(b), called ? called : called_by_loop(b, contexts_tstate(b)), "uvloop");
}

HOT void contexts_enter(thread_buffer *b)
{
    const context_entry *around = innermost(b);
    PyCodeObject *called = around && around->tick ? called_by_loop(b, contexts_tstate(b)) : NULL;
    if (called)
        contexts_show(b, called); /* a protocol's method has made uvloop call another one: that is part of it */
    if (around)
        b->entered[b->contexts - 1].tick = 0; /* what runs there has shown itself, or is uvloop's */
    b->contexts++;
    context_entry *entry = innermost(b);
    if (!entry)
        return;
    if (entry->code)
        Py_CLEAR(*(PyObject **)&entry->code);
    entry->tick = 0;
    entry->is_shown = 0;
    if (b->depth != b->poll_depth)
        return; /* a known one's call */
    entry->tick = clock_tick();
    entry->records = running_noticed(b, 0).records;
    PyObject **callee = COMPAT_FREE_THREADED ? NULL : compat_next_code(contexts_tstate(b));
    entry->callee = callee;
    entry->deaths = codes_deaths;
    if (callee)
        *callee = NULL;
}

/* The Python function that ran when the thread was last sampled in the context; NULL: not known. */
static COLD PyCodeObject *sampled_in(const thread_buffer *b, const context_entry *entry)
{
    uint32_t below = 0;
    for (const compat_frame *at = b->loop_caller; at; at = at->previous)
        below += compat_position_of(at).code != 0; /* as samples have them */
    const void *code = below ? sampler_last_code(b->tid, entry->tick, below) : NULL;
    return entry->deaths == codes_deaths ? (PyCodeObject *)code : NULL;
}

static PyCodeObject *ran_in(const thread_buffer *b, const context_entry *entry)
{
    PyCodeObject *code = entry->code ? entry->code : sampled_in(b, entry);
    return code ? code : called_last(entry);
}

HOT int contexts_leave(thread_buffer *b, uint64_t tick)
{
    context_entry *entry = innermost(b);
    if (b->contexts)
        b->contexts--;
    if (!entry)
        return 0;
    if (entry->tick && tick - entry->tick >= gil_threshold_ticks)
        show(b, entry, ran_in(b, entry), "unknown callback");
    Py_CLEAR(*(PyObject **)&entry->code);
    return entry->is_shown;
}
