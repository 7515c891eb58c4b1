/* Tasks that begin their first step while being created: `Task(…, eager_start=True)`, whoever calls it. */
#ifndef TRACER_EAGER_H
#define TRACER_EAGER_H

#include "python/compat.h"
#include "ring/ring.h"

/* A C task is initialized by its type's tp_init, and so are those of subclasses without their own. */
void eager_watch(PyTypeObject *task_type);
void eager_unwatch(void);

/* A pure-Python task is about to begin its first step. */
void eager_begins(thread_buffer *b, PyObject *task);

#endif
