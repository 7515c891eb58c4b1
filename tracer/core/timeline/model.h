/* What the files of the timeline work on: every task, loop, thread and lock, and what it is doing.
 *
 * Types and lookups only; each part is changed by the file of its name. */
#ifndef TRACER_TIMELINE_MODEL_H
#define TRACER_TIMELINE_MODEL_H

#include "packets/encoder.h"
#include "ring/map.h"
#include "ring/records.h"
#include "ring/sources.h"
#include "timeline/tally.h"

enum task_state { STATE_NEW, STATE_UNKNOWN, STATE_READY, STATE_RUNNING, STATE_AWAIT };

enum cause_kind { CAUSE_NONE, CAUSE_TASK, CAUSE_THREAD, CAUSE_TIMER, CAUSE_IO };

/* Who made something ready. */
typedef struct {
    uint8_t kind;
    uint32_t id;     /* task or tid */
    uint64_t due_ns; /* CAUSE_TIMER */
} cause;

typedef struct {
    uint32_t id, func;
    uint32_t live;                    /* tasks */
    track own, queue, running, tasks; /* group, counter, slices, parent of the task tracks */
    map lanes;                        /* func -> first free lane */
    uint64_t poll_begin_ns, poll_end_ns, previous_poll_end_ns;
    uint8_t old_rounds; /* in so many rounds it still runs what was scheduled before the recording began */
    uint32_t handled; /* callbacks begun since the last poll */
    int64_t queue_length;
    uint8_t polling; /* a select slice is open */
    uint64_t run_since_ns, ran_ns, idle_ns; /* 0: it does not run now; before that; in its polls */
    uint64_t steps, callbacks;
    tally_sizes lag; /* how long its tasks were ready before they ran */
    tally_tasks now; /* as timeline_status_now() found them last */
    struct loop_told *told; /* output/debug.c: what these were in its last line */
    uint8_t is_astray; /* the thread that runs it has not been seen yet */
    uint8_t is_over;   /* it will not run again, but has tasks that are alive, or is the trace's default track */
} loop_line;

typedef struct user_line user_line; /* timeline/user.c */

typedef struct lane {
    track on;
    user_line *user; /* NULL until the program says something there */
    struct lane *next_free;
    uint64_t free_ns; /* free since then: no task is on it */
} lane;

typedef struct {
    /* What timeline_status_now() reads of every task comes first: they are in one line of the cache. */
    uint32_t id;
    uint8_t state, merged, shown, readied_itself;
    uint64_t since_ns; /* when `state` began */
    loop_line *loop;
    uint32_t func, parent;
    lane *on; /* own track or merged lane */
    char *name;
    uint32_t name_length;
    uint8_t renamed, has_parent;
    uint64_t flow_in;   /* flow into the next slice */
    cause woken;        /* of the ready slice to come … */
    uint32_t stack;     /* … and the place where it was made ready */
    uint32_t via;       /* the callback that did so; 0: none */
    packet_ref running; /* open `running` slice, target of new flows */
    tally_coroutine *counts; /* its coroutine's; NULL: no memory */
    uint32_t await_name, await_site, awaited; /* of the await, and the task that it awaits, if one */
    struct lock_wait *waits; /* the wait, while it awaits a lock that a task holds */
    uint8_t awaits_lock;     /* it awaits a lock, or something built on one … */
    uint8_t outcome;         /* … and that ended: enum lock_outcome, or LOCK_LASTS */
} task_line;

/* What runs on a thread: a task's step or a loop callback. */
typedef struct {
    uint32_t task; /* 0 = callback */
    uint32_t func;
    cause because;      /* of a callback … */
    uint64_t flow_in;   /* … and into its slice */
    uint64_t since_ns;
    packet_ref on_loop; /* its slice on the loop track */
    loop_line *loop;    /* whose slice is open; NULL when none is */
} running_step;

/* A child that is about to come to be, or a program in place of this one. */
typedef struct {
    uint64_t ns;     /* when that began */
    uint64_t flow;   /* followed with this; 0: it is not, … */
    uint32_t reason; /* … for this reason (string) */
} child_start;

enum { RUNNING_DEPTH = 64, TAKES = 4096, ENDED = 64, CHILDREN = 64 };

enum lane_base { LANE_UNKNOWN, LANE_HAS_GIL, LANE_HAS_NO_GIL };
enum lane_state {
    LANE_NONE,
    LANE_RUNNING,
    LANE_NATIVE,
    LANE_PREEMPTED,
    LANE_PREEMPTED_WITH_GIL,
    LANE_OFF_CPU,
    LANE_OFF_CPU_WITH_GIL,
    LANE_GIL_WAIT,
    LANE_CALL,
};

typedef struct {
    uint64_t ns;
    uint8_t state; /* enum kernel_state */
} lane_cut;

typedef struct {
    uint32_t what; /* string, 0 = none is known */
    uint32_t fd;   /* + 1 */
    uint32_t serial;
    uint8_t class;
    uint8_t said; /* enum call_said */
} lane_call;

enum call_said {
    SAID_OWN_PEER = 1,  /* the call waited for this very process */
    SAID_TIMED_OUT = 2, /* its time was over */
};

/* A take of the GIL, with the release that it ends. */
typedef struct {
    uint64_t drop_ns, wait_ns, take_ns; /* drop 0: the first; wait 0: none */
    uint64_t bytes, flow_in;
    lane_call call;
    uint32_t stack;
    uint32_t failed;   /* exception class that ended the call (string); 0: none */
    uint8_t unwatched; /* the GIL is not watched: only the call is known */
} lane_take;

/* The state of a thread, written up to `upto_ns`. */
typedef struct {
    uint8_t base, state;             /* enum lane_base; enum lane_state of the open slice */
    uint8_t pending, pending_passes; /* `take` waits for details */
    uint8_t early;                   /* the release is shown although it is not over */
    uint8_t class, holding_gil; /* of the open LANE_CALL … */
    uint8_t resumed;            /* it is not the call's first piece */
    uint8_t told_stack;         /* by the open slice */
    uint8_t said;               /* enum call_said */
    uint8_t kernel;
    uint8_t looked; /* how often it was asked who has the lock of the file that it waits for */
    uint32_t what, fd, serial, stack, serial_before;
    uint32_t failed;        /* as in lane_take */
    uint32_t release_stack; /* of a release that no call explains, and of a GIL wait */
    uint64_t bytes; /* + 1 */
    uint32_t holder; /* tid, of the GIL wait to come */
    uint32_t lock_pid; /* who has the lock of the file; 0 = not known … */
    char lock_program[16];
    uint64_t upto_ns, boundary_ns, flow_in;
    uint64_t gave_by_ns; /* when another thread took the GIL */
    uint64_t counted;    /* records of takes and held calls */
    lane_take take;
    lane_call next_call;
    lane_cut *cuts;
    uint32_t cut_count, cut_capacity;
} lane_line;

/* What a thread's buffer says about this moment, where no record does yet. */
typedef struct {
    uint64_t released_ns, asked_ns, held_call_ns; /* 0 = has not */
    lane_call call;
    uint32_t stack;
    uint8_t is_last; /* no record will follow */
} lane_present;

typedef struct {
    uint64_t ns;
    uint32_t tid;
} gil_take;

enum { LOCK_LASTS = 255 };

/* A wait for a lock, from before it until it is written. */
typedef struct lock_wait {
    struct lock_line *of;
    struct lock_wait *next;  /* next waiter of the same lock */
    struct lock_wait *outer; /* the wait of the same thread that a waiting signal handler has interrupted */
    uint64_t since_ns;
    uint32_t tid, what, stack, token;
    uint32_t slots;             /* of a pool; 0: unknown */
    uint32_t owner, owner_site; /* tid, string; 0 = not known (yet) */
    uint32_t task, owner_task;  /* for asyncio's locks; then `what` to `token` are 0 */
    uint8_t outcome;            /* enum lock_outcome, or LOCK_LASTS */
    uint8_t told;               /* at the slice's begin */
    uint8_t told_owner;         /* too, or never to be known */
    uint8_t is_end;             /* it is for the end of a thread … */
    uint64_t pthread;           /* … with this pthread_t, if it is not known yet which it is */
    struct thread_line *joined; /* that thread, kept; NULL: not known (yet) */
} lock_wait;

typedef struct {
    track on; /* while … */
    uint8_t is_told;
    uint64_t told;
} counter_line;

typedef struct thread_line {
    track on;
    uint32_t tid;
    uint64_t pthread; /* its pthread_t, which an ended thread may have had before */
    uint64_t end_ns;  /* when its Python code was over; 0: not yet, as far as is known */
    uint32_t depth;
    running_step steps[RUNNING_DEPTH];
    loop_line *loop;
    loop_line *named; /* the loop it runs whose records name it */
    tally_thread counts;
    uint64_t gc_since_ns;
    int64_t gc_heap;    /* live bytes then, -1: not known */
    uint64_t gc_freed; /* bytes that the freed blocks since then stand for */
    uint8_t gc_open;
    uint8_t gc_is_called; /* by gc.collect() … */
    uint32_t gc_generation, gc_stack; /* … from there */
    lane_line lane;
    lock_wait *waits; /* the innermost */
    uint64_t lost;    /* records, by the gaps in its numbers */
    user_line *user;
    child_start starts[CHILD_STARTS]; /* of children, in one another, and of exec */
    counter_line cpu, delay;
    cpu_times times; /* not written yet, unless `ns` is 0 */
    uint32_t uses;   /* by what is still to be written on its track; the thread stays until then … */
    uint8_t is_gone; /* … when it has ended */
    uint8_t is_silent; /* only others have told of it */
} thread_line;

enum { SWITCHES = 256, SWITCH_BYTES = 208 };

/* The bytes of a switch between two greenlets, behind its time: see timeline/switches.c. */
typedef struct {
    uint64_t b, c; /* of its record … */
    uint32_t a;    /* … too */
    uint32_t chunk; /* whose names it uses; another than the current one: nothing is known */
    uint8_t length, first;         /* of all packets, and of the first */
    uint8_t flow_at;               /* the end of its arrow … */
    uint8_t step_at, step_body;    /* … the begin of what the loop runs, and of the event in that packet … */
    uint8_t running_at, running_body; /* … and of the state of the one that goes on */
    uint8_t bytes[SWITCH_BYTES];
} switch_bytes;

typedef struct timeline {
    encoder out;
    track process, tracer, gc, count_tasks, count_threads, count_rss, count_files, all_locks, all_operations,
        all_user_counters, all_queues, pool_jobs;
    uint64_t seed;     /* the same in all processes of a family */
    uint8_t job_is_open; /* on the track `pool_jobs` */
    map locks; /* id -> lock_line* */
    uint32_t lock_tracks;
    map tasks, loops;      /* id -> task_line*, loop_line* */
    map threads, names;    /* tid -> thread_line*, and char * for threads that have no line yet */
    map regions, operations;            /* number -> user_line*, operation_lane* */
    map operation_lanes, user_counters; /* name string -> first free lane, track* */
    map spawned, jobs;     /* address of a thread, of an executor's job -> flow */
    map handles;           /* address -> handle_cause* … */
    struct handle_cause *spare_causes; /* … and those of callbacks that have begun, for the next */
    int64_t live_tasks, live_threads, told_tasks, told_threads, told_rss, told_files;
    struct heap_line *heap; /* timeline/heap.c; NULL: allocations are not recorded */
    uint32_t own_tracks;
    uint32_t *unshown; /* ids of tasks whose first slice waits for more detail */
    uint32_t unshown_count, unshown_capacity;
    uint32_t main_tid;
    uint64_t read_ns;  /* when memory was last read, … */
    uint64_t began_ns; /* … and first; 0: not yet */
    uint64_t late, dropped;
    uint64_t undrawn; /* of the program's own events: nested too deep, no memory */
    uint64_t worst_ready_ns;
    uint32_t worst_ready_func;
    switch_bytes *switches;  /* so many, the last ones by what they are; NULL: there was none yet */
    map coroutines;           /* func -> tally_coroutine* */
    tally_thread ended_counts; /* of threads that ended */
    tally_gc collections;
    uint8_t attached;    /* this Python has no GIL */
    uint8_t names_calls; /* blocking calls are known: a release without one computes */
    uint32_t gil_holder; /* tid that took it last */
    uint8_t gil_distrusted; /* two threads seemed to hold it at once */
    uint64_t take_count;
    gil_take takes[TAKES]; /* the last ones */
    uint64_t ended_count;
    thread_line *ended[ENDED]; /* the last threads that ended, kept */
    uint32_t child_count;
    pid_t children[CHILDREN]; /* whose end nobody knows yet, as many as there is room for */
} timeline;

/* --- lookups; NULL: not seen, or gone --- */

static inline thread_line *timeline_thread_of(const timeline *t, uint32_t tid)
{
    uint64_t *slot = map_find(&t->threads, tid);
    return slot ? (thread_line *)(uintptr_t)*slot : NULL;
}

static inline task_line *timeline_task(const timeline *t, uint32_t id)
{
    uint64_t *slot = map_find(&t->tasks, id);
    return slot ? (task_line *)(uintptr_t)*slot : NULL;
}

static inline running_step *top_step(thread_line *thread)
{
    if (!thread->depth)
        return NULL;
    return &thread->steps[thread->depth < RUNNING_DEPTH ? thread->depth - 1 : RUNNING_DEPTH - 1];
}

/* Frees it, if it has ended and nothing is left to be written on its track. */
static inline void thread_line_settle(thread_line *thread)
{
    if (!thread->is_gone || thread->uses)
        return;
    track_free(&thread->on);
    free(thread);
}

/* NULL is let pass. */
static inline thread_line *thread_line_keep(thread_line *thread)
{
    if (thread)
        thread->uses++;
    return thread;
}

static inline void thread_line_let_go(thread_line *thread)
{
    if (!thread)
        return;
    thread->uses--;
    thread_line_settle(thread);
}

/* --- how long a loop has run, and waited in its polls, up to `ns` --- */

static inline uint64_t loop_ran_ns(const loop_line *loop, uint64_t ns)
{
    return loop->ran_ns + (loop->run_since_ns ? ns - loop->run_since_ns : 0);
}

static inline uint64_t loop_idle_ns(const loop_line *loop, uint64_t ns)
{
    return loop->idle_ns + (loop->polling ? ns - loop->poll_begin_ns : 0);
}

/* --- what each file does with its records --- */

typedef void (*record_handler)(timeline *, thread_line *, const record *, uint64_t ns, const char *text);
#define HANDLER(name)                                                                              \
    static void name(timeline *t, thread_line *thread, const record *r, uint64_t ns, const char *text)
#define UNUSED(x) (void)(x)

#endif
