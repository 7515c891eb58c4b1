/* The text of a str as UTF-8, whatever is in it. */
#ifndef TRACER_UTF8_H
#define TRACER_UTF8_H

#include "python/compat.h"

/* Writes half a surrogate pair, which has no UTF-8, as \udc80. The caller releases `owned` (or NULL) when
 * it no longer uses the text. Attached; leaves no exception set. */
const char *utf8_of(PyObject *text, Py_ssize_t *length, PyObject **owned);

extern PyMethodDef utf8_methods[];

#endif
