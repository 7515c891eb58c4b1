/* Speed-up of taken.py, the Python twin: values at places, rows with values. */
#include "columns.h"

#define TAKE(type)                                                                                      \
    for (Py_ssize_t i = 0; i < n; i++) {                                                                \
        Py_ssize_t place = is_small ? (Py_ssize_t)small[i] : at[i];                                     \
        ((type *)out[0].data)[i] = place < 0 ? (type)missing : ((const type *)from)[place];             \
    }

/* take(column, at, missing): the values at these places, which may be bytes; `missing` where a
 * place is negative */
PyObject *take(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    Column out[1] = {0};
    Py_buffer column = {0};
    PyObject *result = NULL;
    if (nargs != 3 || PyObject_GetBuffer(args[0], &column, PyBUF_ND | PyBUF_FORMAT) < 0) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "takes 3 arguments");
        }
        return NULL;
    }
    const char *format = column.format ? column.format : "B";
    int is_small = PyMemoryView_Check(args[1]) && PyMemoryView_GET_BUFFER(args[1])->itemsize == 1;
    if (inputs_get(&in, args + 1, nargs - 1, is_small ? "Bn" : "in") < 0) {
        goto done;
    }
    const void *from = column.buf;
    const int32_t *at = in.view[0].buf;
    const uint8_t *small = in.view[0].buf;
    Py_ssize_t n = in.length[0], size = column.itemsize, missing = in.number[1];
    for (Py_ssize_t i = 0; i < n; i++) {
        if ((is_small ? (Py_ssize_t)small[i] : at[i]) >= column.len / size) {
            bad_columns();
            goto done;
        }
    }
    if (!format[0] || format[1] || !strchr("iqQB", format[0])) {
        PyErr_Format(PyExc_TypeError, "argument 0: format %s", format);
        goto done;
    }
    Py_ssize_t least = format[0] == 'q' ? PY_SSIZE_T_MIN : format[0] == 'i' ? INT32_MIN : 0;
    Py_ssize_t most = format[0] == 'B' ? UINT8_MAX : format[0] == 'i' ? INT32_MAX : PY_SSIZE_T_MAX;
    if (missing < least || missing > most) {
        PyErr_SetString(PyExc_OverflowError, "the column cannot have that value");
        goto done;
    }
    if (column_reserve(&out[0], n * size) < 0) {
        goto done;
    }
    if (format[0] == 'q' || format[0] == 'Q') {
        TAKE(int64_t)
    } else if (format[0] == 'i') {
        TAKE(int32_t)
    } else {
        TAKE(uint8_t)
    }
    out[0].used = n * size;
    result = column_view(&out[0], format);
done:
    free_columns(out, 1);
    inputs_free(&in);
    PyBuffer_Release(&column);
    return result;
}

/* known(a, b): the rows in which neither value is negative */
PyObject *known(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    Column out[1] = {0};
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "qq") < 0) {
        goto done;
    }
    const int64_t *a = in.view[0].buf, *b = in.view[1].buf;
    Py_ssize_t n = in.length[0], used = 0;
    if (in.length[1] != n || n > INT32_MAX) {
        bad_columns();
        goto done;
    }
    if (column_reserve(&out[0], n * 4) < 0) {
        goto done;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        if (a[i] >= 0 && b[i] >= 0) {
            ((int32_t *)out[0].data)[used++] = (int32_t)i;
        }
    }
    out[0].used = used * 4;
    result = column_view(&out[0], "i");
done:
    free_columns(out, 1);
    inputs_free(&in);
    return result;
}

/* between(since, until): by row the time from one to the other, 0 where either is negative */
PyObject *between(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    Column out[1] = {0};
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "qq") < 0) {
        goto done;
    }
    const int64_t *since = in.view[0].buf, *until = in.view[1].buf;
    Py_ssize_t n = in.length[0];
    if (in.length[1] != n) {
        bad_columns();
        goto done;
    }
    if (column_reserve(&out[0], n * 8) < 0) {
        goto done;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        ((int64_t *)out[0].data)[i] = since[i] >= 0 && until[i] >= 0 ? until[i] - since[i] : 0;
    }
    out[0].used = n * 8;
    result = column_view(&out[0], "q");
done:
    free_columns(out, 1);
    inputs_free(&in);
    return result;
}
