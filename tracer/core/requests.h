/* requests.c's part of the module. */
#ifndef TRACER_REQUESTS_H
#define TRACER_REQUESTS_H

#include "python/compat.h"
#include "python/forking.h"

extern const forking_thread requests_thread;
extern PyMethodDef requests_methods[];

#endif
