/* Jobs of an executor. */
#ifndef TRACER_TIMELINE_JOBS_H
#define TRACER_TIMELINE_JOBS_H

#include "timeline/model.h"

extern const record_handler timeline_job_handlers[REC_KINDS];

#endif
