/* The local variables of all calls: where a search for what keeps an object begins. */
#ifndef TRACER_HEAP_VARIABLES_H
#define TRACER_HEAP_VARIABLES_H

#include "python/compat.h"

extern PyMethodDef variables_methods[];

#endif
