/* Makers: the calls whose lines allocated sampled blocks, and whether they have returned. */
#ifndef TRACER_HEAP_MAKERS_H
#define TRACER_HEAP_MAKERS_H

#include "python/compat.h"
#include "ring/records.h"

int makers_start(void); /* attached, and not in a hook; 0, or -1 with an exception */
/* The number of the call in which the innermost line of the program runs, the same as long as it has not returned;
 * 0: unknown. Attached; in a hook, too. */
uint32_t makers_number(PyThreadState *attached);
/* Any thread; `attached` is its state, or NULL. */
enum maker_state makers_state(uint32_t number, PyThreadState *attached);
/* The numbers of those that have not returned, at most MAKERS_MOST; returns how many. Attached. */
enum { MAKERS_MOST = 1024 + 64 };
uint32_t makers_running(uint32_t numbers[MAKERS_MOST], PyThreadState *attached);

#endif
