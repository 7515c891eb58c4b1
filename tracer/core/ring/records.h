/* The records that hooks send to the writer: 32 bytes each, numbers only. */
#ifndef TRACER_RECORDS_H
#define TRACER_RECORDS_H

#include <assert.h>
#include <stdint.h>

typedef struct {
    uint64_t tick;
    uint8_t kind;     /* enum record_kind */
    uint8_t flag;     /* meaning depends on kind */
    uint16_t payload; /* how many records of raw text bytes follow this one */
    uint32_t a;
    uint64_t b;
    uint64_t c;
} record;
static_assert(sizeof(record) == 32, "records are 32 bytes");

/* "func" is an id of intern.h's function table; "task" and "loop" are ids assigned by the hooks of tasks. A record
 * does not say who woke or created something, unless it says who did: the timeline knows what was running on the
 * record's thread at that moment. A loop of 0 is the one that the thread runs. */
enum record_kind {
    REC_GAP = 1,        /* b = records dropped, c = tick of the first of them */
    REC_TASK_NEW,       /* a = task, b = parent << 32 | func, c = loop; flag = enum task_origin; a parent of 0 is the
                           task that was running */
    REC_TASK_NAME,      /* a = task, b = text length; payload */
    REC_TASK_DESTROYED, /* a = task */
    REC_READY,          /* a = task, b = stack of the waker; flag = enum ready_flag, c = due time of a timer in ns */
    REC_RESUMED,        /* a = task: its hub goes on with it, and only now it is known what made it ready: b = key
                           of a REC_CB_READY, or 0, or a task; c = when a timer was due, in ns; flag = enum resume_cause */
    REC_STEP_BEGIN,     /* a = task, b = loop */
    REC_STEP_YIELD,     /* a = task: its step ends, it is ready again at once */
    REC_STEP_AWAIT,     /* a = task, b = what string << 32 | site string, c = stack << 32 | awaited task or 0;
                           payload = one await_lock if it awaits a lock or what is built on one, and
                           await_holders if it says so */
    REC_SWITCH,         /* a REC_READY, a REC_STEP_AWAIT and a REC_STEP_BEGIN in one: a = task that waits, b = what string
                           << 32 | task that it makes ready and that goes on, c = stack << 32 | loop; the site is the
                           stack's */
    REC_STEP_SHORT,     /* a REC_STEP_BEGIN and, with the tick, that of `flag`, REC_STEP_YIELD or REC_STEP_AWAIT: a and b as
                           there, c = stack << 32 | how many ticks it lasted */
    REC_STEP_DONE,      /* a = task, b = exception class string; flag = enum task_outcome */
    REC_TASK_TOLD,      /* flag = enum told, a = task, b = exception class string or 0 */
    REC_CB_READY,       /* b = handle address */
    REC_CB_BEGIN,       /* a = func, b = handle address, c = due time of a timer in ns, else its loop; flag = enum
                           called */
    REC_CB_END,         /* */
    REC_CB_SHORT,       /* a REC_CB_BEGIN, a REC_READY and, with the tick, a REC_CB_END: a = func, b = the task that it has
                           woken << 32 | stack, c = how many ticks ago << 32 | how many it lasted; flag = enum called */
    REC_POLL_BEGIN,     /* a = loop: it begins to wait, */
    REC_POLL_END,       /* … and has events or a time-out */
    REC_POLL_INSTANT,   /* it polled without waiting */
    REC_LOOP_RUN,       /* a = loop; flag = it is named by each of its records, since the thread may run another one;
                           c = 1: it ran already before the recording began */
    REC_LOOP_STOP,      /* as REC_LOOP_RUN */
    REC_LOOP_CLOSED,    /* a = loop: its unfinished tasks will never end */
    REC_THREAD_SPAWN,   /* a = stack, b = address of the threading.Thread */
    REC_THREAD_BEGIN,   /* b = same address, on the new thread */
    REC_THREAD_NAME,    /* a = tid, b = text length; payload */
    REC_THREAD_EXIT,    /* b = tick at which it released the GIL for good, or 0 */
    REC_THREAD_FAILED,  /* a = stack of where an exception was raised that ends it, b = that class string */
    REC_THREAD_ENDS,    /* its Python code has finished */
    REC_STACK,          /* a = stack of the thread b at this moment */
    REC_STACKS,         /* that were all of them: b = how many */
    REC_JOB_SUBMIT,     /* b = address of an executor's work item */
    REC_JOB_RUN,        /* b = same address, on the thread that runs it; a = func */
    REC_POOL_JOB,       /* of a pool of processes: b = pool, c = job, a = func, or the class of an exception (string);
                           flag = enum pool_step; payload = one pool_job_details */
    REC_MESSAGE,        /* of a connection between processes, which somebody waited for: b = pipe, c = message;
                           flag = enum message_step; payload = one pool_job_details */
    REC_ACCEPTED,       /* a connection had waited before accept(): a = port here, b = for how many ms */
    REC_ENTERED_FIRST,  /* a job of a sched.scheduler, before all others: a = stack, b = by how many ns */
    REC_PRINTED,        /* the first text for a standard output that is a pipe: a = stack */
    REC_GC_BEGIN,       /* a = generation, flag: gc.collect() was called, b = stack of that call */
    REC_GC_END,         /* a = generation, b = collected, c = uncollectable */
    REC_CALL,           /* the call that the next REC_TAKE returns from: a = what string, b = fd + 1 or 0 | CALL_TIMED_OUT
                           where it waited for descriptors in vain; flag = enum call_class, c = number of the call in its
                           thread, or 0 */
    REC_TAKE,           /* has taken the GIL: a = stack, b = tick of its release (0 = never held it), c = tick
                           when it asked for it (0 = got it at once); flag = enum take_kind */
    REC_HELD_CALL,      /* a blocking call made with the GIL held has returned: a = what string, b = tick
                           of its begin, c = stack << 32 | (fd + 1); flag = enum call_class */
    REC_CALL_BYTES,     /* b = bytes that the previous call transferred */
    REC_CALL_FAILED,    /* a = class of the exception with which the previous call ended (string) */
    REC_CALL_OWN_PEER,  /* the previous call waited for a server in this very process */
    REC_LOCK_WAIT,      /* a = what string, b = lock; flag = enum lock_wait_flags; payload = one
                           lock_wait_details; written before a wait that was foreseen, else after it */
    REC_LOCK_GOT,       /* that wait is over: b = lock; flag = enum lock_outcome */
    REC_LOCK_ACQUIRED,  /* of a contended lock: a = site string, b = lock, c = kind string, or the task;
                           flag = by a task */
    REC_LOCK_RELEASED,  /* of a contended lock: a = stack or 0, b = lock, c = token; flag = by a task */
    REC_JOINED,         /* b = pthread_t of a thread that this one waited for and that has ended */
    REC_LOCK_FREED,     /* of a contended lock that is still held: b = lock */
    REC_REGION_BEGIN,   /* a = name string, or 0; b = payload bytes, c = number; payload: see payload.h */
    REC_REGION_END,     /* a = exception class string, or 0; c = number */
    REC_OPERATION_BEGIN, /* as REC_REGION_BEGIN */
    REC_OPERATION_END,  /* as REC_REGION_END */
    REC_LOG,            /* b = payload bytes; payload: see payload.h, its name is the message */
    REC_COUNTER,        /* a = name string, c = value; flag = enum counter_kind */
    REC_FOLLOWED,       /* this thread is about to start a child, or exec: b = flow to its trace, or a = why it has
                           none (string); neither: it came to nothing; flag = as the record before, whose flow
                           was not known yet; c = how many starts of children it is within; of exec CHILD_EXEC */
    REC_CHILD,          /* a = stack, b = text length, c = pid, or 0; payload: the command;
                           flag = enum child_kind | the number of starts around it << CHILD_DEPTH_SHIFT */
    REC_HEAP_BEGIN,     /* b = bytes between two samples, on average */
    REC_HEAP_TAKEN,     /* a block is sampled: a = stack, b = the call that made it, or 0 << 32 | its number, c = bytes;
                           flag = without the GIL */
    REC_HEAP_FREED,     /* … and freed: a = whether that call had returned (enum maker_state), b = its number;
                           flag = for a larger or smaller one */
    REC_HEAP_RUNNING,   /* a = a call that made sampled blocks, and has not returned; 0: there are no others */
    REC_SIGNAL_SENT,    /* to another process: a = stack, b = pid; flag = the signal */
    REC_RAISED,         /* an exception: a = stack, b = for how many ms none was looked at before << 32 | class string,
                           c = how many were not written before; flag: no exception, but an answer,
                           and for the class its status */
    REC_CHILD_ENDED,    /* a = exit code, or with `flag` the signal that ended it, b = pid */
    REC_PROCESS_NAMED,  /* b = text length; payload: what the program calls this process */
    REC_PROCESS_STARTED, /* the first thread of a followed child: b = flow from its parent */
    REC_NOTE,           /* a = length of the subject, b = text length; payload; flag = enum note_kind */
    REC_KINDS
};

/* Descriptors are far below. */
enum { CALL_TIMED_OUT = 1 << 30, CALL_FD = CALL_TIMED_OUT - 1 };

/* Which kind a loop is: the upper bits of its id. */
enum { LOOP_KIND_SHIFT = 28 };
enum loop_kind { LOOP_ASYNCIO, LOOP_GREENLETS, LOOP_TRIO, LOOP_TWISTED, LOOP_KINDS };

/* A function of os.register_at_fork may start children, too; those within CHILD_TOO_DEEP are not followed. */
enum { CHILD_TOO_DEEP = 4, CHILD_EXEC, CHILD_STARTS, CHILD_DEPTH_SHIFT = 4 };

enum task_origin { ORIGIN_CREATED, ORIGIN_EAGER, ORIGIN_ADOPTED };
enum ready_flag {
    READY_CANCELLED = 1, /* its wait for a lock or the like was given up */
    READY_BY_TIMER = 2,  /* whatever runs on the thread, a timer … */
    READY_BY_IO = 4,     /* … or I/O woke it … */
    READY_BY_NOBODY = 8, /* … or nobody whom the trace knows */
};

/* What made a loop call back, if nobody has scheduled it: I/O, … */
enum called {
    CALLED,
    CALLED_BY_TIMER,  /* … a timer … */
    CALLED_BY_NOBODY, /* … or what the trace does not know */
};
enum resume_cause { RESUMED_BY_CALLBACK, RESUMED_BY_TIMER, RESUMED_BY_IO, RESUMED_BY_TASK };
enum task_outcome { OUTCOME_DONE, OUTCOME_CANCELLED, OUTCOME_FAILED };
/* What shows of a task besides its states, on whatever thread sees it. */
enum told {
    TOLD_UNASKED, /* it had failed, and nobody has retrieved its exception: nobody will any more */
    TOLD_REFUSED, /* a cancel scope around its wait was cancelled, which does not end that wait */
};
enum take_kind {
    TAKE_GIL,
    TAKE_UNWATCHED, /* the record only says that the previous call lasted from b until now */
    TAKE_ATTACHES,  /* the same where there is no GIL: the thread attaches, for the first time or again */
};
enum counter_kind { COUNTER_WHOLE, COUNTER_DOUBLE, COUNTER_QUEUE /* the length of a queue; the others are the program's */ };
enum call_class { CLASS_NONE, CLASS_IO, CLASS_SLEEP, CLASS_LOCK };
enum lock_outcome { LOCK_TIMED_OUT, LOCK_ACQUIRED, LOCK_FREE /* it did not block after all */ };

enum lock_wait_flags {
    LOCK_TOLD_LATE = 1, /* the wait is over */
    LOCK_IS_SIGNAL = 2, /* nobody can hold it: a condition, event, queue, or the end of a thread */
    LOCK_IS_HELD = 4,   /* by an unknown thread */
    LOCK_IS_END = 8,    /* a signal too: the end of a thread, or of several threads in turn */
};

/* "stack" is an id of stacks.h; "lock" is a number that never changes while the lock lives; "token" links
 * a wait with the releases that may end it. */
typedef struct {
    uint32_t owner_tid;  /* 0 = unknown or none; if the end of a thread is awaited, that thread */
    uint32_t owner_site; /* string */
    uint32_t stack;
    uint32_t token;
    uint64_t joined; /* if owner_tid is unknown: the pthread_t of the thread whose end is awaited, or 0 */
    uint32_t slots;  /* of a pool: how many may use it at once; 0 = unknown */
    uint32_t unused;
} lock_wait_details;
static_assert(sizeof(lock_wait_details) == sizeof(record), "fits one record");

typedef struct {
    uint32_t lock;
    uint32_t kind;       /* string "asyncio.Lock"; 0 = nobody can hold it: a condition, event, queue … */
    uint32_t owner_task; /* 0 = unknown or free */
    uint32_t owner_site; /* string */
    uint32_t is_held;    /* by the owner, or by an unknown task */
    uint32_t slots;      /* of a pool: how many may use it at once; 0 = unknown */
    uint32_t shown_kind; /* string "trio.Event" for `kind` of the wait; 0 = it is asyncio's */
    uint32_t holders;    /* how many have a slot; 0 = of none is a task known */
} await_lock;
static_assert(sizeof(await_lock) == sizeof(record), "fits one record");

enum { HOLDERS_MOST = 8 };
typedef struct {
    uint32_t tasks[HOLDERS_MOST]; /* known ones that have a slot, as many as fit; 0 ends them */
} await_holders;
static_assert(sizeof(await_holders) == sizeof(record), "fits one record");

enum pool_step { POOL_SUBMITTED, POOL_SENT, POOL_BEGUN, POOL_ENDED, POOL_RESULT_SENT, POOL_RESULT_RECEIVED };

enum message_step { MESSAGE_SENT, MESSAGE_RECEIVED };

/* Times are CLOCK_MONOTONIC. */
typedef struct {
    uint64_t bytes;       /* of the pickle */
    uint64_t pickling_ns; /* how long pickling took, or unpickling; of a message when the thread had written the one
                             before, or since when it has waited to read this one */
    uint64_t since_ns;    /* when it was submitted, the thread began to write it into the pipe, or a message was read */
    uint32_t tid;         /* that submitted it; 0: the record's thread */
    uint32_t stack;
} pool_job_details;
static_assert(sizeof(pool_job_details) == sizeof(record), "fits one record");

enum child_kind { CHILD_FORK, CHILD_SPAWN };
enum maker_state { MAKER_UNKNOWN, MAKER_RUNS, MAKER_RETURNED };
enum note_kind { NOTE_HOOK_DISABLED, NOTE_OTHER, NOTE_EXEC, NOTE_EXEC_FAILED };

#endif
