/* gc.c's part of the module. */
#ifndef TRACER_GC_H
#define TRACER_GC_H

#include "python/compat.h"

extern PyMethodDef gc_methods[];

#endif
