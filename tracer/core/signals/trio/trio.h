/* trio: its runs, the steps of their tasks, and who wakes whom. What monitor.c and steps.c call; `value` and `tick`: see
 * watched.h. */
#ifndef TRACER_TRIO_H
#define TRACER_TRIO_H

#include "python/compat.h"
#include "ring/ring.h"

/* Around Context.run in trio's run, which steps a task; `message` is what the task has yielded. */
void trio_begin_step(thread_buffer *b);
void trio_end_step(thread_buffer *b, uint64_t tick, PyObject *message);

void trio_on_run(thread_buffer *b, uint64_t tick, PyObject *value);
void trio_on_close(thread_buffer *b, uint64_t tick, PyObject *value);
/* Its run queues `task`, in Runner.reschedule. */
void trio_on_ready(thread_buffer *b, uint64_t tick, PyObject *task);
void trio_on_borrow(thread_buffer *b, uint64_t tick, PyObject *value); /* a limiter is asked for a token */
void trio_on_abort(thread_buffer *b, uint64_t tick, PyObject *value);
void trio_on_exit(thread_buffer *b, uint64_t tick, PyObject *value);
/* Around the poll in its I/O manager's get_events; trio_on_poll(): the run's id if trio_on_polled() is to follow. */
uint32_t trio_on_poll(thread_buffer *b, int *waits);
void trio_on_polled(thread_buffer *b, uint32_t loop, int waits);
/* A callback is handed to the run, mostly by another thread; it begins; it is over. */
void trio_on_submit(thread_buffer *b, uint64_t tick, PyObject *value);
void trio_on_callback(thread_buffer *b, uint64_t tick, PyObject *value);
void trio_on_called(thread_buffer *b, uint64_t tick, PyObject *value);

int trio_setup(PyObject *facts); /* from signals/loops/trio.py; 0, or -1 with an exception */
void trio_forget(void);

extern PyMethodDef trio_methods[];

#endif
