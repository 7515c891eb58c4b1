/* The words of a command: Python objects that are to be its program and its arguments. */
#ifndef TRACER_WORDS_H
#define TRACER_WORDS_H

#include "python/compat.h"

enum { WORD_BYTES = 200 };

/* A word as UTF-8, cut to fit; 0 if it is no text. Runs no code of the program, as all these functions. */
int word_text(PyObject *item, char word[WORD_BYTES]);
/* The same for one of a list or tuple. */
int word_at(PyObject *words, Py_ssize_t at, char word[WORD_BYTES]);
const char *word_base(const char *path); /* the name of a file, without its folder */

#endif
