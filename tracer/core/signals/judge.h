/* What a program is that is about to be started: this Python, which can record itself, or why it cannot. */
#ifndef TRACER_JUDGE_H
#define TRACER_JUDGE_H

#include "python/compat.h"

#include <stddef.h>

enum { SPAWNED_WHY = 64 };
/* What a child is, as tracer/processes/spawned.py is told. */
enum { SPAWNED_PLAIN = 's', SPAWNED_PROCESS = 'm', SPAWNED_SERVER = 'f', SPAWNED_EXEC = 'e' };

/* A program that is about to be started. */
typedef struct {
    int is_python;         /* it can record itself, unless there is a reason why not … */
    char why[SPAWNED_WHY]; /* … or "" */
    int is_helper;         /* of multiprocessing: no part of the program */
    int is_script;         /* of a shell */
    const char *forked_by; /* the program that starts it as its own child; NULL: it is the child */
    size_t line_at;        /* where its command begins in a shell's line … */
    int has_more;          /* … which has another Python, too */
    char how;
} spawned_program;

/* Judges the program in `path`, whose arguments are `words`. Reads files, runs no code of the program. */
void judge_program(const char *path, PyObject *words, spawned_program *program);
/* The same for one that takes this process's place. */
void judge_exec(const char *path, PyObject *words, spawned_program *program);
/* The same for a line that a shell is to run: its first command that is plainly a Python. */
void judge_line(PyObject *line, spawned_program *program);
/* A line as bytes, which are the owned object's; NULL: it is no text. */
const char *judge_bytes(PyObject *line, PyObject **owned);
/* The file that `paths` name first: text, bytes or a path; or several of them, of which the first that can be executed
 * counts. Those that are relative begin in `folder`, if it is not None. Returns whether there is one. */
int judge_find(PyObject *paths, PyObject *folder, char *path, size_t room);
/* The same for a name that is looked for in PATH. */
int judge_search(PyObject *name, char *path, size_t room);
/* The same for a text, in folders that colons separate. */
int judge_search_in(const char *folders, const char *name, char *path, size_t room);

#endif
