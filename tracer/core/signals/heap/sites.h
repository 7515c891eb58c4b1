/* The live sampled blocks, by the lines that allocated them. */
#ifndef TRACER_HEAP_SITES_H
#define TRACER_HEAP_SITES_H

#include "python/compat.h"

extern PyMethodDef sites_methods[];

#endif
