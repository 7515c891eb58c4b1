/* gevent's hub: what is scheduled on its loop, and when that loop is idle. */
#ifndef TRACER_HUB_H
#define TRACER_HUB_H

#include "python/compat.h"

extern PyMethodDef hub_methods[];

#endif
