/* Who has the lock of a file for which a thread waits. */
#ifndef TRACER_FILELOCKS_H
#define TRACER_FILELOCKS_H

#include "timeline/model.h"

/* Asks the kernel for those whose wait is open, once for each wait. On the writer's thread. */
void filelocks_look(timeline *t);
/* What was found, at the end of the wait. */
void filelocks_tell(const lane_line *lane, event *ev);

#endif
