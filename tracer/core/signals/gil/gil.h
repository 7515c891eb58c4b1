/* Who has the GIL: exact, by watching the condition variables it is made of.
 *
 * The hooks stand in front of pthread functions that the interpreter calls inside take_gil and
 * drop_gil. They run with the GIL's own mutex held: they read the clock, write fields of their
 * thread's buffer and records, and call nothing of Python. */
#ifndef TRACER_GIL_H
#define TRACER_GIL_H

#include "python/compat.h"

/* Watches what was loaded since the last look. Attached; lets the GIL go meanwhile. */
void gil_follow_loads(void);
/* Around a fork by whatever code: no thread is then inside the loader's list of objects for us, whose
 * lock the child would inherit. */
void gil_before_fork(void);
void gil_after_fork(int in_child);
/* On the writer thread, after each pass. */
void gil_after_pass(void);

extern PyMethodDef gil_methods[];

#endif
