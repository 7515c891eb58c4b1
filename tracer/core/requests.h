/* requests.c's part of the module. */
#ifndef TRACER_REQUESTS_H
#define TRACER_REQUESTS_H

#include "python/compat.h"

extern PyMethodDef requests_methods[];

#endif
