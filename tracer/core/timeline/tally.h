/* Counters of the recording so far: what `tracer top` and `tracer metrics` show of a live program.
 *
 * Each counts what the timeline writes, as it writes it: a slice that ends adds its length. So they and the trace
 * say the same. Kept on the writer's thread; they cost the program nothing. */
#ifndef TRACER_TIMELINE_TALLY_H
#define TRACER_TIMELINE_TALLY_H

#include <stdint.h>

/* Lengths by size: four buckets to each power of two, from 1 µs to more than a minute. */
enum { TALLY_LOWEST_BITS = 10, TALLY_PER_OCTAVE = 4, TALLY_BUCKETS = 27 * TALLY_PER_OCTAVE };

typedef struct {
    uint64_t count, ns, longest_ns;
} tally_spans;

typedef struct {
    tally_spans all;
    uint64_t buckets[TALLY_BUCKETS];
} tally_sizes;

/* Of a coroutine function. */
typedef struct {
    uint32_t func;
    uint32_t live; /* tasks now */
    uint64_t made;
    tally_spans running, ready, await;
} tally_coroutine;

/* The states of a thread as reports name them. */
enum tally_state {
    TALLY_RUNNING,
    TALLY_GIL_WAIT,
    TALLY_LOCK,
    TALLY_IO,
    TALLY_SLEEP,
    TALLY_NATIVE,
    TALLY_PREEMPTED,
    TALLY_OFF_CPU,
    TALLY_STATES
};

/* Tasks at a moment. */
typedef struct {
    uint32_t tasks, ready, running, awaiting;
    uint64_t oldest_ready_ns; /* since when the task that is ready longest has been so; 0: none is */
} tally_tasks;

typedef struct {
    uint64_t ns[TALLY_STATES];
    uint64_t held_ns; /* of these, with the GIL */
} tally_thread;

typedef struct {
    uint64_t number; /* from 1 */
    uint64_t begin_ns, end_ns, collected, uncollectable;
    uint32_t generation, tid;
    int64_t heap_before, heap_after; /* bytes, where allocations are recorded, else -1 */
} tally_collection;

enum { TALLY_GENERATIONS = 3, TALLY_COLLECTIONS = 64 };

typedef struct {
    tally_spans spans[TALLY_GENERATIONS];
    uint64_t collected[TALLY_GENERATIONS], uncollectable[TALLY_GENERATIONS];
    uint64_t count;
    tally_collection last[TALLY_COLLECTIONS]; /* number N is at N % TALLY_COLLECTIONS */
} tally_gc;

static inline void tally_span(tally_spans *spans, uint64_t ns)
{
    spans->count++;
    spans->ns += ns;
    if (ns > spans->longest_ns)
        spans->longest_ns = ns;
}

static inline uint32_t tally_bucket(uint64_t ns)
{
    if (ns < 1u << TALLY_LOWEST_BITS)
        return 0;
    uint32_t octave = 63u - (uint32_t)__builtin_clzll(ns);
    uint32_t part = (uint32_t)(ns >> (octave - 2)) & (TALLY_PER_OCTAVE - 1);
    uint32_t bucket = (octave - TALLY_LOWEST_BITS) * TALLY_PER_OCTAVE + part + 1;
    return bucket < TALLY_BUCKETS ? bucket : TALLY_BUCKETS - 1;
}

static inline void tally_size(tally_sizes *sizes, uint64_t ns)
{
    tally_span(&sizes->all, ns);
    sizes->buckets[tally_bucket(ns)]++;
}

/* The length that those in the bucket are below; 0: the last one, which has no limit. */
uint64_t tally_limit(uint32_t bucket);
/* The limit of the bucket in which the wanted share, in thousandths, of the lengths that came since `before` is
 * reached; at most the longest ever. 0: none came. */
uint64_t tally_quantile(const tally_sizes *now, const tally_sizes *before, uint32_t thousandths);
void tally_collected(tally_gc *gc, tally_collection one);
void tally_add(tally_thread *to, const tally_thread *from);

#endif
