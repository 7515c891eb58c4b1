/* Speed-up of counts.py, the Python twin: numbers in a row, and counts that go up and down. */
#include "columns.h"

enum { UP_A, DOWN_A, UP_B, DOWN_B, LISTS };

static int earlier(const void *a, const void *b)
{
    int64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* A copy in order; NULL with an exception set. */
static int64_t *in_order(const int64_t *times, Py_ssize_t n)
{
    int64_t *copy = PyMem_RawMalloc(n * sizeof *copy + 1);
    if (!copy) {
        PyErr_NoMemory();
        return NULL;
    }
    int is_sorted = 1;
    for (Py_ssize_t i = 0; i < n; i++) {
        copy[i] = times[i];
        is_sorted &= !i || times[i - 1] <= times[i];
    }
    if (!is_sorted) {
        qsort(copy, n, sizeof *copy, earlier);
    }
    return copy;
}

/* lesser(up_a, down_a, up_b, down_b): the lesser of both counts, summed over time */
PyObject *lesser(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    int64_t *times[LISTS] = {0};
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "qqqq") < 0) {
        goto done;
    }
    for (int i = 0; i < LISTS; i++) {
        if (!(times[i] = in_order(in.view[i].buf, in.length[i]))) {
            goto done;
        }
    }
    Py_ssize_t at[LISTS] = {0};
    int64_t count[2] = {0}, sum = 0, before = 0;
    for (;;) {
        int next = -1;
        for (int i = 0; i < LISTS; i++) {
            if (at[i] < in.length[i] && (next < 0 || times[i][at[i]] < times[next][at[next]])) {
                next = i;
            }
        }
        if (next < 0) {
            break;
        }
        int64_t now = times[next][at[next]++], least = count[0] < count[1] ? count[0] : count[1];
        int64_t more;
        if (least > 0 && (__builtin_mul_overflow(least, now - before, &more)
                          || __builtin_add_overflow(sum, more, &sum))) {
            sum = INT64_MAX;
            break;
        }
        count[next >= UP_B] += next == UP_A || next == UP_B ? 1 : -1;
        before = now;
    }
    result = PyLong_FromLongLong(sum);
done:
    for (int i = 0; i < LISTS; i++) {
        PyMem_RawFree(times[i]);
    }
    inputs_free(&in);
    return result;
}

/* upto(first, until): the numbers from the first on, below the other */
PyObject *upto(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    Column out[1] = {0};
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "nn") < 0) {
        goto done;
    }
    Py_ssize_t first = in.number[0], until = in.number[1];
    if (first < INT32_MIN || until > INT32_MAX) {
        bad_columns();
        goto done;
    }
    Py_ssize_t count = until > first ? until - first : 0;
    if (column_reserve(&out[0], count * 4) < 0) {
        goto done;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        ((int32_t *)out[0].data)[i] = (int32_t)(first + i);
    }
    out[0].used = count * 4;
    result = column_view(&out[0], "i");
done:
    free_columns(out, 1);
    inputs_free(&in);
    return result;
}
