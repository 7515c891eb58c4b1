/* Converts ticks to ns. */
#include "output/ticks.h"

static void remember(tick_line *line, clock_pair pair)
{
    line->pairs[line->count++ % TICK_PAIRS] = pair;
}

void ticks_begin(tick_line *line)
{
    line->from = line->to = clock_take_pair();
    line->count = 0;
    remember(line, line->from);
    line->ns_per_tick = 1.0; /* until the second pair is taken, and only for records as old as the first */
}

void ticks_turn(tick_line *line)
{
    clock_pair from = line->from, to = line->to;
    if (to.tick > from.tick)
        line->ns_per_tick = (double)(to.ns - from.ns) / (double)(to.tick - from.tick);
}

void ticks_advance(tick_line *line, clock_pair now)
{
    line->from = line->to;
    line->to = now;
    remember(line, now);
}

uint64_t ticks_convert(const tick_line *line, uint64_t tick)
{
    return clock_convert(line->from, line->ns_per_tick, tick);
}

uint64_t ticks_convert_past(const tick_line *line, uint64_t tick)
{
    if (!tick || tick >= line->from.tick)
        return tick ? ticks_convert(line, tick) : 0;
    uint64_t oldest = line->count > TICK_PAIRS ? line->count - TICK_PAIRS : 0, low = oldest, high = line->count - 1;
    while (high - low > 1) {
        uint64_t middle = (low + high) / 2;
        if (line->pairs[middle % TICK_PAIRS].tick <= tick)
            low = middle;
        else
            high = middle;
    }
    clock_pair before = line->pairs[low % TICK_PAIRS], after = line->pairs[high % TICK_PAIRS];
    if (after.tick <= before.tick)
        return ticks_convert(line, tick);
    return clock_convert(before, (double)(after.ns - before.ns) / (double)(after.tick - before.tick), tick);
}
