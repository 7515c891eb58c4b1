/* Tasks whose exception nobody retrieves. Attached; no exception is left set. */
#ifndef TRACER_UNASKED_H
#define TRACER_UNASKED_H

#include "python/compat.h"
#include "ring/ring.h"

void unasked_failed(PyObject *task, uint32_t id, uint32_t exception); /* its class's name (string) */
void unasked_close(PyObject *loop);
void unasked_watch(PyTypeObject *c_task);
void unasked_unwatch(void);
void unasked_leave_parent(void);

#endif
