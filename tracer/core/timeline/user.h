/* The program's own events. */
#ifndef TRACER_TIMELINE_USER_H
#define TRACER_TIMELINE_USER_H

#include "timeline/model.h"

extern const record_handler timeline_user_handlers[REC_KINDS];
/* The task or thread of the line (NULL: none) is gone, or what it did after `ns` is lost. */
void user_close(timeline *t, user_line *line, uint64_t ns);
void user_line_free(timeline *t, user_line *line);
void user_free(timeline *t);

#endif
