/* What libuv's loop calls back without call_soon(). */
#include "signals/asyncio/contexts.h"

#include <string.h>

#include "python/codes.h"
#include "ring/hot.h"
#include "ring/intern.h"
#include "sampler/sampler.h"
#include "signals/asyncio/old_timers.h"
#include "signals/asyncio/running.h"

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
    context_entry *entry = contexts_innermost(b);
    if (entry && entry->tick && !entry->code)
        entry->code = Py_XNewRef(called_by_loop(b, tstate));
}

/* Where no Python function is known. */
static ALONE uint32_t function_named(const char *name)
{
    return intern_function(intern_string(name, strlen(name)), intern_string("?:0", 3));
}

/* `otherwise`: its name where no Python function is known. */
static inline void show(thread_buffer *b, context_entry *entry, PyCodeObject *code, const char *otherwise)
{
    uint32_t func = code ? codes_func(code) : function_named(otherwise);
    uint64_t since = entry->tick;
    entry->tick = 0;
    entry->is_shown = 1;
    running_push(b, (step){0});
    uint8_t called = old_timers_may_call(b) ? CALLED_BY_NOBODY : CALLED;
    held_begin_callback(b, since, called, func);
}

HOT void contexts_show(thread_buffer *b, PyCodeObject *called)
{
    show(b, contexts_innermost(b), called ? called : called_by_loop(b, contexts_tstate(b)), "uvloop");
}

void contexts_enter_unknown(thread_buffer *b)
{
    PyCodeObject *called = called_by_loop(b, contexts_tstate(b));
    if (called)
        contexts_show(b, called); /* a protocol's method has made uvloop call another one: that is part of it */
    contexts_innermost(b)->tick = 0; /* what runs there has shown itself, or is uvloop's */
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

int contexts_leave(thread_buffer *b, uint64_t tick)
{
    context_entry *entry = contexts_innermost(b);
    if (b->contexts)
        b->contexts--;
    if (!entry)
        return 0;
    if (entry->tick && tick - entry->tick >= gil_threshold_ticks)
        show(b, entry, ran_in(b, entry), "unknown callback");
    Py_CLEAR(*(PyObject **)&entry->code);
    return entry->is_shown;
}
