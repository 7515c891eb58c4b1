/* The name of a command that starts a child: "python -m uvicorn", "git". */
#ifndef TRACER_COMMAND_H
#define TRACER_COMMAND_H

#include "python/compat.h"

#include <stddef.h>

enum { COMMAND_WORD = 200, COMMAND_NAME = 2 * COMMAND_WORD };

typedef struct {
    char text[COMMAND_NAME];
    size_t length;
} command_name;

/* An argument as UTF-8, cut to fit; 0 if it is no text. Runs no code of the program, as all these functions. */
int command_text(PyObject *item, char word[COMMAND_WORD]);
/* The same for one of a list or tuple. */
int command_word(PyObject *words, Py_ssize_t at, char word[COMMAND_WORD]);
const char *command_base(const char *path); /* the name of a file, without its folder */
/* `paths` are where the program was looked for; NULL: unknown. */
void command_of(command_name *name, PyObject *words, PyObject *paths);
void command_of_line(command_name *name, const char *line); /* what a shell is to run */

#endif
