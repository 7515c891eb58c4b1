/* Counters: of the process, and CPU time and run delay of each thread. */
#ifndef TRACER_TIMELINE_COUNTERS_H
#define TRACER_TIMELINE_COUNTERS_H

#include "ring/private_fd.h"
#include "ring/sources.h"
#include "timeline/model.h"

/* Writes the counters of the process at `ns`: memory and descriptors when they are due, or `at_once`. They are read from
 * /proc/self/statm and /proc/self/fd. Returns bytes of memory as last read, 0: unknown. */
uint64_t counters_tell(timeline *t, uint64_t ns, const private_fd *statm, const private_fd *descriptors, int at_once);
/* Takes the thread's counters as read at `now->ns` (0: none). They are written with the next call, once
 * everything before them has been written; at once if no call follows. */
void timeline_cpu_times(timeline *t, thread_line *thread, const cpu_times *now, int is_last);
/* The thread is gone. */
void counters_close(timeline *t, thread_line *thread);

#endif
