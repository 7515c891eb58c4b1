/* uvloop: trampolines around what a program calls on its loops, and around its callbacks. */
#ifndef TRACER_UVLOOP_H
#define TRACER_UVLOOP_H

#include "python/compat.h"

void uvloop_unwatch(void);

extern PyMethodDef uvloop_methods[];

#endif
