/* Programs that run the program named among their arguments: env, nice, timeout. */
#ifndef TRACER_LAUNCHERS_H
#define TRACER_LAUNCHERS_H

#include "python/compat.h"

typedef struct {
    const char *name;
    Py_ssize_t command;  /* where among the words the command begins; 0: that is not plain */
    int forks;           /* it stays, and the command is a child of its own */
    const char *changes; /* what it does to the environment that hides it from the command; NULL: nothing */
} launched;

/* Whether `path` is one of them, and what it is to run. Runs no code of the program. */
int launchers_read(const char *path, PyObject *words, launched *to);
int launchers_know(const char *name); /* whether it has the name of one */

#endif
