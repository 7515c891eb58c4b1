/* Converts ticks to ns. */
#include "output/ticks.h"

static void remember(tick_line *line, clock_pair pair)
{
    line->pairs[line->count++ % TICK_PAIRS] = pair;
}

void ticks_begin(tick_line *line)
{
    line->from = line->to = line->read = clock_take_pair();
    line->count = 0;
    remember(line, line->from);
    line->ns_per_tick = 1.0; /* until the second mark is set, and only for records as old as the first */
}

static void go_to(tick_line *line, clock_pair mark)
{
    clock_pair from = line->to;
    if (mark.tick <= from.tick || mark.ns < from.ns)
        return;
    line->ns_per_tick = (double)(mark.ns - from.ns) / (double)(mark.tick - from.tick);
    line->to = mark;
    remember(line, mark);
}

void ticks_go_to_reading(tick_line *line)
{
    go_to(line, line->read);
}

void ticks_go_before(tick_line *line, clock_pair now, uint64_t ns)
{
    uint64_t wanted_ns = now.ns - ns;
    int is_past = wanted_ns <= line->read.ns; /* two readings lie close together */
    clock_pair from = is_past ? line->to : line->read, to = is_past ? line->read : now;
    if (wanted_ns <= from.ns || wanted_ns > to.ns)
        return;
    double ticks_per_ns = (double)(to.tick - from.tick) / (double)(to.ns - from.ns);
    go_to(line, (clock_pair){from.tick + (uint64_t)((double)(wanted_ns - from.ns) * ticks_per_ns), wanted_ns});
}

void ticks_advance(tick_line *line, clock_pair now)
{
    line->from = line->to;
    line->read = now;
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
