/* asyncio's loops: what monitor.c calls on their events. `value` and `tick`: see watched.h. */
#ifndef TRACER_LOOPS_H
#define TRACER_LOOPS_H

#include "python/compat.h"
#include "ring/ring.h"

void loops_on_poll(thread_buffer *b, uint64_t tick, PyObject *value);
void loops_on_polled(thread_buffer *b, uint64_t tick, PyObject *value);
void loops_on_run(thread_buffer *b, uint64_t tick, PyObject *value);
void loops_on_stop(thread_buffer *b, uint64_t tick, PyObject *value);
void loops_on_close(thread_buffer *b, uint64_t tick, PyObject *value);

extern PyMethodDef loops_methods[];

#endif
