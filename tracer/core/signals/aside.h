/* A thread of our own that takes the GIL for one piece of work, and ends. */
#ifndef TRACER_ASIDE_H
#define TRACER_ASIDE_H

#include <stdint.h>

#include "python/compat.h"

typedef struct {
    void (*work)(void);   /* attached */
    const char *shown_as; /* the thread's name, if the recording shows it; NULL: it is hidden */
    _Atomic int is_at_work;
} aside;

/* Any thread; returns at once. 0: the work is not done, since a thread is at it already or none can be started. */
int aside_start(aside *of);
int aside_is_at_work(const aside *of);
void aside_await(const aside *of, uint64_t most_ns); /* detached: until no thread is at work, or so long */
void aside_forget(aside *of);                        /* in a forked child: the thread is the parent's */

#endif
