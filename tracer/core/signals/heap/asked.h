/* Who keeps the objects of a line, asked by another process: a thread of our own has Python code look. */
#ifndef TRACER_HEAP_ASKED_H
#define TRACER_HEAP_ASKED_H

#include "python/compat.h"
#include "ring/sources.h"

extern const keeper_source_table keeper_source;

int asked_may_come(void); /* the thread, which has the table of descriptors of the one that starts it: the writer */
int asked_is_over(void);  /* this thread looks for somebody who waits no longer, or must not go on */
void asked_end(void);     /* detached: ends the search, and waits for that a second at most */
void asked_forget(void);  /* in a forked child: the thread is the parent's */

extern PyMethodDef asked_methods[];

#endif
