/* Child processes that Python code starts: os.fork, os.posix_spawn, subprocess, os.system, uvloop. */
#ifndef TRACER_CHILDREN_H
#define TRACER_CHILDREN_H

#include "python/compat.h"
#include "ring/ring.h"

#include <stdatomic.h>
#include <stdint.h>

/* Children that the functions have started in this recording, and those of them that were to record themselves. */
extern _Atomic uint64_t children_started, children_followed;

/* Another way to start one has succeeded: uvloop's. `words`: program and arguments; NULL ends them. Attached. */
void children_spawned(int64_t pid, char *const *words);

/* This process has a name now: a text, or the `_name` of a multiprocessing.Process. */
void children_on_name(thread_buffer *b, PyObject *named);

extern PyMethodDef children_methods[];

#endif
