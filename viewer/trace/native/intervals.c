/* Speed-up of intervals.py, the Python twin: which intervals are long, what lies between them, where
 * those of a key begin and end, and how their durations are distributed. */
#include "columns.h"

/* longer(start, end, mark, at_least): the rows with a mark that last at_least or longer */
PyObject *longer(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    Column out = {0};
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "qqBn") < 0) {
        goto done;
    }
    const int64_t *start = in.view[0].buf, *end = in.view[1].buf;
    const uint8_t *mark = in.view[2].buf;
    Py_ssize_t n = in.length[0];
    if (in.length[1] != n || in.length[2] != n) {
        bad_columns();
        goto done;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        if (mark[i] && end[i] - start[i] >= in.number[3] && push_i32(&out, (int32_t)i) < 0) {
            goto done;
        }
    }
    result = column_view(&out, "i");
done:
    free_columns(&out, 1);
    inputs_free(&in);
    return result;
}

/* gaps(start, end, key, keys, at_least): (key, from, until) of the times between intervals of a
 * key, ordered by start, that none of them covers for at_least or longer */
PyObject *gaps(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    enum { KEY, FROM, UNTIL, COLUMNS };
    Column out[COLUMNS] = {0}, last = {0};
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "qqinn") < 0) {
        goto done;
    }
    const int64_t *start = in.view[0].buf, *end = in.view[1].buf;
    const int32_t *key = in.view[2].buf;
    Py_ssize_t n = in.length[0], keys = in.number[3];
    if (in.length[1] != n || in.length[2] != n || keys < 0 || keys > PY_SSIZE_T_MAX / 8) {
        bad_columns();
        goto done;
    }
    if (check_range(key, n, -1, keys) < 0 || column_fill(&last, keys * 8, 0xFF) < 0) {
        goto done;
    }
    int64_t *covered = (int64_t *)last.data; /* until when; -1: nothing yet */
    for (Py_ssize_t i = 0; i < n; i++) {
        int32_t k = key[i];
        if (k < 0) {
            continue;
        }
        if (covered[k] >= 0 && start[i] - covered[k] >= in.number[4]
            && (push_i32(&out[KEY], k) < 0 || push_i64(&out[FROM], covered[k]) < 0
                || push_i64(&out[UNTIL], start[i]) < 0)) {
            goto done;
        }
        if (end[i] > covered[k]) {
            covered[k] = end[i];
        }
    }
    result = take_columns(out, "iqq");
done:
    free_columns(out, COLUMNS);
    free_columns(&last, 1);
    inputs_free(&in);
    return result;
}

/* spans(end, key, keys): by key its first row, its last row (-1 none), and when its rows end */
PyObject *spans(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    enum { FIRST, LAST, END, COLUMNS };
    Column out[COLUMNS] = {0};
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "qin") < 0) {
        goto done;
    }
    const int64_t *end = in.view[0].buf;
    const int32_t *key = in.view[1].buf;
    Py_ssize_t n = in.length[0], keys = in.number[2];
    if (in.length[1] != n || keys < 0 || keys > PY_SSIZE_T_MAX / 8) {
        bad_columns();
        goto done;
    }
    if (check_range(key, n, -1, keys) < 0 || column_fill(&out[FIRST], keys * 4, 0xFF) < 0
        || column_fill(&out[LAST], keys * 4, 0xFF) < 0
        || column_fill(&out[END], keys * 8, 0) < 0) {
        goto done;
    }
    int32_t *first = (int32_t *)out[FIRST].data, *last = (int32_t *)out[LAST].data;
    int64_t *ends = (int64_t *)out[END].data;
    for (Py_ssize_t i = 0; i < n; i++) {
        int32_t k = key[i];
        if (k < 0) {
            continue;
        }
        if (first[k] < 0) {
            first[k] = (int32_t)i;
        }
        last[k] = (int32_t)i;
        if (end[i] > ends[k]) {
            ends[k] = end[i];
        }
    }
    result = take_columns(out, "iiq");
done:
    free_columns(out, COLUMNS);
    inputs_free(&in);
    return result;
}

/* histogram(start, end, key, bounds, keys): by key * (bounds + 1) + bucket how many durations;
 * bucket b has those below bounds[b] and not below the bound before it */
PyObject *histogram(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    Column out = {0};
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "qqiqn") < 0) {
        goto done;
    }
    const int64_t *start = in.view[0].buf, *end = in.view[1].buf, *bounds = in.view[3].buf;
    const int32_t *key = in.view[2].buf;
    Py_ssize_t n = in.length[0], buckets = in.length[3] + 1, keys = in.number[4];
    if (in.length[1] != n || in.length[2] != n || keys < 0
        || keys > PY_SSIZE_T_MAX / 8 / buckets) {
        bad_columns();
        goto done;
    }
    if (check_range(key, n, -1, keys) < 0 || column_fill(&out, keys * buckets * 8, 0) < 0) {
        goto done;
    }
    int64_t *count = (int64_t *)out.data;
    for (Py_ssize_t i = 0; i < n; i++) {
        if (key[i] < 0) {
            continue;
        }
        int64_t value = end[i] - start[i];
        Py_ssize_t low = 0, high = buckets - 1;
        while (low < high) {
            Py_ssize_t middle = (low + high) / 2;
            if (bounds[middle] <= value) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        count[key[i] * buckets + low]++;
    }
    result = column_view(&out, "q");
done:
    free_columns(&out, 1);
    inputs_free(&in);
    return result;
}

/* latest(time, key, at, key_at, keys): by row of `at` the last row of its key that is not later, -1
 * without one; both are in order of time */
PyObject *latest(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    enum { FOUND, LAST, COLUMNS }; /* by key the last row so far */
    Column out[COLUMNS] = {0};
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "qiqin") < 0) {
        goto done;
    }
    const int64_t *time = in.view[0].buf, *at = in.view[2].buf;
    const int32_t *key = in.view[1].buf, *key_at = in.view[3].buf;
    Py_ssize_t n = in.length[0], rows = in.length[2], keys = in.number[4], next = 0;
    if (in.length[1] != n || in.length[3] != rows || keys < 0 || keys > PY_SSIZE_T_MAX / 8) {
        bad_columns();
        goto done;
    }
    if (check_range(key, n, -1, keys) < 0 || check_range(key_at, rows, -1, keys) < 0
        || column_fill(&out[FOUND], rows * 4, 0xFF) < 0
        || column_fill(&out[LAST], keys * 4, 0xFF) < 0) {
        goto done;
    }
    int32_t *found = (int32_t *)out[FOUND].data, *last = (int32_t *)out[LAST].data;
    for (Py_ssize_t i = 0; i < rows; i++) {
        for (; next < n && time[next] <= at[i]; next++) {
            if (key[next] >= 0) {
                last[key[next]] = (int32_t)next;
            }
        }
        if (key_at[i] >= 0) {
            found[i] = last[key_at[i]];
        }
    }
    result = column_view(&out[FOUND], "i");
done:
    free_columns(out, COLUMNS);
    inputs_free(&in);
    return result;
}
