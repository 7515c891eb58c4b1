/* Child processes that Python code starts: os.fork, os.posix_spawn, subprocess, os.system. */
#ifndef TRACER_CHILDREN_H
#define TRACER_CHILDREN_H

#include "python/compat.h"

#include <stdatomic.h>
#include <stdint.h>

/* Children that the functions have started in this recording. */
extern _Atomic uint64_t children_started;

extern PyMethodDef children_methods[];

#endif
