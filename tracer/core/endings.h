/* Ways to end the process that run no exit functions: os._exit, os.abort, exec, a deadly signal. */
#ifndef TRACER_ENDINGS_H
#define TRACER_ENDINGS_H

#include "python/compat.h"

extern PyMethodDef endings_methods[];

#endif
