/* testing.c's part of the module. */
#ifndef TRACER_TESTING_H
#define TRACER_TESTING_H

#include "python/compat.h"

int testing_exec(PyObject *module);
extern PyMethodDef testing_methods[];

#endif
