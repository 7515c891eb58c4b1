/* A process that is nobody's child: the program that starts it neither waits for it nor hears of its end. */
#ifndef TRACER_DETACHED_H
#define TRACER_DETACHED_H

#include "python/compat.h"

extern PyMethodDef detached_methods[];

#endif
