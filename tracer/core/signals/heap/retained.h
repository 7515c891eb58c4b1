/* Who keeps the live sampled objects of a line: found on request, a little at a time. */
#ifndef TRACER_HEAP_RETAINED_H
#define TRACER_HEAP_RETAINED_H

#include "python/compat.h"

extern PyMethodDef retained_methods[];

#endif
