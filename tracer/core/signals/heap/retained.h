/* Who keeps the live sampled objects of a line: found on request, a little at a time. */
#ifndef TRACER_HEAP_RETAINED_H
#define TRACER_HEAP_RETAINED_H

#include "python/compat.h"

void retained_forget(void); /* in a forked child: the thread that looked is the parent's */

extern PyMethodDef retained_methods[];

#endif
