/* Which thread holds the GIL, exactly: known by watching the condition variables it is made of.
 *
 * The hooks stand in front of pthread functions that the interpreter calls inside take_gil and
 * drop_gil. They run with the GIL's own mutex held: they read the clock, write fields of their
 * thread's buffer and records, and call nothing in Python. */
#ifndef TRACER_GIL_H
#define TRACER_GIL_H

#include "python/compat.h"

/* Watches what was loaded since the last look. Attached; releases the GIL meanwhile. */
void gil_follow_loads(void);
/* Called around a fork by any code, so that no thread walks the loader's list of objects for us then:
 * the child would inherit the list's lock. */
void gil_before_fork(void);
void gil_after_fork(int in_child);
/* On the writer thread, after each pass. */
void gil_after_pass(void);

extern PyMethodDef gil_methods[];

#endif
