/* Trampolines around every step of a task, whatever loop runs it, and around the callbacks of asyncio's loops. */
#ifndef TRACER_STEPS_H
#define TRACER_STEPS_H

#include "python/compat.h"
#include "ring/ring.h"

/* What a hook that is entered while one recording runs must know when it is left, perhaps in another. */
typedef struct {
    thread_buffer *buffer; /* NULL: nothing was recorded */
    uint32_t generation;
} step_entry;

static inline step_entry steps_entry(thread_buffer *b)
{
    return (step_entry){b, b ? b->generation : 0};
}

/* The buffer if the recording still runs that ran at the entry; else NULL. */
static inline thread_buffer *steps_same_recording(step_entry entry)
{
    thread_buffer *b = entry.buffer && entry.buffer == ring_mine ? entry.buffer : NULL;
    return b && entry.generation == atomic_load_explicit(&ring_generation, memory_order_relaxed) ? b : NULL;
}

/* `run`: contextvars.Context.run, with which asyncio's handles call, and trio. Returns 0, or -1 with an exception. */
int steps_watch_run(PyObject *run);
int steps_watch(PyObject *run); /* the same, and the tasks of asyncio; after identity_setup() */
void steps_unwatch(void);

#endif
