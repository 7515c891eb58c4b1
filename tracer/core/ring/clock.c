/* Chooses the tick source and takes (tick, CLOCK_MONOTONIC) pairs. */
#include "ring/clock.h"

#include <stdio.h>
#include <string.h>

#include "ring/hot.h"

HOT_DATA int clock_source_now = CLOCK_SOURCE_MONOTONIC;
HOT_DATA uint64_t clock_fake_tick;

enum { PAIR_TRIES = 5, RATE_NS = 200 * 1000 };
static double ticks_per_ns = 1.0;

uint64_t clock_ns_of(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int file_has_word(const char *path, const char *word)
{
    char line[8192];
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    int found = 0;
    while (!found && fgets(line, sizeof line, file))
        found = strstr(line, word) != NULL;
    fclose(file);
    return found;
}

/* Accurate to about 1 %: for thresholds only. */
static void measure_rate(void)
{
    if (clock_source_now != CLOCK_SOURCE_COUNTER)
        return;
    clock_pair from = clock_take_pair(), to;
    do
        to = clock_take_pair();
    while (to.ns < from.ns + RATE_NS);
    ticks_per_ns = (double)(to.tick - from.tick) / (double)(to.ns - from.ns);
}

/* The kernel uses the TSC as its clocksource only after checking that it is invariant and synchronous
 * between cores, so reading that file is test enough. */
void clock_choose(void)
{
    static int is_chosen; /* forked children have the same clock */
    if (clock_source_now == CLOCK_SOURCE_FAKE || is_chosen)
        return;
    is_chosen = 1;
    clock_source_now = CLOCK_SOURCE_MONOTONIC;
#if defined(__linux__) && defined(__x86_64__)
    static const char path[] = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    if (file_has_word(path, "tsc"))
        clock_source_now = CLOCK_SOURCE_COUNTER;
#elif defined(__linux__) && defined(__aarch64__)
    static const char path[] = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    if (file_has_word(path, "arch_sys_counter"))
        clock_source_now = CLOCK_SOURCE_COUNTER;
#endif
    measure_rate();
}

HOT uint64_t clock_ticks_of(uint64_t ns)
{
    return (uint64_t)((double)ns * ticks_per_ns);
}

/* Takes a few pairs and keeps the one whose two counter reads lie closest together. */
clock_pair clock_take_pair(void)
{
    clock_pair best = {0, 0};
    if (clock_source_now == CLOCK_SOURCE_FAKE)
        return (clock_pair){clock_fake_tick, clock_fake_tick};
    if (clock_source_now == CLOCK_SOURCE_MONOTONIC) {
        best.tick = best.ns = clock_ns_of(CLOCK_MONOTONIC);
        return best;
    }
    uint64_t best_width = UINT64_MAX;
    for (int i = 0; i < PAIR_TRIES; i++) {
        uint64_t before = clock_counter();
        uint64_t ns = clock_ns_of(CLOCK_MONOTONIC);
        uint64_t width = clock_counter() - before;
        if (width < best_width) {
            best_width = width;
            best = (clock_pair){before + width / 2, ns};
        }
    }
    return best;
}
