/* Blocking libc calls: named where no Python call names them, timed where they keep the GIL. */
#ifndef TRACER_LIBC_H
#define TRACER_LIBC_H

#include "signals/gil/got.h"
#include "ring/ring.h"

enum { LIBC_HOOKS = 48 };

/* Fills `hooks` (room for LIBC_HOOKS) and interns the names; attached. Returns how many. */
int libc_hooks(got_hook *hooks);

/* A wait inside one of gil.c's hooks of libc functions, for a thread that has released the GIL. */
enum libc_wait { LIBC_COND_WAIT, LIBC_COND_TIMEDWAIT };
void libc_waits(enum libc_wait which);

/* As the hook of that function, where it is known when the thread has come to it. Returns whether nothing else is known of
 * this release of the GIL, so that it may have noted that. */
enum libc_call { LIBC_READ, LIBC_EPOLL_PWAIT };
int libc_calls_since(thread_buffer *b, enum libc_call which, int fd, uint64_t tick);

/* Ends the libc call at `tick`: libc_longest then is the longest call of the release so far. */
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
