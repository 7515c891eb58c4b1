/* What a suspended task waits for. Attached; runs none of the program's Python code. */
#ifndef TRACER_AWAIT_H
#define TRACER_AWAIT_H

#include "python/codes.h"
#include "ring/held.h"

typedef struct {
    uint32_t what, site; /* strings */
    uint32_t stack;      /* see stacks.h: the coroutines that await each other */
    uint32_t awaited;    /* task, 0 = none */
    uint32_t kind;       /* string: see codes.h */
    uint8_t primitive;   /* enum await_primitive of … */
    PyObject *lock;      /* … this; new reference, or NULL */
    uint32_t slots;      /* how many may use it at once; 0: unknown */
    PyObject *stand_in;  /* what has the task's slot in a pool; borrowed from its frames, or NULL */
    uint32_t holder_count; /* of those that use it, 0: no task of these is known … */
    await_holders holders; /* … the first that are known */
} await_facts;

extern OURS int await_names_locks; /* `lock` is wanted */

/* The next link of a chain of awaits, as a new reference; NULL at its end. Runs no Python code. */
PyObject *await_next(PyObject *at);
/* What the chain of awaits below `coro` ends in. `waiter`: the future, or NULL; then `what` may stay 0. */
void await_describe(PyObject *coro, PyObject *waiter, await_facts *facts);
/* The step of a task ends and it waits, for no lock … */
static inline void await_emit_plain(thread_buffer *b, uint64_t tick, uint32_t task, const await_facts *facts)
{
    uint64_t what_and_site = (uint64_t)facts->what << 32 | facts->site;
    if (facts->awaited)
        ring_emit(b, tick, REC_STEP_AWAIT, 0, task, what_and_site, (uint64_t)facts->stack << 32 | facts->awaited);
    else
        held_end_step(b, tick, REC_STEP_AWAIT, task, what_and_site, facts->stack);
}
/* … or for `lock`; NULL: for none. */
void await_emit(thread_buffer *b, uint64_t tick, uint32_t task, const await_facts *facts, const await_lock *lock);
int await_setup(PyObject *facts); /* from signals/loops/asyncio.py */

#endif
