/* The records of locks: waits, holds, releases. */
#ifndef TRACER_TIMELINE_LOCKS_H
#define TRACER_TIMELINE_LOCKS_H

#include "timeline/model.h"

extern const record_handler timeline_lock_handlers[REC_KINDS];
/* The thread is gone (`ns` 0), or what it did after `ns` is lost. */
void locks_lose(timeline *t, thread_line *thread, uint64_t ns);

#endif
