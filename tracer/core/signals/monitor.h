/* monitor.c's part of the module. */
#ifndef TRACER_MONITOR_H
#define TRACER_MONITOR_H

#include "python/compat.h"

extern PyMethodDef monitor_methods[];

#endif
