/* The lines of tasks: a track each or a shared lane, and what it is called. */
#ifndef TRACER_TASK_LINES_H
#define TRACER_TASK_LINES_H

#include "timeline/model.h"

task_line *task_line_add(timeline *t, uint32_t id, uint32_t func, loop_line *loop, uint64_t ns);
void task_line_free(timeline *t, task_line *task);
/* Calls a task without a name by its number. 0, or -1 when memory is short. */
int task_line_name(task_line *task, const char *given, size_t length);
void task_line_show_name(task_line *task); /* on its track */
int task_line_is_greenlet(const task_line *task);
/* Time never goes back on a line. Without this it could, where the records of two threads crossed. */
uint64_t task_line_not_before(timeline *t, uint64_t since_ns, uint64_t ns);

#endif
