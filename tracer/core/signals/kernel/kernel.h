/* What the kernel does with the program's threads: on a CPU, blocked, preempted.
 *
 * Every context switch where perf events are allowed (kernel.c, signals/kernel/rings.c); else counters of
 * CPU time and run delay (signals/kernel/counters.c). Times are CLOCK_MONOTONIC ns, as everywhere. */
#ifndef TRACER_KERNEL_H
#define TRACER_KERNEL_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "ring/records.h"
#include "ring/ring.h"
#include "timeline/timeline.h"

/* From `ns` on the thread is in `state`. KERNEL_LOST has tid 0 and how many records are missing:
 * the state of every thread is unknown until its next record. */
typedef void kernel_handler(void *context, uint32_t tid, uint64_t ns, enum kernel_state state, uint64_t lost);

/* Control thread. Opens the rings: 0; or an errno, with the reason and the remedy in `why`, and
 * the counters are on instead. `refusal`: behave as if the kernel had answered with this errno
 * (0: ask it). Threads that run already are found; those to come are inherited. */
int kernel_start(int refusal, char *why, size_t size);
/* The control thread, when no writer runs any more; frees and closes everything. */
void kernel_stop(void);
/* In a forked child, where the rings are not mapped and the threads do not exist. */
void kernel_forget(void);
/* A thread of our own, not to be told of. */
void kernel_ignore(uint32_t tid);

/* --- the consumer, one thread at a time --- */

/* Hands out the records up to `until_ns` in time order, and keeps later ones for the next call. All
 * must have been written by then: ask for the past only. Returns the time of the next one seen,
 * UINT64_MAX if none was (or the rings are not on): until then a call is idle. */
uint64_t kernel_feed(uint64_t until_ns, kernel_handler *handler, void *context);
/* After the last feed: tells of losses after which there was nothing to tell of them. Returns how
 * many of our descriptors the program has closed: of threads whose switches are missing since. */
int kernel_finish(kernel_handler *handler, void *context);

/* Whether counters are on. */
int kernel_counting(void);
/* Writes what was read last time, with the time it had then, and reads anew; at the end of the
 * recording (`last`) that is written at once. Returns 1 when this thread is the first that
 * cannot have (all) its counters. */
int kernel_count(timeline *t, thread_buffer *thread, int last);
/* The thread's line is about to go. */
void kernel_count_gone(timeline *t, thread_buffer *thread);
void kernel_count_forget(void);

#endif
