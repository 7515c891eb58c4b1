/* recording.c's part of the module. */
#ifndef TRACER_RECORDING_H
#define TRACER_RECORDING_H

#include "python/compat.h"

extern PyMethodDef recording_methods[];
int recording_exec(PyObject *module);

#endif
