/* Where every thread is, on request: a record for each with its stack. */
#ifndef TRACER_WHERE_H
#define TRACER_WHERE_H

#include "python/compat.h"

/* Any thread; returns at once. A thread of our own waits for the GIL, marks all stacks, and ends; the recording does not
 * show it. Nothing happens while one is at work, or where threads run without a GIL. */
void where_ask(void);
void where_await(void); /* detached: until no such thread is at work any more */
void where_forget(void); /* in a forked child: the thread is the parent's */

extern PyMethodDef where_methods[];

#endif
