/* launch.c's part of the module. */
#ifndef TRACER_LAUNCH_H
#define TRACER_LAUNCH_H

#include "python/compat.h"

extern void (*launch_on_begin)(void); /* called before the first instruction of __main__ */
extern PyMethodDef launch_methods[];

#endif
