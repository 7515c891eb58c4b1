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
/* In a forked child: nobody is looking. */
void gil_forget_patching(void);
/* On the writer thread, after each pass. */
void gil_after_pass(void);

extern PyMethodDef gil_methods[];

#endif
