/* Functions that Cython has compiled. */
#ifndef TRACER_CYTHON_H
#define TRACER_CYTHON_H

#include <string.h>

#include "python/trampolines.h"

/* The table entry behind a Cython function, which begins like a builtin one; NULL for anything else. Each version of
 * Cython has a type of its own. */
static inline PyMethodDef *cython_def(PyObject *function)
{
    const char *type = Py_TYPE(function)->tp_name, *last = strrchr(type, '.');
    int is_cython = !strcmp(last ? last + 1 : type, "cython_function_or_method") &&
                    Py_TYPE(function)->tp_basicsize > (Py_ssize_t)sizeof(PyCFunctionObject);
    return is_cython ? ((PyCFunctionObject *)function)->m_ml : NULL;
}

/* The table entry of a class's method that `with` can wrap; NULL: there is none. */
static inline PyMethodDef *cython_method(PyObject *of, const builtin_wrapper *with)
{
    PyObject *method = PyObject_GetAttrString(of, with->name);
    PyMethodDef *def = method ? cython_def(method) : NULL;
    Py_XDECREF(method);
    PyErr_Clear();
    return def && def->ml_flags == with->flags && !strcmp(def->ml_name, with->name) ? def : NULL;
}

#endif
