/* The writer's side of the sampler. */
#ifndef TRACER_SAMPLER_DRAIN_H
#define TRACER_SAMPLER_DRAIN_H

#include "ring/sources.h"

extern const sample_source_table sampler_source;

#endif
