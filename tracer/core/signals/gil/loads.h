/* loads.c's part of the module. */
#ifndef TRACER_LOADS_H
#define TRACER_LOADS_H

#include "python/compat.h"

extern PyMethodDef loads_methods[];

#endif
