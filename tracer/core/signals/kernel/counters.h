/* Without perf events: per thread, how long it was on a CPU and how long it waited for one. */
#ifndef TRACER_KERNEL_COUNTERS_H
#define TRACER_KERNEL_COUNTERS_H

#include "ring/ring.h"
#include "ring/sources.h"

/* Called by the consumer. Reads the counters now; `ns` is 0 if the thread has none. Returns 1 if it is the
 * first thread without (some of) its counters. */
int kernel_count(thread_buffer *thread, cpu_times *now);
/* The thread is about to end. */
void kernel_count_gone(thread_buffer *thread);
void kernel_count_forget(void);

#endif
