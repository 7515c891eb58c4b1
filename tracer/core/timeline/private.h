/* What the files of the timeline share with each other only. */
#ifndef TRACER_TIMELINE_PRIVATE_H
#define TRACER_TIMELINE_PRIVATE_H

#include "timeline/timeline.h"

typedef void (*record_handler)(timeline *, thread_line *, const record *, uint64_t ns, const char *text);
#define HANDLER(name)                                                                              \
    static void name(timeline *t, thread_line *thread, const record *r, uint64_t ns, const char *text)
#define UNUSED(x) (void)(x)

/* timeline.c */
thread_line *timeline_thread_of(const timeline *t, uint32_t tid); /* NULL: not seen, or gone */
void gc_slice(timeline *t, const thread_line *thread, track *on, uint64_t ns, uint8_t type);

/* timeline/counters.c */
void counters_close(timeline *t, thread_line *thread);

/* timeline/lanes.c */
extern const record_handler timeline_lane_handlers[REC_KINDS];
void lane_flush(timeline *t, thread_line *thread);
/* Writes the lane up to `ns`, when the thread is known to be executing Python code. */
void lane_reach(timeline *t, thread_line *thread, uint64_t ns);
/* The lane ends at `ns`; the thread has released the GIL at `drop_ns` (0: it has not). */
void lane_close(timeline *t, thread_line *thread, uint64_t drop_ns, uint64_t ns);
void lane_free(lane_line *lane);

/* timeline/locks.c */
extern const record_handler timeline_lock_handlers[REC_KINDS];
void locks_begin_wait(timeline *t, thread_line *thread, event *ev);
void locks_end_wait(timeline *t, thread_line *thread, event *ev);
uint32_t locks_stack(const thread_line *thread); /* of the wait that lasts; 0 = unknown */
/* The flow from the release that ended the wait by `until_ns`, and when that was; 0 = none. */
uint64_t locks_flow(timeline *t, thread_line *thread, uint64_t until_ns, uint64_t *freed_ns);
/* A task awaits what `lock` says from `ev->ns` on: arguments for the BEGIN of it … */
void locks_task_waits(timeline *t, const thread_line *thread, task_line *task, const await_lock *lock, uint32_t site,
                      event *ev);
/* … and for its END, when it does so no longer. */
void locks_task_woken(timeline *t, task_line *task, event *ev);
/* The thread is gone, or what it did after `ns` is lost. */
void locks_lose(timeline *t, thread_line *thread, uint64_t ns);
void locks_free(timeline *t);

/* timeline/holds.c */
typedef struct {
    uint64_t ns;
    uint32_t tid, token;
} lock_release;

typedef struct lock_line {
    uint32_t id, kind, site;
    uint32_t owner, owner_task, owner_site; /* while `held` */
    uint32_t release_stack;                 /* of the hold that ends */
    uint64_t hold_ns;                       /* where the track of holds has got to */
    uint8_t held, has_tracks, shown;        /* shown: a hold slice is open */
    track on, waiting;
    int64_t waiters;
    lock_wait *first;       /* of the waits */
    lock_release *releases; /* while somebody waits: which nobody has been seen to use */
    uint32_t release_count, release_capacity;
} lock_line;

typedef struct {
    uint32_t tid, task, site;
    uint8_t since_before;
} lock_owner;

/* `kind`: a string, with or without "lock wait: ". */
void hold_tracks(timeline *t, lock_line *lock, uint32_t kind, uint32_t site);
void hold_begin(timeline *t, lock_line *lock, lock_owner owner, uint64_t ns);
void hold_end(timeline *t, lock_line *lock, uint64_t ns);
void hold_count(timeline *t, lock_line *lock, int change, uint64_t ns);

/* timeline/user.c */
extern const record_handler timeline_user_handlers[REC_KINDS];
/* The task or thread of the line (NULL: none) is gone, or what it did after `ns` is lost. */
void user_close(timeline *t, user_line *line, uint64_t ns);
void user_line_free(timeline *t, user_line *line);
void user_free(timeline *t);

/* timeline/tasks.c */
extern const record_handler timeline_task_handlers[REC_KINDS];
task_line *timeline_task(timeline *t, uint32_t id);
void task_free(timeline *t, task_line *task);
void task_show(timeline *t, task_line *task);
void timeline_close_unknown(timeline *t, thread_line *thread, uint64_t since_ns);

/* timeline/loops.c */
extern const record_handler timeline_loop_handlers[REC_KINDS];
loop_line *timeline_loop(timeline *t, thread_line *thread, uint32_t id);
void loop_free(loop_line *loop);
running_step *top_step(thread_line *thread);
void push_step(timeline *t, thread_line *thread, loop_line *loop, uint64_t ns, running_step s);
void pop_step(timeline *t, thread_line *thread, uint64_t ns);
/* Ends the innermost step of `task` (0: callback) and whatever is left open inside it. */
void leave_step(timeline *t, thread_line *thread, uint32_t task, uint64_t ns);
void end_poll(timeline *t, loop_line *loop, uint64_t ns);
cause cause_of(const thread_line *thread, const running_step *waker);

#endif
