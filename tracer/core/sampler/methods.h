/* The sampler's part of the module. */
#ifndef TRACER_SAMPLER_METHODS_H
#define TRACER_SAMPLER_METHODS_H

#include "python/compat.h"

extern PyMethodDef sampling_methods[];

#endif
