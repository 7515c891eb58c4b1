/* What threads hold in their buffers, and what that became: see ring/held.h. */
#ifndef TRACER_OUTPUT_HELD_H
#define TRACER_OUTPUT_HELD_H

#include "output/ticks.h"
#include "ring/ring.h"
#include "timeline/timeline.h"

/* Handles a REC_STEP_SHORT or a REC_CB_SHORT, which has ended at `ns`, as the records that it stands for. */
void held_handle(timeline *line, const tick_line *ticks, thread_buffer *b, const record *r, uint64_t ns);
/* The next unread record behind those that held_show() has shown already. */
const record *held_pass(thread_buffer *b, const record *r);
/* Shows what the thread has held since before the horizon, and how what ended only after that began; all, if it is the
 * `last` time. */
void held_show(timeline *line, const tick_line *ticks, thread_buffer *b, int last);

#endif
