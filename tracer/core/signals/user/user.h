/* user.c's part of the module. */
#ifndef TRACER_USER_H
#define TRACER_USER_H

#include "python/compat.h"

int user_exec(PyObject *module);
extern PyMethodDef user_methods[];

#endif
