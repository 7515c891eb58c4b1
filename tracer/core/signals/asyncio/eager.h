/* Tasks that begin their first step as they are made: `Task(…, eager_start=True)`, whoever calls it. */
#ifndef TRACER_EAGER_H
#define TRACER_EAGER_H

#include "python/compat.h"
#include "ring/ring.h"

/* A task of C is made by its type's tp_init, and so are those of the subclasses that have no other. */
void eager_watch(PyTypeObject *task_type);
void eager_unwatch(void);

/* A task of Python, about to begin its first step. */
void eager_begins(thread_buffer *b, PyObject *task);

#endif
