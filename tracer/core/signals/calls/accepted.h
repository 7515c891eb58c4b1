/* Connections that stood in the queue of a listening socket: see accepted.c. */
#ifndef TRACER_ACCEPTED_H
#define TRACER_ACCEPTED_H

#include "ring/ring.h"

/* The kernel counts in its own ticks, of up to 10 ms; shorter waits are nobody's. */
enum { ACCEPTED_LATE_MS = 20 };

/* `listener` was asked for a connection; `made` is that, or negative. Keeps errno. A system call where the connection may
 * have waited for ACCEPTED_LATE_MS, two where it has. */
void accepted_look(thread_buffer *b, int listener, int made);

/* A loop's poll has ended. Where all connections that the one before told of have been accepted, others have come since. */
static inline void accepted_polled(thread_buffer *b, uint64_t tick)
{
    if (b->accepts.is_drained && b->accepts.polled_tick > b->accepts.empty_tick)
        b->accepts.empty_tick = b->accepts.polled_tick;
    b->accepts.polled_tick = tick;
}

#endif
