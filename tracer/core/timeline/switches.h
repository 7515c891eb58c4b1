/* Switches between greenlets. */
#ifndef TRACER_TIMELINE_SWITCHES_H
#define TRACER_TIMELINE_SWITCHES_H

#include "timeline/model.h"

extern const record_handler timeline_switch_handlers[REC_KINDS];

#endif
