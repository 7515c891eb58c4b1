/* What reaches the writer besides the rings' records: context switches, CPU times, CPU samples.
 *
 * Signals hand these out and the writer takes them; neither knows the other, both know this. */
#ifndef TRACER_SOURCES_H
#define TRACER_SOURCES_H

#include <stdint.h>
#include <sys/types.h>

struct thread_buffer;

/* --- what the kernel does with a thread, from some moment on --- */

enum kernel_state {
    KERNEL_UNKNOWN,
    KERNEL_ON,        /* on a CPU */
    KERNEL_OFF,       /* off it: blocked */
    KERNEL_PREEMPTED, /* off it: would run, another does */
    KERNEL_EXIT,      /* gone */
    KERNEL_LOST,      /* of every thread (tid 0): unknown until its next state */
};

/* From `ns` on the thread is in `state`. KERNEL_LOST has tid 0 and how many records are missing:
 * the state of every thread is unknown until its next record. */
typedef void kernel_handler(void *context, uint32_t tid, uint64_t ns, enum kernel_state state, uint64_t lost);

/* --- or, without these, what its counters say --- */

typedef struct {
    uint64_t ns; /* when they were read; 0 = never */
    uint64_t cpu_ns, delay_ns; /* cumulative: on a CPU; waiting for one */
    uint8_t has_cpu, has_delay;
} cpu_times;

/* On the writer's thread; attached to no interpreter. */
typedef struct {
    /* Hands out the states up to `until_ns` in time order, and keeps later ones for the next call. All
     * must have been written by then: ask for the past only. Returns the time of the next one seen,
     * UINT64_MAX if none was (or there are none to be had): until then a call is idle. */
    uint64_t (*feed)(uint64_t until_ns, kernel_handler *handler, void *context);
    /* After the last feed: reports losses that no later event reported. Returns how
     * many of our descriptors the program has closed: of threads whose switches are missing since. */
    int (*finish)(kernel_handler *handler, void *context);
    int (*counts)(void); /* whether counters are on instead */
    /* What a thread's counters say. Returns 1 when it is the first that cannot have (all of) them. */
    int (*count)(struct thread_buffer *thread, cpu_times *now);
    void (*forget)(struct thread_buffer *thread); /* which is about to go */
    void (*ignore)(uint32_t tid); /* a thread of the recorder, to be left out */
    void (*stop)(void); /* no writer runs any more: frees and closes everything */
} kernel_source_table;

/* --- CPU samples --- */

enum { SAMPLE_FRAMES = 128 }; /* the innermost ones are kept */

enum sample_flag {
    SAMPLE_TRUNCATED = 1, /* there are more callers */
    SAMPLE_BROKEN = 2,    /* the walk met something that is no frame: callers are missing */
    SAMPLE_FOREIGN = 4,   /* the thread runs no Python of the main interpreter */
    SAMPLE_UNSAMPLED = 8, /* CPU time in which no signal came through */
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
    uint32_t count;
    sample_place places[SAMPLE_FRAMES]; /* innermost first */
} sample;

typedef void sample_handler(void *context, const sample *one);

/* On the writer's thread; attached to no interpreter. */
typedef struct {
    uint32_t (*hz)(void); /* 0: no samples in this recording */
    void (*drain)(uint64_t horizon_tick, sample_handler *each, void *context);
    /* Arms the threads that have come, retires those that have gone. Tells of CPU time in which no
     * signal came through. */
    void (*look_for_threads)(sample_handler *each, void *context);
    void (*close)(void); /* the last sample has been taken out */
} sample_source_table;

#endif
