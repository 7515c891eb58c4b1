/* Turns records into slices: what every task, loop and thread was doing, and what caused it.
 *
 * Belongs to the writer thread, which feeds it records in time order (ns). It knows nothing about Python,
 * files or buffers, so tests can feed it by hand. */
#ifndef TRACER_TIMELINE_H
#define TRACER_TIMELINE_H

#include "timeline/model.h"

void timeline_init(timeline *t, uint32_t pid, uint64_t seed, uint32_t member, const char *cmdline, size_t length);
void timeline_free(timeline *t);
/* `pthread`: its pthread_t, which another thread may get once it has ended. */
thread_line *timeline_thread(timeline *t, uint32_t tid, uint64_t pthread);
void timeline_thread_gone(timeline *t, thread_line *thread);

extern record_handler timeline_handlers[UINT8_MAX + 1]; /* by the record's kind; NULL: none */

/* One record, already on the trace clock. `text` is its payload. */
static inline void timeline_record(timeline *t, thread_line *thread, const record *r, uint64_t ns, const char *text)
{
    record_handler handler = timeline_handlers[r->kind];
    if (handler)
        handler(t, thread, r, ns, text);
}

/* How many records have been reported as lost. */
static inline uint64_t timeline_lost(const thread_line *thread)
{
    return thread->lost;
}
/* Called after every batch: writes what was held back for more detail. */
void timeline_settle(timeline *t);

#endif
