/* Lines and scripts of a shell, as far as they can be read without one. */
#ifndef TRACER_LINES_H
#define TRACER_LINES_H

#include <stddef.h>

enum { LINES_WORD = 4096 };

/* One command of a line: where it begins, with the assignments and the `exec` before its program, and its program. */
typedef struct {
    size_t at, end;  /* `end`: behind its separator; 0: nothing plain follows */
    const char *words; /* its program, and what follows it */
    char name[LINES_WORD];
} lines_command;

/* Reads the command at `at`. Returns 0 if it does not begin with a program that is named plainly. */
int lines_read(const char *line, size_t at, lines_command *command);
/* The length of a command's words up to its separator. */
size_t lines_words(const char *words);
/* Whether `is_it` holds for the program of any command, as far as commands can be told from other text. `begins`: a
 * command begins where the text does. */
int lines_have(const char *text, int begins, int (*is_it)(const char *name));

#endif
