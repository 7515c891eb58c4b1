/* The name of a command that starts a child: "python -m uvicorn", "git". */
#ifndef TRACER_COMMAND_H
#define TRACER_COMMAND_H

#include "signals/words.h"

#include <stddef.h>

enum { COMMAND_NAME = 2 * WORD_BYTES };

typedef struct {
    char text[COMMAND_NAME];
    size_t length;
} command_name;

/* `paths` are where the program was looked for; NULL: unknown. Runs no code of the program. */
void command_of(command_name *name, PyObject *words, PyObject *paths);
void command_of_line(command_name *name, const char *line); /* what a shell is to run */

#endif
