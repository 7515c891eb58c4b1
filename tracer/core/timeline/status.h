/* What a live recording shows of its program: the counters, and what everybody is doing now. */
#ifndef TRACER_TIMELINE_STATUS_H
#define TRACER_TIMELINE_STATUS_H

#include "timeline/json.h"
#include "timeline/model.h"

enum { STATUS_WAITS = 50 };

typedef struct {
    uint64_t since_ns;
    const task_line *task; /* or … */
    const thread_line *thread;
} status_wait;

/* What everybody is doing now. */
typedef struct {
    tally_tasks tasks;
    uint32_t threads[TALLY_STATES]; /* by state … */
    uint32_t unknown_threads;       /* … if it is known */
    status_wait waits[STATUS_WAITS]; /* that last for a second or more, the longest first … */
    uint32_t wait_count, long_waits; /* … and how many there are in all */
} status_now;

/* Goes once through all tasks and threads, and counts the tasks of each loop in `loop->now`. */
status_now timeline_status_now(const timeline *t, uint64_t now_ns);
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
