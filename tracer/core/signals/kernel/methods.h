/* The kernel signal's part of the module. */
#ifndef TRACER_KERNEL_METHODS_H
#define TRACER_KERNEL_METHODS_H

#include "python/compat.h"

extern PyMethodDef kernel_methods[];

#endif
