/* The recorder's clock on a line: ticks that hooks have read, to ns.
 *
 * The writer goes from mark to mark, each a tick and its time. At each pass it reads the clock; the mark lies there, or a
 * little earlier on the line from the reading before. */
#ifndef TRACER_TICKS_H
#define TRACER_TICKS_H

#include <stdint.h>

#include "ring/clock.h"

enum { TICK_PAIRS = 4096 };

typedef struct {
    clock_pair from, to; /* ticks are converted on the line through these two marks; `to` is the latest */
    clock_pair read;     /* the latest reading */
    double ns_per_tick;
    clock_pair pairs[TICK_PAIRS]; /* the latest marks, to convert older ticks */
    uint64_t count;
} tick_line;

void ticks_begin(tick_line *line);
/* Sets the next mark where the clock was read last. */
void ticks_go_to_reading(tick_line *line);
/* Sets it so long before `now`, a new reading; leaves it if that is not later. */
void ticks_go_before(tick_line *line, clock_pair now, uint64_t ns);
/* `now` is the latest reading; what comes lies beyond the latest mark. */
void ticks_advance(tick_line *line, clock_pair now);
static inline uint64_t ticks_convert(const tick_line *line, uint64_t tick)
{
    return clock_convert(line->from, line->ns_per_tick, tick);
}
/* Converts a tick of any age; 0 stays 0. Once marks cover a tick, it always converts to the same time. */
uint64_t ticks_convert_past(const tick_line *line, uint64_t tick);

#endif
