/* The head of a file of a flight recording: what was alive when the file began. */
#ifndef TRACER_TIMELINE_HEAD_H
#define TRACER_TIMELINE_HEAD_H

#include "timeline/model.h"

/* Writes the slices that are open, with their true begins, the tasks they belong to, the value of each counter at
 * `ns`, the loops that run, and what has been said for good. What is kept (packets/kept.h) stays as it is. */
void timeline_head(timeline *t, uint64_t ns);

#endif
