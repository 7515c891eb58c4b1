/* What reaches the writer besides the rings' records: context switches, CPU times, CPU samples.
 *
 * Signals provide these and the writer consumes them; neither knows the other, both know this file. */
#ifndef TRACER_SOURCES_H
#define TRACER_SOURCES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct thread_buffer;

/* --- the kernel's state of a thread, from some moment on --- */

enum kernel_state {
    KERNEL_UNKNOWN,
    KERNEL_ON,        /* on a CPU */
    KERNEL_OFF,       /* off it: blocked */
    KERNEL_PREEMPTED, /* off it: could run, but another thread does */
    KERNEL_EXIT,      /* gone */
    KERNEL_LOST,      /* of every thread (tid 0): unknown until its next state */
};

/* From `ns` on the thread is in `state`. KERNEL_LOST has tid 0 and how many records are missing:
 * the state of every thread is unknown until its next record. */
typedef void kernel_handler(void *context, uint32_t tid, uint64_t ns, enum kernel_state state, uint64_t lost);

/* --- or, without these, its counters --- */

typedef struct {
    uint64_t ns; /* when they were read; 0 = never */
    uint64_t cpu_ns, delay_ns; /* cumulative: on a CPU; waiting for one */
    uint8_t has_cpu, has_delay;
} cpu_times;

/* All called on the writer's thread, attached to no interpreter. */
typedef struct {
    /* Passes on the states up to `until_ns` in time order, and keeps later ones for the next call.
     * `until_ns` must be in the past, so that all of them have been written. Returns the time of the next
     * state seen, UINT64_MAX if none was seen (or there are none at all): before that time a call does
     * nothing. */
    uint64_t (*feed)(uint64_t until_ns, kernel_handler *handler, void *context);
    /* After the last feed: reports losses that no later record has reported. Returns how many of our
     * descriptors the program has closed: the switches of their threads are missing since. */
    int (*finish)(kernel_handler *handler, void *context);
    int (*counts)(void); /* whether counters are read instead */
    /* Reads a thread's counters. Returns 1 if it is the first thread without (some of) them. */
    int (*count)(struct thread_buffer *thread, cpu_times *now);
    void (*forget)(struct thread_buffer *thread); /* it is about to end */
    /* Where the numbers of its open descriptors are; at most so many. Not only on the writer's thread. */
    size_t (*descriptors)(int **numbers, size_t most);
    void (*ignore)(uint32_t tid); /* one of the recorder's own threads, not to be reported */
    void (*stop)(void); /* when no writer runs any more: frees and closes everything */
} kernel_source_table;

/* --- who keeps memory, asked by another process --- */

/* All called on the writer's thread; they return at once. */
typedef struct {
    /* Has somebody look, for `most_ms`, if the GIL is free within `patience_ms`. Returns NULL, or why not. */
    const char *(*ask)(const char *site, uint32_t patience_ms, uint32_t most_ms);
    int (*answer)(const char **text); /* whether it is there: lines, of which the first says what the others are */
    void (*give_up)(void);            /* nobody waits for the answer any more */
} keeper_source_table;

/* --- CPU samples --- */

enum { SAMPLE_FRAMES = 128 }; /* the innermost ones are kept */

enum sample_flag {
    SAMPLE_TRUNCATED = 1, /* there are more callers */
    SAMPLE_BROKEN = 2,    /* the walk met something that is not a frame: callers are missing */
    SAMPLE_FOREIGN = 4,   /* the thread runs no Python of the main interpreter */
    SAMPLE_UNSAMPLED = 8, /* CPU time in which no signal was delivered */
    SAMPLE_LOST = 16,     /* no room in the ring */
};

/* A place in a function. `line` 0 = unknown. */
typedef struct {
    uint32_t function; /* string id: qualified name */
    uint32_t path;     /* string id */
    uint32_t line;
} sample_place;

typedef struct {
    uint64_t tick;
    pid_t tid;
    uint32_t periods; /* how many sampling periods of CPU time it stands for, at least 1 */
    uint32_t flags;   /* enum sample_flag */
    uint32_t call;    /* string id of the call of C code that the innermost place is in; 0: none that is known */
    uint32_t count;
    sample_place places[SAMPLE_FRAMES]; /* innermost first */
} sample;

typedef void sample_handler(void *context, const sample *one);

/* All called on the writer's thread, attached to no interpreter. */
typedef struct {
    uint32_t (*hz)(void); /* 0: no samples in this recording */
    void (*drain)(uint64_t horizon_tick, sample_handler *each, void *context);
    /* Arms new threads and retires ended ones. Reports CPU time in which no signal was delivered. */
    void (*look_for_threads)(uint64_t tick, sample_handler *each, void *context);
    void (*close)(void); /* after the last sample has been drained */
} sample_source_table;

#endif
