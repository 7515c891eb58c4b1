/* The texts of a pool as strings of Python. */
#ifndef VIEWER_TEXTS_H
#define VIEWER_TEXTS_H
#include "wire.h"

/* A list of them, and whether each may be shown as it is: only printable ASCII and ends of
   lines. NULL with an exception set. */
PyObject *string_list(const Pool *pool, int *is_plain);

#endif
