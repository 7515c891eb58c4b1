/* Blocking libc calls: named where no Python call names them, timed where they keep the GIL. */
#ifndef TRACER_LIBC_H
#define TRACER_LIBC_H

#include "signals/gil/got.h"
#include "ring/ring.h"

enum { LIBC_HOOKS = 48 };

/* Fills `hooks` (room for LIBC_HOOKS) and interns the names; attached. Returns how many. */
int libc_hooks(got_hook *hooks);

/* A wait inside a libc function of ours in gil.c, for a thread that has released the GIL. */
enum libc_wait { LIBC_COND_WAIT, LIBC_COND_TIMEDWAIT };
void libc_waits(enum libc_wait which);

/* The libc call that the release ending at `tick` was mostly about is in libc_longest then. */
static inline void libc_close(thread_buffer *b, uint64_t tick)
{
    if (b->libc && tick - b->libc_tick >= b->libc_longest_ticks) {
        b->libc_longest = b->libc;
        b->libc_longest_fd = b->libc_fd;
        b->libc_longest_class = b->libc_class;
        b->libc_longest_ticks = tick - b->libc_tick;
    }
    b->libc = 0;
}

#endif
