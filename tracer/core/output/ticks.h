/* The recorder's clock on a line: ticks that hooks have read, to ns.
 *
 * Pairs of a tick and a time are taken at each pass of the writer. */
#ifndef TRACER_TICKS_H
#define TRACER_TICKS_H

#include <stdint.h>

#include "ring/clock.h"

enum { TICK_PAIRS = 4096 };

typedef struct {
    clock_pair from, to; /* ticks are converted on the line through these two; `to` is the latest pair */
    double ns_per_tick;
    clock_pair pairs[TICK_PAIRS]; /* the latest ones, to convert older ticks */
    uint64_t count;
} tick_line;

void ticks_begin(tick_line *line);
/* The line from now on: through the two latest pairs. */
void ticks_turn(tick_line *line);
/* `now` becomes the latest pair. */
void ticks_advance(tick_line *line, clock_pair now);
uint64_t ticks_convert(const tick_line *line, uint64_t tick);
/* Converts a tick of any age; 0 stays 0. Once pairs cover a tick, it always converts to the same time. */
uint64_t ticks_convert_past(const tick_line *line, uint64_t tick);

#endif
