/* What a live recording shows of its program: the counters, and what everybody is doing now. */
#ifndef TRACER_TIMELINE_STATUS_H
#define TRACER_TIMELINE_STATUS_H

#include "timeline/json.h"
#include "timeline/model.h"

/* How many there are now. */
typedef struct {
    uint32_t tasks, ready, running, awaiting;
    uint32_t threads[TALLY_STATES]; /* by state … */
    uint32_t unknown_threads;       /* … if it is known */
    uint64_t oldest_ready_ns;       /* since when the task that is ready longest has been so; 0: none is */
} status_now;

status_now timeline_status_now(const timeline *t);
/* The same of the tasks of one loop. */
status_now timeline_status_of_loop(const timeline *t, const loop_line *loop);
/* A thread's counters, with the state it is in. */
tally_thread timeline_status_of_thread(const thread_line *thread);
/* All threads' counters, of those that ended, too. */
tally_thread timeline_status_threads(const timeline *t);
const char *tally_state_name(enum tally_state state); /* as reports name it */
const char *timeline_status_state(const thread_line *thread, size_t *length); /* what it does, as the trace calls it */
/* Members of a JSON object, from `"now_ns":` on; for tracer/live/counters.py. `now_ns`: the timeline is complete up
 * to then. */
void timeline_status_write(const timeline *t, uint64_t now_ns, json_text *out);

#endif
