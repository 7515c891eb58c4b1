/* What the process of a trace is called. */
#ifndef TRACER_TIMELINE_PROCESS_H
#define TRACER_TIMELINE_PROCESS_H

#include "timeline/model.h"

/* By the program, from now on. */
void process_call(timeline *t, const char *name, size_t length);
/* By its command line, if the program has not called it anything. */
void process_call_by_program(timeline *t);
/* From time to time: a program has a second to say it. */
void process_look(timeline *t, uint64_t ns);

#endif
