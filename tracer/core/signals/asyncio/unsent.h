/* What the program writes to a transport whose peer does not keep up. Attached; `tick` and `value`: see watched.h. */
#ifndef TRACER_UNSENT_H
#define TRACER_UNSENT_H

#include "python/compat.h"
#include "ring/ring.h"

void unsent_on_write(thread_buffer *b, uint64_t tick, PyObject *value);   /* _maybe_pause_protocol begins */
void unsent_on_written(thread_buffer *b, uint64_t tick, PyObject *value); /* … and returns */
void unsent_on_sent(thread_buffer *b, uint64_t tick, PyObject *value);    /* _maybe_resume_protocol returns */
void unsent_forget(void);

extern PyMethodDef unsent_methods[];

#endif
