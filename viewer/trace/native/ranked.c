/* Speed-up of ranked.py, the Python twin: rows in order of a column, and a column's bounds. */
#include "columns.h"

#define DIGITS 8 /* of a key, a byte each */

typedef struct {
    uint64_t key; /* in the order of unsigned numbers */
    int32_t row;
} Ranked;

/* Sorts by the keys' bytes, the last one first; equal ones stay as they are. Bytes that all keys
 * have in common need no pass. */
static Ranked *sort_by_key(Ranked *from, Ranked *to, Py_ssize_t n)
{
    for (int digit = 0; digit < DIGITS; digit++) {
        Py_ssize_t count[256] = {0};
        int shift = 8 * digit;
        for (Py_ssize_t i = 0; i < n; i++) {
            count[from[i].key >> shift & 255]++;
        }
        if (count[from[0].key >> shift & 255] == n) {
            continue;
        }
        for (Py_ssize_t value = 0, before = 0; value < 256; value++) {
            Py_ssize_t these = count[value];
            count[value] = before;
            before += these;
        }
        for (Py_ssize_t i = 0; i < n; i++) {
            to[count[from[i].key >> shift & 255]++] = from[i];
        }
        Ranked *other = from;
        from = to;
        to = other;
    }
    return from;
}

/* ranked(rows, column, down): the rows in order of their values; equal ones stay as they are */
PyObject *ranked(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    Column out = {0};
    Ranked *keyed = NULL;
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "iqn") < 0) {
        goto done;
    }
    const int32_t *rows = in.view[0].buf;
    const int64_t *column = in.view[1].buf;
    Py_ssize_t n = in.length[0];
    int is_sorted = 1;
    if (check_range(rows, n, 0, in.length[1]) < 0 || column_reserve(&out, n * 4) < 0) {
        goto done;
    }
    keyed = PyMem_RawMalloc(2 * (size_t)n * sizeof *keyed + 1);
    if (!keyed) {
        PyErr_NoMemory();
        goto done;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        uint64_t key = (uint64_t)column[rows[i]] ^ (uint64_t)1 << 63;
        keyed[i] = (Ranked){in.number[2] ? ~key : key, rows[i]};
        is_sorted &= !i || keyed[i - 1].key <= keyed[i].key;
    }
    const Ranked *sorted = is_sorted ? keyed : sort_by_key(keyed, keyed + n, n);
    for (Py_ssize_t i = 0; i < n; i++) {
        ((int32_t *)out.data)[i] = sorted[i].row;
    }
    out.used = n * 4;
    result = column_view(&out, "i");
done:
    PyMem_RawFree(keyed);
    free_columns(&out, 1);
    inputs_free(&in);
    return result;
}

/* bounds(column): its least and its largest value; 0 and -1 of an empty one */
PyObject *bounds(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    PyObject *result = NULL;
    int is_small = nargs == 1 && PyMemoryView_Check(args[0])
                   && PyMemoryView_GET_BUFFER(args[0])->itemsize == 4;
    if (inputs_get(&in, args, nargs, is_small ? "i" : "q") < 0) {
        goto done;
    }
    const int32_t *small = in.view[0].buf;
    const int64_t *large = in.view[0].buf;
    int64_t least = 0, most = -1;
    for (Py_ssize_t i = 0; i < in.length[0]; i++) {
        int64_t value = is_small ? small[i] : large[i];
        least = !i || value < least ? value : least;
        most = !i || value > most ? value : most;
    }
    result = Py_BuildValue("LL", (long long)least, (long long)most);
done:
    inputs_free(&in);
    return result;
}

/* narrow(column): the same values in four bytes each */
PyObject *narrow(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    Column out = {0};
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "q") < 0) {
        goto done;
    }
    const int64_t *column = in.view[0].buf;
    Py_ssize_t n = in.length[0];
    if (column_reserve(&out, n * 4) < 0) {
        goto done;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        if (column[i] < INT32_MIN || column[i] > INT32_MAX) {
            PyErr_SetString(PyExc_OverflowError, "the column cannot have that value");
            goto done;
        }
        ((int32_t *)out.data)[i] = (int32_t)column[i];
    }
    out.used = n * 4;
    result = column_view(&out, "i");
done:
    free_columns(&out, 1);
    inputs_free(&in);
    return result;
}
