/* Counters: of the process, and CPU time and run delay of each thread. */
#ifndef TRACER_TIMELINE_COUNTERS_H
#define TRACER_TIMELINE_COUNTERS_H

#include "ring/private_fd.h"
#include "ring/sources.h"
#include "timeline/model.h"

void timeline_counters(timeline *t, uint64_t ns, int64_t rss_bytes, int64_t open_files);
/* Takes the thread's counters as read at `now->ns` (0: none). They are written with the next call, once
 * everything before them has been written; at once if no call follows. */
void timeline_cpu_times(timeline *t, thread_line *thread, const cpu_times *now, int is_last);
/* The thread is gone. */
void counters_close(timeline *t, thread_line *thread);
/* Memory of the process, from /proc/self/statm; 0: unknown. */
int64_t counters_resident(const private_fd *statm);

/* How many descriptors this process has open, from /proc/self/fd; -1 when the kernel does not say (before Linux 6.2). */
int64_t counters_open_files(const private_fd *descriptors);

#endif
