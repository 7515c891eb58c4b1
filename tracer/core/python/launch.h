/* launch.c's part of the module. */
#ifndef TRACER_LAUNCH_H
#define TRACER_LAUNCH_H

#include "python/compat.h"

extern PyMethodDef launch_methods[];

#endif
