/* The trace clock: raw ticks on the hot path, CLOCK_MONOTONIC ns after conversion.
 *
 * A tick is the TSC (x86) or the generic counter (arm64) where the kernel itself keeps time
 * with it, else CLOCK_MONOTONIC. The writer turns ticks into ns by interpolating between
 * pairs taken at the same instant; tests replace the source and drive it by hand. */
#ifndef TRACER_CLOCK_H
#define TRACER_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "ring/hot.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

enum clock_source { CLOCK_SOURCE_MONOTONIC, CLOCK_SOURCE_COUNTER, CLOCK_SOURCE_FAKE };

typedef struct {
    uint64_t tick;
    uint64_t ns;
} clock_pair;

extern OURS int clock_source_now;   /* enum clock_source; set before any hook is armed */
extern uint64_t clock_fake_tick;    /* the value of CLOCK_SOURCE_FAKE */

/* Picks the cheapest source that is reliable on this machine. */
void clock_choose(void);
clock_pair clock_take_pair(void);
uint64_t clock_ns_of(clockid_t id);
uint64_t clock_ticks_of(uint64_t ns); /* approximate; for thresholds */

static inline uint64_t clock_counter(void)
{
#if defined(__x86_64__)
    return __rdtsc();
#elif defined(__aarch64__)
    uint64_t value;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(value));
    return value;
#else
    return clock_ns_of(CLOCK_MONOTONIC);
#endif
}

/* Whether clock_counter() is the tick. A hook that looks first, and leaves all else to another function, calls nothing:
 * then it has nothing to save. */
static inline int clock_is_counter(void)
{
    return __builtin_expect(clock_source_now == CLOCK_SOURCE_COUNTER, 1);
}

static inline uint64_t clock_tick(void)
{
    if (clock_is_counter())
        return clock_counter();
    if (clock_source_now == CLOCK_SOURCE_FAKE)
        return clock_fake_tick;
    return clock_ns_of(CLOCK_MONOTONIC);
}

/* The read is ordered after the instructions before it: else a processor may read its counter early, while
 * it still waits for a mutex that another thread holds. */
static inline uint64_t clock_tick_in_order(void)
{
#if defined(__x86_64__)
    _mm_lfence();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
    return clock_tick();
}

/* Maps a tick onto the line through two pairs; exact at both. */
static inline uint64_t clock_convert(clock_pair from, double ns_per_tick, uint64_t tick)
{
    double ns = (double)(int64_t)(tick - from.tick) * ns_per_tick;
    return from.ns + (uint64_t)(int64_t)ns;
}

#endif
