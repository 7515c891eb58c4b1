/* asyncio's loops: what monitor.c calls on their events. `value` and `tick`: see watched.h. */
#ifndef TRACER_LOOPS_H
#define TRACER_LOOPS_H

#include "python/compat.h"
#include "ring/ring.h"

void loops_on_run(thread_buffer *b, uint64_t tick, PyObject *value);
void loops_on_stop(thread_buffer *b, uint64_t tick, PyObject *value);
void loops_on_close(thread_buffer *b, uint64_t tick, PyObject *value);

/* uvloop's: around run_forever(), after close(), and around each poll of a thread `in_libuv`, which has released the
 * GIL. loops_uv_run() and loops_uv_poll(): whether loops_uv_stop() and loops_uv_polled() are to follow. */
int loops_uv_run(thread_buffer *b, PyObject *loop);
void loops_uv_stop(thread_buffer *b, PyObject *loop);
void loops_uv_close(thread_buffer *b, uint64_t tick, PyObject *loop);
int loops_uv_poll(thread_buffer *b, int timeout_ms);
void loops_uv_polled(thread_buffer *b);

void loops_unwatch(void);

extern PyMethodDef loops_methods[];

#endif
