/* Reads attributes of the program's objects without running code of the program. */
#ifndef TRACER_PLAIN_H
#define TRACER_PLAIN_H

#include "python/compat.h"

/* The attribute, as a new reference, where it is data: in the instance's dictionary, a slot, or of the class. NULL, without
 * an exception, where a property or the like would have to compute it, and where there is none. `object` may be NULL. */
PyObject *plain_attribute(PyObject *object, PyObject *name);
/* The same along a tuple of names, each an attribute of the one before. */
PyObject *plain_path(PyObject *object, PyObject *names);

#endif
