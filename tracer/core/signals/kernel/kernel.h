/* How the kernel schedules the program's threads: on a CPU, blocked, preempted.
 *
 * Records every context switch where perf events are allowed (kernel.c, signals/kernel/rings.c); else
 * counters of CPU time and run delay (signals/kernel/counters.c). Times are CLOCK_MONOTONIC ns, as
 * everywhere. */
#ifndef TRACER_KERNEL_H
#define TRACER_KERNEL_H

#include <stddef.h>

#include "ring/sources.h"

/* Control thread. Opens the rings and returns 0; or returns an errno, with the reason and the remedy in
 * `why`, and the counters are read instead. `refusal`: behave as if the kernel had answered with this
 * errno (0: ask it). Threads that already run are looked up; later ones inherit the events. */
int kernel_start(int refusal, char *why, size_t size);
/* In a forked child, where the rings are not mapped and the threads do not exist. */
void kernel_forget(void);
/* … and where the rings will be opened while the calling thread is the only one of the program. */
void kernel_leave_parent(void);

extern const kernel_source_table kernel_source;

#endif
