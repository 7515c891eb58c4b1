/* How long queues are: looked at ten times a second while somebody waits for anything. */
#ifndef TRACER_QUEUES_H
#define TRACER_QUEUES_H

#include <stdint.h>

#include "python/compat.h"
#include "ring/ring.h"

extern OURS uint64_t queues_due; /* the tick from which on they are looked at again */

/* Somebody waits for `object`, which may be a queue: `id` is the number of that wait's lock, `what` its name, and
 * `site` its line (strings). From then on its length is recorded, as long as it lives. Attached. */
void queues_know(PyObject *object, uint32_t id, uint32_t what, uint32_t site);
/* The running code takes an item from its `self`, a queue: the same. Nobody need look when no calls are left. */
void queues_on_take(thread_buffer *b, uint64_t tick, PyObject *value);
extern OURS int queues_calls_left;
void queues_write(thread_buffer *b); /* attached; runs no Python code */
void queues_forget(void);

/* `now` is a tick of a moment ago. Attached. */
static inline void queues_look(thread_buffer *b, uint64_t now)
{
    if (__builtin_expect(now >= queues_due, 0))
        queues_write(b);
}

#endif
