/* How children ended, as os.waitpid() and the like tell who waits for them. */
#ifndef TRACER_REAPED_H
#define TRACER_REAPED_H

#include "python/compat.h"

extern PyMethodDef reaped_methods[];

#endif
