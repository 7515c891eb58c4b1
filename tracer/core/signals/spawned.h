/* What a child that is a new Python is given so that it records itself: two variables in its environment. It removes
 * them before its program begins (tracer/site/sitecustomize.py). */
#ifndef TRACER_SPAWNED_H
#define TRACER_SPAWNED_H

#include "python/compat.h"

#include <stdint.h>

enum { SPAWNED_WHY = 64 };
/* What a child is, as tracer/processes/spawned.py is told. */
enum { SPAWNED_PLAIN = 's', SPAWNED_PROCESS = 'm', SPAWNED_SERVER = 'f', SPAWNED_EXEC = 'e' };

/* A program that is about to be started. */
typedef struct {
    int is_python;         /* it can record itself, unless there is a reason why not … */
    char why[SPAWNED_WHY]; /* … or "" */
    int is_helper;         /* of multiprocessing: no part of the program */
    char how;
} spawned_program;

/* Judges the program in `path`, whose arguments are `words`. Reads files, runs no code of the program. */
void spawned_judge(const char *path, PyObject *words, spawned_program *program);
/* The same for the first command of a line that a shell is to run. */
void spawned_judge_line(PyObject *line, spawned_program *program);
/* The file that `paths` name first: text, bytes or a path; or several of them, of which the first that can be executed
 * counts. Those that are relative begin in `folder`, if it is not None. Returns whether there is one. */
int spawned_find(PyObject *paths, PyObject *folder, char *path, size_t room);
/* The same for a name that is looked for in PATH. */
int spawned_search(PyObject *name, char *path, size_t room);

/* The environment with what the child needs: a list of "NAME=VALUE" (`given` is a sequence of them, or None for this
 * process's), or a dict (`given` is a mapping, or None). NULL, without an exception: it cannot be changed. */
PyObject *spawned_list(PyObject *given, const spawned_program *program, uint64_t flow);
/* A shell's line with assignments before its first command, which alone gets them; `given` is a tuple of the line and the
 * environment. NULL, without an exception: it cannot be changed. */
PyObject *spawned_line(PyObject *given, const spawned_program *program, uint64_t flow);
/* The list as execv() takes it, to be freed by PyMem_RawFree(); NULL: no memory. The texts are the list's. */
char **spawned_array(PyObject *list);
PyObject *spawned_dict(PyObject *given, const spawned_program *program, uint64_t flow);

uint64_t spawned_family(void); /* the number of this run */
int spawned_is_armed(void); /* whether children that are a new Python shall record themselves */

extern PyMethodDef spawned_methods[];

#endif
