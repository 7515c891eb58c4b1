/* Timers of asyncio's own loops. Attached; `tick` and `value`: see watched.h. */
#ifndef TRACER_TIMERS_H
#define TRACER_TIMERS_H

#include "python/compat.h"
#include "ring/ring.h"

void timers_on_call_at(thread_buffer *b, uint64_t tick, PyObject *value); /* BaseEventLoop.call_at begins */
void timers_on_cancel(thread_buffer *b, uint64_t tick, PyObject *value);  /* BaseEventLoop._timer_handle_cancelled */
void timers_polled(thread_buffer *b, uint64_t tick); /* a selector's poll has ended, without an exception */
void timers_forget(void);
void timers_unwatch(void);

extern PyMethodDef timers_methods[];

#endif
