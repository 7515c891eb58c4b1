/* Who waits for a lock, behind whom, and whose release ended it. */
#ifndef TRACER_TIMELINE_WAITS_H
#define TRACER_TIMELINE_WAITS_H

#include "timeline/holds.h"
#include "timeline/model.h"

/* --- a lock, its waits and its releases --- */

lock_line *lock_line_of(const timeline *t, uint64_t id); /* NULL: nobody has waited for it */
void lock_line_forget(timeline *t, lock_line *lock); /* if nothing is left to be written about it */
void locks_free(timeline *t);

/* Begins a wait of a thread (its innermost then) or a task at `ns`; NULL: no memory. */
lock_wait *lock_wait_begin(timeline *t, const thread_line *thread, uint32_t id, uint64_t ns);
/* Ends the innermost wait of a thread; `ns` 0: nothing is written. */
void lock_wait_end(timeline *t, thread_line *thread, uint64_t ns);

/* Marks the wait as one for the end of its `owner`, or, if that is 0, of the thread with this pthread_t
 * (0: unknown), which may have `ended`. */
void lock_wait_joins(timeline *t, lock_wait *wait, uint64_t pthread, int ended);

void lock_release_keep(timeline *t, lock_line *lock, lock_release release);
/* Writes those that ended no wait. */
void lock_releases_write(timeline *t, lock_line *lock);

/* --- the slices of waits: a thread's in its lane, a task's `await` --- */

void locks_begin_wait(timeline *t, thread_line *thread, event *ev);
void locks_end_wait(timeline *t, thread_line *thread, event *ev);
uint32_t locks_stack(const thread_line *thread); /* of the wait in progress; 0 = unknown */
/* The flow from the release that ended the wait by `until_ns`, and when that was; 0 = none. */
uint64_t locks_flow(timeline *t, thread_line *thread, uint64_t until_ns, uint64_t *freed_ns);
/* A task awaits `lock` from `ev->ns` on: adds the arguments of its BEGIN … */
void locks_task_waits(timeline *t, const thread_line *thread, task_line *task, const await_lock *lock, uint32_t site,
                      event *ev);
/* … and those of its END, when it no longer does. */
void locks_task_woken(timeline *t, task_line *task, event *ev);

#endif
