/* processes.c's part of the module. */
#ifndef TRACER_PROCESSES_H
#define TRACER_PROCESSES_H

#include "python/compat.h"

extern PyMethodDef processes_methods[];

#endif
