/* Speed-up of sweeps.py, the Python twin: event columns to slices and sums over slices.
 * All functions: called with the GIL, columns in as buffers, memoryviews out. Every index that
 * comes in is checked, so inconsistent columns raise ValueError and never read outside. */
#include "columns.h"

/* Stable order by time. *order stays NULL when the events are sorted already. */
static int time_order(const int64_t *time, Py_ssize_t n, int32_t **order)
{
    Py_ssize_t sorted = 1;
    while (sorted < n && time[sorted - 1] <= time[sorted]) {
        sorted++;
    }
    if (sorted >= n) {
        return 0;
    }
    int32_t *a = PyMem_RawMalloc(n * sizeof *a), *b = PyMem_RawMalloc(n * sizeof *b);
    if (!a || !b) {
        PyMem_RawFree(a);
        PyMem_RawFree(b);
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        a[i] = (int32_t)i;
    }
    enum { BLOCK = 32 }; /* insertion sort inside, merges of blocks above; nearly sorted input
                            makes both cheap */
    for (Py_ssize_t low = 0; low < n; low += BLOCK) {
        Py_ssize_t high = low + BLOCK < n ? low + BLOCK : n;
        for (Py_ssize_t i = low + 1; i < high; i++) {
            int32_t moving = a[i];
            Py_ssize_t j = i;
            for (; j > low && time[a[j - 1]] > time[moving]; j--) {
                a[j] = a[j - 1];
            }
            a[j] = moving;
        }
    }
    for (Py_ssize_t width = BLOCK; width < n; width *= 2) {
        for (Py_ssize_t low = 0; low + width < n; low += 2 * width) {
            Py_ssize_t middle = low + width;
            Py_ssize_t high = middle + width < n ? middle + width : n;
            if (time[a[middle - 1]] <= time[a[middle]]) {
                continue;
            }
            memcpy(b + low, a + low, width * sizeof *a);
            Py_ssize_t left = low, right = middle, to = low;
            while (left < middle && right < high) {
                a[to++] = time[a[right]] < time[b[left]] ? a[right++] : b[left++];
            }
            memcpy(a + to, b + left, (middle - left) * sizeof *a);
        }
    }
    PyMem_RawFree(b);
    *order = a;
    return 0;
}

/* pair(time, type, track, track_process, processes) */
PyObject *pair(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    enum { EVENT, END_EVENT, START, END, PARENT, UNFINISHED, INSTANTS, ENDS, COLUMNS };
    Column out[COLUMNS] = {0};
    int32_t *order = NULL, *open = NULL;
    PyObject *result = NULL;
    long long unmatched = 0;
    if (inputs_get(&in, args, nargs, "qBiin") < 0) {
        goto done;
    }
    const int64_t *time = in.view[0].buf;
    const uint8_t *type = in.view[1].buf;
    const int32_t *track = in.view[2].buf, *process = in.view[3].buf;
    Py_ssize_t n = in.length[0], tracks = in.length[3], processes = in.number[4];
    if (in.length[1] != n || in.length[2] != n || processes < 0) {
        bad_columns();
        goto done;
    }
    if (check_range(track, n, 0, tracks) < 0 || check_range(process, tracks, -1, processes) < 0
        || time_order(time, n, &order) < 0
        || column_fill(&out[ENDS], (processes + 1) * 8, 0) < 0) {
        goto done;
    }
    open = PyMem_RawMalloc(tracks * sizeof *open + 1);
    if (!open) {
        PyErr_NoMemory();
        goto done;
    }
    memset(open, 0xFF, tracks * sizeof *open);
    int64_t *ends = (int64_t *)out[ENDS].data; /* of process i at i + 1; of none at 0 */
    for (Py_ssize_t i = 0; i < n; i++) {
        int32_t event = order ? order[i] : (int32_t)i, at = track[event];
        ends[process[at] + 1] = time[event];
        if (type[event] == TYPE_BEGIN) {
            int32_t slice = (int32_t)(out[EVENT].used / 4);
            if (push_i32(&out[EVENT], event) < 0 || push_i32(&out[END_EVENT], -1) < 0
                || push_i64(&out[START], time[event]) < 0
                || push_i64(&out[END], 0) < 0 || push_i32(&out[PARENT], open[at]) < 0
                || push_u8(&out[UNFINISHED], 1) < 0) {
                goto done;
            }
            open[at] = slice;
        } else if (type[event] == TYPE_END) {
            int32_t slice = open[at];
            if (slice < 0) {
                unmatched++;
                continue;
            }
            ((int64_t *)out[END].data)[slice] = time[event];
            ((int32_t *)out[END_EVENT].data)[slice] = event;
            out[UNFINISHED].data[slice] = 0;
            open[at] = ((int32_t *)out[PARENT].data)[slice];
        } else if (type[event] == TYPE_INSTANT && push_i32(&out[INSTANTS], event) < 0) {
            goto done;
        }
    }
    for (Py_ssize_t s = 0; s < out[UNFINISHED].used; s++) {
        if (out[UNFINISHED].data[s]) {
            int32_t event = ((int32_t *)out[EVENT].data)[s];
            ((int64_t *)out[END].data)[s] = ends[process[track[event]] + 1];
        }
    }
    PyObject *columns = take_columns(out, "iiqqiBiq");
    result = columns ? Py_BuildValue("NL", columns, unmatched) : NULL;
done:
    PyMem_RawFree(order);
    PyMem_RawFree(open);
    free_columns(out, COLUMNS);
    inputs_free(&in);
    return result;
}

/* Puts the k-th smallest of [low, high) at k, smaller ones below. Random pivots: no input is
 * slow by design. */
static void select_rank(int64_t *a, Py_ssize_t low, Py_ssize_t high, Py_ssize_t k)
{
    uint64_t seed = 0x9E3779B97F4A7C15u;
    while (high - low > 1) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        int64_t pivot = a[low + (Py_ssize_t)(seed % (uint64_t)(high - low))];
        Py_ssize_t i = low, j = high - 1;
        while (i <= j) {
            while (a[i] < pivot) {
                i++;
            }
            while (a[j] > pivot) {
                j--;
            }
            if (i <= j) {
                int64_t swap = a[i];
                a[i++] = a[j];
                a[j--] = swap;
            }
        }
        if (k <= j) {
            high = j + 1;
        } else if (k >= i) {
            low = i;
        } else {
            return;
        }
    }
}

static int64_t clamp(__int128 value)
{
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

/* grouped_stats(start, end, key, keys): per key count, total, p50, p90, p99, max, longest */
PyObject *grouped_stats(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    static const int percents[] = {50, 90, 99};
    Inputs in;
    enum { COUNT, TOTAL, P50, P90, P99, MAX, LONGEST, COLUMNS };
    Column out[COLUMNS] = {0};
    int64_t *values = NULL, *at = NULL;
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "qqin") < 0) {
        goto done;
    }
    const int64_t *start = in.view[0].buf, *end = in.view[1].buf;
    const int32_t *key = in.view[2].buf;
    Py_ssize_t n = in.length[0], keys = in.number[3];
    if (in.length[1] != n || in.length[2] != n || keys < 0) {
        bad_columns();
        goto done;
    }
    if (check_range(key, n, -1, keys) < 0) {
        goto done;
    }
    for (int c = 0; c < COLUMNS; c++) {
        if (column_fill(&out[c], keys * 8, c == LONGEST ? 0xFF : 0) < 0) {
            goto done;
        }
    }
    int64_t *column[COLUMNS];
    for (int c = 0; c < COLUMNS; c++) {
        column[c] = (int64_t *)out[c].data;
    }
    values = PyMem_RawMalloc(n * sizeof *values + 1);
    at = PyMem_RawCalloc(keys + 1, sizeof *at);
    if (!values || !at) {
        PyErr_NoMemory();
        goto done;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        if (key[i] >= 0) {
            column[COUNT][key[i]]++;
        }
    }
    for (Py_ssize_t k = 0; k < keys; k++) {
        at[k + 1] = at[k] + column[COUNT][k];
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        int32_t k = key[i];
        if (k < 0) {
            continue;
        }
        int64_t value = end[i] - start[i];
        values[at[k]++] = value; /* at[k] ends as the end of bucket k */
        if (column[LONGEST][k] < 0 || value > column[MAX][k]) {
            column[MAX][k] = value;
            column[LONGEST][k] = i;
        }
    }
    for (Py_ssize_t k = 0; k < keys; k++) {
        int64_t count = column[COUNT][k], *bucket = values + at[k] - count;
        __int128 total = 0;
        for (int64_t i = 0; i < count; i++) {
            total += bucket[i];
        }
        column[TOTAL][k] = clamp(total);
        Py_ssize_t done_below = 0; /* ranks under it are in place */
        for (int p = 0; count && p < 3; p++) {
            int64_t rank = percents[p] * (count - 1) / 100, part = percents[p] * (count - 1) % 100;
            select_rank(bucket, done_below, count, rank);
            int64_t value = bucket[rank];
            if (part) {
                select_rank(bucket, rank + 1, count, rank + 1);
                value += (int64_t)(((__int128)(bucket[rank + 1] - value) * part + 50) / 100);
            }
            column[P50 + p][k] = value;
            done_below = rank;
        }
    }
    result = take_columns(out, "qqqqqqq");
done:
    PyMem_RawFree(values);
    PyMem_RawFree(at);
    free_columns(out, COLUMNS);
    inputs_free(&in);
    return result;
}

/* keyed_sums(start, end, key, code): per (key, code) with key >= 0: keys, codes, counts, totals,
 * longest; in order of first sight */
PyObject *keyed_sums(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    enum { KEY, CODE, COUNT, TOTAL, MAX, COLUMNS };
    Column out[COLUMNS] = {0};
    Map map = {0};
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "qqiq") < 0) {
        goto done;
    }
    const int64_t *start = in.view[0].buf, *end = in.view[1].buf, *code = in.view[3].buf;
    const int32_t *key = in.view[2].buf;
    Py_ssize_t n = in.length[0];
    if (in.length[1] != n || in.length[2] != n || in.length[3] != n) {
        bad_columns();
        goto done;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        if (key[i] < 0) {
            continue;
        }
        int fresh;
        MapEntry *e = map_put(&map, key[i], code[i], out[KEY].used / 4, &fresh);
        if (!e || (fresh && (push_i32(&out[KEY], key[i]) < 0 || push_i64(&out[CODE], code[i]) < 0
                             || push_i64(&out[COUNT], 0) < 0 || push_i64(&out[TOTAL], 0) < 0
                             || push_i64(&out[MAX], 0) < 0))) {
            goto done;
        }
        int64_t value = end[i] - start[i];
        ((int64_t *)out[COUNT].data)[e->value]++;
        int64_t *total = (int64_t *)out[TOTAL].data + e->value;
        *total = clamp((__int128)*total + value);
        int64_t *most = (int64_t *)out[MAX].data + e->value;
        *most = value > *most ? value : *most;
    }
    result = take_columns(out, "iqqqq");
done:
    map_free(&map);
    free_columns(out, COLUMNS);
    inputs_free(&in);
    return result;
}

/* group_keys(kind, owner, group, wanted): group[owner] of slices of the wanted kind, else -1 */
PyObject *group_keys(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    Column out[1] = {0};
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "Biin") < 0) {
        goto done;
    }
    const uint8_t *kind = in.view[0].buf;
    const int32_t *owner = in.view[1].buf, *group = in.view[2].buf;
    Py_ssize_t n = in.length[0], owners = in.length[2];
    if (in.length[1] != n) {
        bad_columns();
        goto done;
    }
    if (column_fill(&out[0], n * 4, 0xFF) < 0) {
        goto done;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        if (kind[i] == in.number[3] && owner[i] >= 0) {
            if (owner[i] >= owners) {
                bad_columns();
                goto done;
            }
            ((int32_t *)out[0].data)[i] = group[owner[i]];
        }
    }
    result = column_view(&out[0], "i");
done:
    free_columns(out, 1);
    inputs_free(&in);
    return result;
}

/* either(a, b, otherwise): by row the first of the two values that is not negative */
PyObject *either(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    Column out[1] = {0};
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "iin") < 0) {
        goto done;
    }
    const int32_t *a = in.view[0].buf, *b = in.view[1].buf;
    Py_ssize_t n = in.length[0];
    if (in.length[1] != n) {
        bad_columns();
        goto done;
    }
    if (column_reserve(&out[0], n * 4) < 0) {
        goto done;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        int32_t value = a[i] >= 0 ? a[i] : b[i] >= 0 ? b[i] : (int32_t)in.number[2];
        ((int32_t *)out[0].data)[i] = value;
    }
    out[0].used = n * 4;
    result = column_view(&out[0], "i");
done:
    free_columns(out, 1);
    inputs_free(&in);
    return result;
}

/* pick(rows, value, wanted): those of the rows whose value is wanted */
PyObject *pick(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    Column out[1] = {0};
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "iiB") < 0) {
        goto done;
    }
    const int32_t *row = in.view[0].buf, *value = in.view[1].buf;
    const uint8_t *wanted = in.view[2].buf;
    if (check_range(row, in.length[0], 0, in.length[1]) < 0) {
        goto done;
    }
    for (Py_ssize_t i = 0; i < in.length[0]; i++) {
        int32_t of = value[row[i]];
        if (of >= in.length[2]) {
            bad_columns();
            goto done;
        }
        if (of >= 0 && wanted[of] && push_i32(&out[0], row[i]) < 0) {
            goto done;
        }
    }
    result = column_view(&out[0], "i");
done:
    free_columns(out, 1);
    inputs_free(&in);
    return result;
}

/* gather(slice_event, event_track, of_track): of_track of each slice's track */
PyObject *gather(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    Column out[1] = {0};
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "iii") < 0) {
        goto done;
    }
    const int32_t *event = in.view[0].buf, *track = in.view[1].buf, *of = in.view[2].buf;
    Py_ssize_t n = in.length[0];
    if (check_range(event, n, 0, in.length[1]) < 0 || column_reserve(&out[0], n * 4) < 0) {
        goto done;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        int32_t at = track[event[i]];
        if (at < -1 || at >= in.length[2]) {
            bad_columns();
            goto done;
        }
        ((int32_t *)out[0].data)[i] = at < 0 ? -1 : of[at];
    }
    out[0].used = n * 4;
    result = column_view(&out[0], "i");
done:
    free_columns(out, 1);
    inputs_free(&in);
    return result;
}

/* pairs(a, b): numbers the pairs of each row by first sight, -1 where a is negative; by number,
 * the row that had it first */
PyObject *pairs(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    enum { NUMBER, HEAD, COLUMNS };
    Column out[COLUMNS] = {0};
    Map map = {0};
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "ii") < 0) {
        goto done;
    }
    const int32_t *a = in.view[0].buf, *b = in.view[1].buf;
    Py_ssize_t n = in.length[0];
    if (in.length[1] != n) {
        bad_columns();
        goto done;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        int64_t number = -1;
        if (i + FETCHED_AHEAD < n) {
            map_fetch(&map, (uint32_t)a[i + FETCHED_AHEAD], (uint32_t)b[i + FETCHED_AHEAD]);
        }
        if (a[i] >= 0) {
            int fresh;
            MapEntry *e = map_put(&map, (uint32_t)a[i], (uint32_t)b[i], out[HEAD].used / 4, &fresh);
            if (!e || (fresh && push_i32(&out[HEAD], (int32_t)i) < 0)) {
                goto done;
            }
            number = e->value;
        }
        if (push_i32(&out[NUMBER], (int32_t)number) < 0) {
            goto done;
        }
    }
    result = take_columns(out, "ii");
done:
    map_free(&map);
    free_columns(out, COLUMNS);
    inputs_free(&in);
    return result;
}

/* distinct(column, below): its values, each once and in ascending order; -1 is left out */
PyObject *distinct(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    Column out[2] = {0}; /* the values; by value 1 if it was seen */
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "in") < 0) {
        goto done;
    }
    const int32_t *value = in.view[0].buf;
    Py_ssize_t n = in.length[0], below = in.number[1];
    if (check_range(value, n, -1, below) < 0 || column_fill(&out[1], below + 1, 0) < 0) {
        goto done;
    }
    char *seen = out[1].data + 1;
    for (Py_ssize_t i = 0; i < n; i++) {
        seen[value[i]] = 1;
    }
    for (Py_ssize_t i = 0; i < below; i++) {
        if (seen[i] && push_i32(&out[0], (int32_t)i) < 0) {
            goto done;
        }
    }
    result = column_view(&out[0], "i");
done:
    free_columns(out, 2);
    inputs_free(&in);
    return result;
}

/* tally(start, end, key, kind, keys, kinds): count and total by key * kinds + kind; rows with
 * key -1 do not count */
PyObject *tally(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    enum { COUNT, TOTAL, COLUMNS };
    Column out[COLUMNS] = {0};
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "qqiBnn") < 0) {
        goto done;
    }
    const int64_t *start = in.view[0].buf, *end = in.view[1].buf;
    const int32_t *key = in.view[2].buf;
    const uint8_t *kind = in.view[3].buf;
    Py_ssize_t n = in.length[0], keys = in.number[4], kinds = in.number[5];
    if (in.length[1] != n || in.length[2] != n || in.length[3] != n || keys < 0 || kinds < 1
        || kinds > 256 || keys > PY_SSIZE_T_MAX / 4096) {
        bad_columns();
        goto done;
    }
    if (check_range(key, n, -1, keys) < 0 || column_fill(&out[COUNT], keys * kinds * 8, 0) < 0
        || column_fill(&out[TOTAL], keys * kinds * 8, 0) < 0) {
        goto done;
    }
    int64_t *count = (int64_t *)out[COUNT].data, *total = (int64_t *)out[TOTAL].data;
    for (Py_ssize_t i = 0; i < n; i++) {
        if (key[i] < 0) {
            continue;
        }
        if (kind[i] >= kinds) {
            bad_columns();
            goto done;
        }
        Py_ssize_t at = key[i] * kinds + kind[i];
        count[at]++;
        total[at] = clamp((__int128)total[at] + end[i] - start[i]);
    }
    result = take_columns(out, "qq");
done:
    free_columns(out, COLUMNS);
    inputs_free(&in);
    return result;
}
