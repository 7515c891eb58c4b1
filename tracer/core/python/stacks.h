/* Call stacks as small integers: captured where no Python may run, named later (see ring/stack_names.h).
 *
 * A capture copies code addresses and offsets of the calling thread's frames into a table: no allocation,
 * no reference, no call into Python, so the GIL's own hooks may do it. Names are found by
 * stacks_resolve(), where Python may run, or by the code watcher before a code object dies. */
#ifndef TRACER_STACKS_H
#define TRACER_STACKS_H

#include "python/compat.h"
#include "ring/hot.h"

#include <stdatomic.h>
#include <stdint.h>

typedef struct {
    PyCodeObject *code; /* NULL: there are more callers */
    int offset; /* of the instruction, in bytes; -1 = unknown */
} stack_frame;

enum { STACK_DEPTH_MOST = 64, STACK_ENDS_MOST = 8 };

/* Codes in whose callers a stack has no part. */
typedef struct {
    uint64_t bits; /* one for each: hardly any other code has one of these */
    const void *codes[STACK_ENDS_MOST + 1]; /* NULL ends them */
} stack_ends;

static inline unsigned stack_end_place(const void *code)
{
    return (uintptr_t)code >> 6 & 63;
}

/* Attached, or inside the GIL's hooks while the thread has the GIL. 0: unknown. */
uint32_t stacks_capture(PyThreadState *tstate);
/* Without the innermost frame that runs one of `ends`, or is `frame`, and its callers. Where it is `frame`, `called` becomes
 * the function that this has called, borrowed, else NULL: it is not known. */
uint32_t stacks_capture_within(PyThreadState *tstate, const stack_ends *ends, const void *frame, PyCodeObject **called);
/* Adds frames that the caller has walked, innermost first; at most STACK_DEPTH_MOST + 1. */
uint32_t stacks_put(const stack_frame *frames, int depth);

/* Whether there is something to resolve; cheap. */
extern OURS _Atomic int stacks_pending;
void stacks_resolve(void); /* attached */
uint32_t stacks_end(void); /* the number that the next new stack will have */
/* Attached. Resolves a few of those before `end`; returns whether some are left. */
int stacks_resolve_some(uint32_t end);
void stacks_ask(void); /* any thread: one of Python's shall resolve it soon */

/* For hooks that may allocate: names the stack at once, so that the writer has it. */
static inline uint32_t stacks_named(uint32_t stack)
{
    if (atomic_load_explicit(&stacks_pending, memory_order_relaxed))
        stacks_resolve();
    return stack;
}

/* The stack of the calling thread, for such hooks. */
static inline uint32_t stacks_here(void)
{
    return stacks_named(stacks_capture(PyThreadState_Get()));
}

/* Called by the code watcher when a code object of the program is about to die. */
void stacks_code_dies(PyCodeObject *code);

extern PyMethodDef stacks_methods[];

#endif
