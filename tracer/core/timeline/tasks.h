/* The life of tasks, and who woke whom. */
#ifndef TRACER_TIMELINE_TASKS_H
#define TRACER_TIMELINE_TASKS_H

#include "timeline/model.h"

extern const record_handler timeline_task_handlers[REC_KINDS];
void task_show(timeline *t, task_line *task);
/* The greenlets that run on the thread end with it. */
void tasks_end_with_thread(timeline *t, thread_line *thread, uint64_t ns);
/* "failed: KeyError": the name of the end of a task or thread; returns its length. */
size_t tasks_failed_name(char name[NAME_BYTES], uint32_t exception);
void timeline_close_unknown(timeline *t, thread_line *thread, uint64_t since_ns);

#endif
