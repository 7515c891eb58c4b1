/* Per-thread buffers: one producer (the thread), one consumer (the writer), no lock between them.
 *
 * A buffer is a chain of 16 KiB chunks from one pool, whose size bounds the recorder's memory. If no chunk
 * is left, records are dropped and counted, and a REC_GAP says so once there is room again. Invariant:
 * written == read + still in the buffer, and offered == written + dropped. */
#ifndef TRACER_RING_H
#define TRACER_RING_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ring/clock.h"
#include "ring/hot.h"
#include "ring/records.h"

enum { CHUNK_BYTES = 16384, CHUNK_RECORDS = CHUNK_BYTES / 32 - 1, STEP_DEPTH = 32, CONTEXT_DEPTH = 8 };

typedef struct chunk {
    _Atomic uint32_t committed; /* records the consumer may read */
    _Atomic uint32_t next;      /* index + 1 of the following chunk, or of the next in the free list */
    uint8_t pad[24];
    record records[CHUNK_RECORDS];
} chunk;
static_assert(sizeof(chunk) == CHUNK_BYTES, "a chunk fills its 16 KiB");

enum step_kind {
    STEP_COMMON,  /* run by the loop: a task's step or a callback */
    STEP_EAGER,   /* run as its task is created, inside another step or a callback */
    STEP_ADOPTED, /* the recording began inside it */
    STEP_TRIO,    /* run by trio */
    STEP_DEFERRED, /* of Twisted: run by whatever ended its wait */
};

/* What a thread is executing, as far as its END hooks need to know. */
typedef struct {
    const void *object; /* task address, compared, never dereferenced; NULL for a callback */
    uint32_t task;
    uint8_t readied_itself;
    uint8_t kind; /* enum step_kind */
} step;

/* libuv's loop has entered a contextvars context, mostly to call back. */
typedef struct {
    uint64_t tick;    /* 0: what runs in it is known */
    uint64_t records; /* how many the thread had recorded by then */
    void *code;       /* what was seen to run in it; a reference, or NULL */
    void *callee;     /* where what runs in it names its code, or NULL; it is looked at afterwards … */
    uint32_t deaths;  /* … if no code has died since, as of these */
    uint8_t is_shown; /* as a callback */
} context_entry;

/* What a thread's greenlets are doing, as far as the hooks of signals/greenlet/ need to know. */
typedef struct {
    void *current;     /* the known_greenlet that runs, as far as has been seen; NULL: none was seen yet */
    uint32_t loop;     /* id of the line of this thread's greenlets, 0 = none yet */
    uint32_t waits;    /* string "await …": the call of gevent's C code that the current one is in, 0 = none … */
    uint8_t wait_kind; /* … enum await_primitive of … */
    uint8_t is_yielding;  /* it is to run again at once */
    uint8_t is_polling;   /* the poll in flight was announced */
    uint8_t is_shown;     /* the hub's callback is in the trace */
    const void *wait_for; /* … this object, alive while the call lasts */
    const void *callback; /* key of what the hub calls back, NULL: not known … */
    const void *called;   /* … the callable, alive meanwhile … */
    uint64_t callback_tick; /* … since when … */
    uint32_t resumed;     /* … and the last task that ran in it, 0 = none … */
    const void *given;    /* … which has given back this lock, NULL: none */
    const void *gives;    /* the lock that a call of the current one gives back just now, NULL: none */
} greenlet_state;

/* What passed between this thread and other processes: for signals/calls/traffic.c. */
enum { TRAFFIC_FOUND = 4, TRAFFIC_READY = 16 };
typedef struct {
    uint64_t key, number, at_ns, since_ns, bytes;
    uint8_t step; /* enum message_step */
} found_message;
typedef struct {
    volatile uint8_t is_busy; /* a signal handler that interrupts does nothing */
    uint8_t count;            /* of what is found and not written yet */
    found_message found[TRAFFIC_FOUND];
    uint64_t polled_since, polled_until; /* the last wait for several descriptors, … */
    int32_t ready[TRAFFIC_READY];        /* … and those that it found readable, as many as fit */
    uint8_t ready_count;
    uint64_t before_ns;                  /* when the thread had written before */
} traffic_state;

/* Since when no connection stands in the queue of a listening socket, as far as this thread's loop has seen. */
typedef struct {
    uint64_t polled_tick; /* the loop's last poll had ended */
    uint64_t empty_tick;  /* the queue of … */
    int32_t listener;     /* … this socket + 1 was empty; 0: none is known */
    uint8_t is_drained;   /* its last accept() found nothing: the next poll tells whether there is something */
} accepting;

/* What a thread is in the middle of, and has recorded nothing of: see held.h. */
typedef struct {
    _Atomic uint64_t tick; /* since when; 0: there is none */
    uint64_t woken_tick;   /* when it has made ready … */
    _Atomic uint32_t woken; /* … this task, 0: none … */
    uint32_t stack;        /* … from here */
    uint32_t what;         /* the task whose step it is, or the callback's function */
    uint8_t kind;          /* REC_STEP_BEGIN or REC_CB_BEGIN */
    uint8_t called;        /* enum called */
} held_entry;

/* The first four lines of the processor's cache are what the hooks of a program with little to do want. */
typedef struct thread_buffer {
    /* producer's own, but for what is atomic, which the consumer reads */
    chunk *write_chunk; /* NULL until it got one */
    uint32_t write_at;
    uint32_t generation;
    uint64_t gap_records;
    uint64_t offered;         /* records, and of these … */
    _Atomic uint64_t dropped; /* … those that there was no room for; the writer reads it */
    uint32_t depth;      /* of `steps`; may exceed STEP_DEPTH; only the first ones are remembered */
    uint32_t loop;       /* id of the loop running on this thread, 0 = none */
    uint32_t poll_depth; /* depth at which this loop polls */
    uint32_t contexts;   /* how many libuv's loop has entered … */
    uint32_t room;       /* the chunk takes records up to here; 0: ring_reserve_slow() has more to do than that */
    uint8_t writing;     /* a record is half written: hooks called from a signal handler do nothing */
    uint8_t poll_waits;  /* the poll in flight was announced by REC_POLL_BEGIN */
    uint8_t in_libuv;    /* libuv runs this loop: its contexts and polls are watched */
    uint8_t is_looked_at; /* it is known whether the thread ran a loop when the recording began … */
    uint8_t is_old_run;   /* … and `loop` is that */
    uint8_t is_adopting;  /* the innermost step but for eager ones is of the kind STEP_ADOPTED */
    /* for gil.c and libc.c: changed only by this thread, while it takes or releases the GIL */
    uint8_t has_gil;
    uint8_t queued;          /* it had to wait for it */
    uint8_t forced;          /* releases it because another thread asked: waits until that one has it */
    uint8_t call_blocks;     /* enum call_class of … */
    uint8_t libc_class;      /* … and of `libc` … */
    _Atomic uint64_t released_tick;  /* 0 while it holds the GIL */
    uint64_t takes_before;   /* number of takes of the GIL by all threads, as of this thread's release */
    uint64_t asked_tick;     /* when it asked for the GIL */
    uint64_t took_tick;      /* when libuv's loop took it to call something, 0: not known, … */
    uint64_t took_records;   /* … and how many records there were by then */
    uint64_t out_tick;       /* when it could run again after releasing it, 0 = at the release */
    uint32_t libc, libc_longest;           /* what strings: current libc call of this release; its longest */
    uint64_t libc_longest_ticks, libc_tick;
    int32_t libc_fd, libc_longest_fd;
    uint32_t call;           /* the known blocking call it is in (what string), 0 = none */
    uint32_t call_serial;    /* number of the call: tells whether two pieces belong to one call */
    const void *call_frame;  /* the Python frame that made it: calls from that frame are part of it */
    uint32_t learned;        /* what string: the unknown C function that … */
    int32_t waited_fd;       /* of the last long call + 1, until its peer has been looked at; 0: none */
    const void *learned_frame; /* … this frame calls */
    uint64_t switches;       /* number of recorded releases: a call compares it before and after */
    _Atomic uint64_t held_call_tick; /* begin of a libc call made with the GIL held */
    _Atomic uint64_t lane_records;   /* REC_TAKE and REC_HELD_CALL written; after the record, before
                                        released_tick and held_call_tick are cleared */
    const void *loop_caller; /* the frame that runs the loop; NULL: known by its code */
    accepting accepts;
    held_entry held;
    uint64_t polled_ns;  /* of an old run: the last poll of uvloop's ended; by the one before … */
    uint32_t old_timers; /* … so many timers from before the recording had called back */
    void *libuv_tstate;      /* `in_libuv`: this thread's state in the interpreter */
    step steps[STEP_DEPTH];
    traffic_state traffic;
    uint64_t gap_tick;
    uint64_t attached_tick;  /* without a GIL: when it attached; 0: its lane has not begun */
    uint8_t libc_longest_class;
    uint64_t left_tick;      /* when the callback that was in the first of these returned, 0: not known, … */
    uint64_t left_records;   /* … and how many records there were by then */
    context_entry entered[CONTEXT_DEPTH]; /* the first of `contexts` */
    greenlet_state greenlets;
    /* shared */
    _Atomic int finished;
    _Atomic(chunk *) first_chunk;
    pid_t tid;
    uint64_t pthread; /* its pthread_t */
    /* consumer's own */
    chunk *read_chunk;
    uint32_t read_at;
    uint64_t read;
    uint8_t shown; /* of the records of what is held, or was, so many are in the trace already */
    void *timeline; /* the consumer's state for this thread */
    void *counters; /* … and the state of signals/kernel/counters.c */
    struct thread_buffer *_Atomic next;
} thread_buffer;

/* The records of what is held, if it lasts. A callback has no handle: no other has this key. */
static inline record ring_held_begun(const thread_buffer *b, uint64_t tick, uint8_t kind, uint8_t called, uint32_t what)
{
    return (record){tick, kind, called, 0, what, kind == REC_CB_BEGIN ? (uint64_t)(uintptr_t)b : 0, 0};
}

static inline record ring_held_woken(uint64_t tick, uint32_t task, uint32_t stack)
{
    return (record){tick, REC_READY, 0, 0, task, stack, 0};
}

extern OURS _Atomic uint32_t ring_generation; /* of the current recording; hooks compare it */
/* Calls and GIL releases shorter than this are not written, unless another thread took the GIL meanwhile. */
extern OURS uint64_t gil_threshold_ticks;
extern OURS uint64_t ring_short_ticks; /* what lasts longer is never one record */
extern OURS _Atomic int ring_active;
extern void (*_Atomic ring_on_first_exit)(void); /* the process's first thread ends: it lives on until the others have */
extern _Atomic(thread_buffer *) ring_threads;
extern const char *ring_task_folder; /* where the kernel lists the threads of this process */
/* If set, called once by the next thread that takes a fresh chunk. */
extern void (*_Atomic ring_on_refill)(void);

/* Control thread only. Returns 0, or -1 if memory is short. */
int ring_start(size_t total_bytes);
void ring_refuse(void);        /* any thread: from now on hooks find no buffer; one may still be writing into its own */
void ring_close(void);         /* afterwards hooks find no buffer, and none is writing into one */
void ring_stop(void);          /* after the consumer has ended; frees what no thread owns */
void ring_forget(void);        /* in a forked child: drops everything without touching it */

/* Sets a static table to 0; in a forked child, without a copy of the parent's pages first. */
void ring_zero(void *table, size_t size);

/* Called by the owning thread; NULL if no recording runs or memory is short. */
thread_buffer *ring_register(void);
record *ring_reserve_slow(thread_buffer *buffer, uint32_t count, uint64_t tick);

/* Consumer only: the next unread record, or NULL. */
record *ring_peek_slow(thread_buffer *buffer);
static inline record *ring_peek(thread_buffer *buffer)
{
    chunk *at = buffer->read_chunk;
    if (at && buffer->read_at < atomic_load_explicit(&at->committed, memory_order_acquire))
        return &at->records[buffer->read_at];
    return ring_peek_slow(buffer);
}
/* Unread records side by side: from the next one, which is NULL if there is none, up to `end`. */
typedef struct {
    const record *next, *end;
} unread_records;
static inline unread_records ring_unread(thread_buffer *buffer)
{
    const record *next = ring_peek(buffer);
    chunk *at = buffer->read_chunk;
    return (unread_records){next, next ? &at->records[atomic_load_explicit(&at->committed, memory_order_acquire)] : NULL};
}
/* Those before `next` have been read. */
static inline void ring_take(thread_buffer *buffer, const record *next)
{
    uint32_t end = (uint32_t)(next - buffer->read_chunk->records);
    buffer->read += end - buffer->read_at;
    buffer->read_at = end;
}
/* The first unread record about the GIL, and the REC_CALL before it; NULL: none (yet). */
const record *ring_look_ahead(const thread_buffer *buffer, const record **call);
void ring_release(thread_buffer *buffer); /* a finished, drained buffer */

#if defined(__GLIBC__)
extern OURS _Thread_local thread_buffer *ring_mine __attribute__((tls_model("initial-exec")));
#else
extern _Thread_local thread_buffer *ring_mine;
#endif

/* Set on a thread of the recorder's own: hooks record nothing there. */
extern _Thread_local int ring_is_hidden;
void ring_let_go(void); /* this thread has no buffer any more, and its end is no event */

/* This thread's buffer, if it has one of this recording already. */
static inline thread_buffer *ring_known(void)
{
    thread_buffer *buffer = ring_mine;
    int is_known = buffer && buffer->generation == atomic_load_explicit(&ring_generation, memory_order_relaxed);
    return __builtin_expect(is_known, 1) ? buffer : NULL;
}

static inline thread_buffer *ring_current(void)
{
    thread_buffer *buffer = ring_known();
    return __builtin_expect(buffer != NULL, 1) ? buffer : ring_register();
}

/* Set if hooks can run on several threads at once, and therefore while a recording ends. */
extern OURS int ring_free_threaded;
/* Called with `writing` set. Returns 0 with `writing` cleared if the recording has ended. */
int ring_is_open(thread_buffer *buffer);

/* Room for `count` adjacent records, or NULL after counting them as dropped. Between reserve and commit no
 * Python code may run (a GC hook would write in between). */
static inline record *ring_reserve(thread_buffer *buffer, uint32_t count, uint64_t tick)
{
    buffer->writing = 1;
    uint32_t at = buffer->write_at;
    if (__builtin_expect(at + count > buffer->room, 0))
        return ring_reserve_slow(buffer, count, tick);
    record *slot = &buffer->write_chunk->records[at];
    NEVER_NULL(slot);
    return slot;
}

/* The chunk takes records up to `end`: `count` more than before. */
static inline void ring_commit_to(thread_buffer *buffer, chunk *written, uint32_t end, uint32_t count)
{
    buffer->write_at = end;
    atomic_store_explicit(&written->committed, end, memory_order_release);
    buffer->offered += count;
    __atomic_store_n(&buffer->writing, 0, __ATOMIC_RELEASE);
}

static inline void ring_commit(thread_buffer *buffer, uint32_t count)
{
    ring_commit_to(buffer, buffer->write_chunk, buffer->write_at + count, count);
}

static inline void ring_emit(thread_buffer *buffer, uint64_t tick, uint8_t kind, uint8_t flag,
                             uint32_t a, uint64_t b, uint64_t c)
{
    record *slot = ring_reserve(buffer, 1, tick);
    if (__builtin_expect(!slot, 0))
        return;
    /* Read before the record is written: the compiler cannot know that this does not change them. */
    chunk *written = buffer->write_chunk;
    uint32_t end = buffer->write_at + 1;
    *slot = (record){tick, kind, flag, 0, a, b, c};
    ring_commit_to(buffer, written, end, 1);
}

/* The same on a thread that has released the GIL: the recording may end meanwhile. */
static inline void ring_emit_detached(thread_buffer *buffer, uint64_t tick, uint8_t kind, uint32_t a, uint64_t b)
{
    buffer->writing = 1;
    if (ring_is_open(buffer))
        ring_emit(buffer, tick, kind, 0, a, b, 0);
}

/* The last of the records just committed is one about the GIL. */
static inline void ring_count_lane(thread_buffer *buffer)
{
    atomic_store_explicit(&buffer->lane_records,
        atomic_load_explicit(&buffer->lane_records, memory_order_relaxed) + 1, memory_order_release);
}

/* Writes a record followed by text, which it escapes (ring/text.h) and cuts at 1,000 bytes; b is the length. */
void ring_emit_text(thread_buffer *buffer, uint8_t kind, uint8_t flag, uint32_t a,
                    const char *text, size_t length, uint64_t c);

#endif
