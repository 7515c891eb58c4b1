/* Threads of a free-threaded Python: attached to it, except in the blocking calls that are seen.
 *
 * Nothing shows when a thread detaches. So a lane is `attached` from the thread's first hook on,
 * and is cut by calls that take longer than the threshold: those that the trampolines and the
 * lock wrappers name, and libc's where no such call surrounds them. */
#ifndef TRACER_ATTACHED_H
#define TRACER_ATTACHED_H

#include "ring/ring.h"

enum gil_mode {
    GIL_UNWATCHED, /* takes and drops are not seen: calls measure themselves */
    GIL_WATCHED,
    GIL_ABSENT,    /* there is none */
};
extern OURS enum gil_mode gil_mode;

/* The lane of the calling thread begins, if it has not. */
void attached_begin(thread_buffer *b);
/* The calling thread may block from now on: this is shown if the program is killed meanwhile. */
void attached_leave(thread_buffer *b, uint64_t tick);
/* It did not block, or not for long. */
void attached_stay(thread_buffer *b);
/* It has blocked, since `start`, in `call` (what string). */
void attached_back(thread_buffer *b, const record *call, uint64_t start);

#endif
