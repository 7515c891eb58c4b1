/* Columns as arguments and results of the C functions: argument checks and result tuples. */
#ifndef VIEWER_COLUMNS_H
#define VIEWER_COLUMNS_H
#include "native.h"

enum { MOST_INPUTS = 24 };

typedef struct {
    Py_buffer view[MOST_INPUTS];
    Py_ssize_t number[MOST_INPUTS];
    Py_ssize_t length[MOST_INPUTS];
    int views;
} Inputs;

/* Reads the arguments by their formats; 'n' is an int. Returns -1 with an exception set on failure. */
static inline int inputs_get(Inputs *in, PyObject *const *args, Py_ssize_t nargs, const char *formats)
{
    *in = (Inputs){0};
    if (nargs != (Py_ssize_t)strlen(formats)) {
        PyErr_Format(PyExc_TypeError, "takes %zu arguments", strlen(formats));
        return -1;
    }
    for (; in->views < nargs; in->views++) {
        int i = in->views;
        char format = formats[i];
        if (format == 'n') {
            in->number[i] = PyLong_AsSsize_t(args[i]);
            if (in->number[i] == -1 && PyErr_Occurred()) {
                return -1;
            }
            continue;
        }
        if (PyObject_GetBuffer(args[i], &in->view[i], PyBUF_ND | PyBUF_FORMAT) < 0) {
            return -1;
        }
        const char *have = in->view[i].format ? in->view[i].format : "B";
        if (have[0] != format || have[1]) {
            PyErr_Format(PyExc_TypeError, "argument %d: format %s, not %c", i, have, format);
            in->views++;
            return -1;
        }
        in->length[i] = in->view[i].len / in->view[i].itemsize;
    }
    return 0;
}

static inline void inputs_free(Inputs *in)
{
    for (int i = 0; i < in->views; i++) {
        PyBuffer_Release(&in->view[i]);
    }
}

static inline int bad_columns(void)
{
    PyErr_SetString(PyExc_ValueError, "inconsistent columns");
    return -1;
}

/* Checks that every value is in [low, below). Returns -1 with an exception set if not. */
static inline int check_range(const int32_t *values, Py_ssize_t n, int32_t low, Py_ssize_t below)
{
    for (Py_ssize_t i = 0; i < n; i++) {
        if (values[i] < low || values[i] >= below) {
            return bad_columns();
        }
    }
    return 0;
}

/* Tuple of views over the columns, one per format; the columns give up their bytes. NULL on error. */
static inline PyObject *take_columns(Column *columns, const char *formats)
{
    Py_ssize_t n = (Py_ssize_t)strlen(formats);
    PyObject *result = PyTuple_New(n);
    for (Py_ssize_t i = 0; result && i < n; i++) {
        char format[2] = {formats[i], 0};
        PyObject *view = column_view(&columns[i], format);
        if (!view) {
            Py_CLEAR(result);
            break;
        }
        PyTuple_SET_ITEM(result, i, view);
    }
    return result;
}

static inline void free_columns(Column *columns, int n)
{
    for (int i = 0; i < n; i++) {
        Py_CLEAR(columns[i].bytes);
    }
}

#endif
