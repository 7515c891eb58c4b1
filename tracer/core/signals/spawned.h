/* What a child that is a new Python is given so that it records itself: two variables in its environment. It removes
 * them before its program begins (tracer/site/sitecustomize.py). */
#ifndef TRACER_SPAWNED_H
#define TRACER_SPAWNED_H

#include "signals/judge.h"

#include <stdint.h>

/* The environment with what the child needs: a list of "NAME=VALUE" (`given` is a sequence of them, or None for this
 * process's), or a dict (`given` is a mapping, or None). NULL, without an exception: it cannot be changed. */
PyObject *spawned_list(PyObject *given, const spawned_program *program, uint64_t flow);
/* A shell's line with assignments before the command that was judged, which alone gets them; `given` is a tuple of the line and the
 * environment. NULL, without an exception: it cannot be changed. */
PyObject *spawned_line(PyObject *given, const spawned_program *program, uint64_t flow);
/* The list as execv() takes it, to be freed by PyMem_RawFree(); NULL: no memory. The texts are the list's. */
char **spawned_array(PyObject *list);
/* In a forked child: adds those of the array's entries that are ours to its environment. */
void spawned_put(char **array);
PyObject *spawned_dict(PyObject *given, const spawned_program *program, uint64_t flow);

uint64_t spawned_family(void); /* the number of this run */
int spawned_is_armed(void); /* whether children that are a new Python shall record themselves */

extern PyMethodDef spawned_methods[];

#endif
