/* Switches between greenlets: trampolines around switch() and throw(), for Python and for C. */
#ifndef TRACER_SWITCHES_H
#define TRACER_SWITCHES_H

#include "python/compat.h"
#include "ring/ring.h"

/* The greenlet that a callback switches to, borrowed; NULL: it is another callback. */
PyObject *switches_target(PyObject *callback);
/* The greenlet is to run as soon as its hub comes to it. */
void switches_ready(thread_buffer *b, uint64_t tick, PyObject *greenlet);

extern PyMethodDef switches_methods[];

#endif
