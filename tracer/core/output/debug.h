/* TRACER_DEBUG: lines on stderr about a recording, as it goes on. */
#ifndef TRACER_DEBUG_H
#define TRACER_DEBUG_H

#include "output/control.h"

typedef struct {
    uint32_t schedule_ms; /* 0: none */
    int details, collections;
} debug_wishes;

void debug_start(debug_wishes wishes); /* any thread */
void debug_tell(const control_facts *facts); /* the writer's thread, after each pass */
void debug_stop(void);
/* Whether it writes, or may, to the program's stderr. */
int debug_is_on(void);
void debug_forget(void); /* in a forked child */

#endif
