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

/* As the hook of read(), where that follows the thread's release of the GIL at once: it lasts from there on. Returns whether
 * nothing else is known of this release, so that it may have noted that. */
int libc_reads_at_release(thread_buffer *b, int fd);

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
