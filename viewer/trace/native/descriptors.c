/* Speed-up of descriptors.py, the Python twin: reads TrackDescriptors. */
#include "columns.h"
#include "strings.h"
#include "uuids.h"
#include "wire.h"

#define VARINT(field) ((uint64_t)(field) << 3)
#define BYTES(field) ((uint64_t)(field) << 3 | 2)

enum { UUID = 1, NAME = 2, PROCESS = 3, THREAD = 4, PARENT = 5 };
enum { PROCESS_PID = 1 };
enum { THREAD_PID = 1, TID = 2, THREAD_NAME = 5 };

/* In the order of the columns of Described. */
enum { OUT_UUID, OUT_PARENT, OUT_PARENT_ROW, OUT_PID, OUT_TID, OUT_NAME, OUT_THREAD_NAME,
       OUT_BODY, OUT_OF_TRACK, OUTS };
#define FORMATS "QQiQQiiii"

typedef struct {
    uint64_t uuid, parent, process_pid, thread_pid, tid;
    Span name, thread_name;
    int32_t body; /* its number among those given */
} Descriptor;

typedef struct {
    int64_t at, size, last;
    int32_t number;
} Body;

/* Descriptors that are read and not yet put, in order, while their slots are fetched. */
typedef struct {
    Descriptor all[ON_THE_WAY];
    Py_ssize_t read, done;
} Ahead;

/* Returns 1 if well-formed, 0 if malformed. */
static int read_process(Descriptor *d, Span s)
{
    uint64_t tag;
    Value v;
    while (next_field(&s, &tag, &v)) {
        switch (tag) {
        case 0: return 1;
        case VARINT(PROCESS_PID): d->process_pid = v.number; break;
        }
    }
    return 0;
}

static int read_thread(Descriptor *d, Span s)
{
    uint64_t tag;
    Value v;
    while (next_field(&s, &tag, &v)) {
        switch (tag) {
        case 0: return 1;
        case VARINT(THREAD_PID): d->thread_pid = v.number; break;
        case VARINT(TID): d->tid = v.number; break;
        case BYTES(THREAD_NAME): d->thread_name = v.body;
        }
    }
    return 0;
}

static int read_descriptor(Descriptor *d, Span s)
{
    uint64_t tag;
    Value v;
    while (next_field(&s, &tag, &v)) {
        int is_good = 1;
        switch (tag) {
        case 0: return 1;
        case VARINT(UUID): d->uuid = v.number; break;
        case BYTES(NAME): d->name = v.body; break;
        case VARINT(PARENT): d->parent = v.number; break;
        case BYTES(PROCESS): is_good = read_process(d, v.body); break;
        case BYTES(THREAD): is_good = read_thread(d, v.body);
        }
        if (!is_good) {
            return 0;
        }
    }
    return 0;
}

static int64_t *row_of(Column *column)
{
    return (int64_t *)column->data;
}

/* Puts a descriptor in the row of its uuid, or in a new one; -1 with an exception set. */
static int put(const Descriptor *d, Column *out, Uuids *rows, Pool *texts)
{
    Py_ssize_t known = rows->count;
    Py_ssize_t row = uuids_put(rows, (const uint64_t *)out[OUT_UUID].data, d->uuid);
    int fresh = row == known;
    Py_ssize_t name = row >= 0 ? pool_add(texts, d->name, 0) : -1;
    Py_ssize_t thread_name = name < 0 ? -1 : pool_add(texts, d->thread_name, 0);
    if (thread_name < 0) {
        return -1;
    }
    if (fresh) {
        for (int i = 0; i < OUT_OF_TRACK; i++) {
            if (column_fill(&out[i], FORMATS[i] == 'i' ? 4 : 8, 0) < 0) {
                return -1;
            }
        }
    }
    row_of(&out[OUT_UUID])[row] = (int64_t)d->uuid;
    row_of(&out[OUT_PARENT])[row] = (int64_t)d->parent;
    row_of(&out[OUT_PID])[row] = (int64_t)(d->process_pid ? d->process_pid : d->thread_pid);
    row_of(&out[OUT_TID])[row] = (int64_t)d->tid;
    ((int32_t *)out[OUT_NAME].data)[row] = (int32_t)name;
    ((int32_t *)out[OUT_THREAD_NAME].data)[row] = (int32_t)thread_name;
    ((int32_t *)out[OUT_BODY].data)[row] = d->body;
    return 0;
}

/* Puts those that are read, up to the last `left`; -1 with an exception set. */
static int put_ahead(Ahead *ahead, Py_ssize_t left, Column *out, Uuids *rows, Pool *texts)
{
    for (; ahead->read - ahead->done > left; ahead->done++) {
        if (put(&ahead->all[ahead->done % ON_THE_WAY], out, rows, texts) < 0) {
            return -1;
        }
    }
    return 0;
}

/* By uuid its row, -1 without. */
static int find_rows(Column *out, const uint64_t *uuids, Py_ssize_t n, const Uuids *rows,
                     const uint64_t *known)
{
    if (column_fill(out, n * 4, 0xFF) < 0) {
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        ((int32_t *)out->data)[i] = (int32_t)uuids_find(rows, known, uuids[i]);
    }
    return 0;
}

static int by_last(const void *a, const void *b)
{
    int64_t x = ((const Body *)a)->last, y = ((const Body *)b)->last;
    return (x > y) - (x < y);
}

/* The bodies in the order in which they were last seen; NULL with an exception set. */
static Body *in_order(const Inputs *in)
{
    const int64_t *at = in->view[1].buf, *size = in->view[2].buf, *last = in->view[3].buf;
    Py_ssize_t n = in->length[1];
    if (in->length[2] != n || in->length[3] != n || n > INT32_MAX) {
        bad_columns();
        return NULL;
    }
    Body *bodies = PyMem_RawMalloc((size_t)(n ? n : 1) * sizeof *bodies);
    if (!bodies) {
        PyErr_NoMemory();
        return NULL;
    }
    int is_sorted = 1;
    for (Py_ssize_t i = 0; i < n; i++) {
        if (at[i] < 0 || size[i] < 0 || at[i] > in->length[0] || size[i] > in->length[0] - at[i]) {
            PyMem_RawFree(bodies);
            bad_columns();
            return NULL;
        }
        bodies[i] = (Body){at[i], size[i], last[i], (int32_t)i};
        is_sorted &= !i || last[i] > last[i - 1];
    }
    if (!is_sorted) {
        qsort(bodies, (size_t)n, sizeof *bodies, by_last);
    }
    return bodies;
}

/* describe(data, at, size, last, uuids): the tracks that well-formed descriptors describe, the
 * newest of each uuid; and by uuid its row */
PyObject *describe(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    Inputs in;
    Column out[OUTS] = {0};
    Uuids rows = {0};
    Pool texts = {0};
    Body *bodies = NULL;
    Ahead ahead = {0};
    PyObject *columns = NULL, *strings = NULL, *result = NULL;
    if (inputs_get(&in, args, nargs, "BqqqQ") < 0 || !(bodies = in_order(&in))) {
        goto done;
    }
    const uint8_t *data = in.view[0].buf;
    for (Py_ssize_t i = 0; i < in.length[1]; i++) {
        const uint8_t *at = data + bodies[i].at;
        if (put_ahead(&ahead, ON_THE_WAY - 1, out, &rows, &texts) < 0) {
            goto done;
        }
        Descriptor *d = &ahead.all[ahead.read % ON_THE_WAY];
        *d = (Descriptor){.name = {at, at}, .thread_name = {at, at}, /* empty, not NULL */
                          .body = bodies[i].number};
        if (read_descriptor(d, (Span){at, at + bodies[i].size})) {
            uuids_fetch(&rows, d->uuid);
            pool_fetch(&texts, hash_bytes(d->name));
            ahead.read++;
        }
    }
    if (put_ahead(&ahead, 0, out, &rows, &texts) < 0) {
        goto done;
    }
    out[OUT_PARENT_ROW].used = 0;
    const uint64_t *known = (uint64_t *)out[OUT_UUID].data;
    const uint64_t *parents = (uint64_t *)out[OUT_PARENT].data;
    if (find_rows(&out[OUT_PARENT_ROW], parents, out[OUT_PARENT].used / 8, &rows, known) < 0
        || find_rows(&out[OUT_OF_TRACK], in.view[4].buf, in.length[4], &rows, known) < 0) {
        goto done;
    }
    strings = strings_of(module, &texts);
    columns = strings ? take_columns(out, FORMATS) : NULL;
    result = columns ? PyTuple_Pack(3, columns, strings,
                                    strings_are_names((Strings *)strings) ? Py_True : Py_False)
                     : NULL;
done:
    Py_XDECREF(columns);
    Py_XDECREF(strings);
    PyMem_RawFree(bodies);
    PyMem_RawFree(texts.slots.all);
    PyMem_RawFree(texts.items);
    PyMem_RawFree(texts.last);
    uuids_free(&rows);
    free_columns(out, OUTS);
    inputs_free(&in);
    return result;
}

/* above(parent, wanted): by row the nearest of itself and those above it that is wanted; -1
 * without, also where they are a circle */
PyObject *above(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    Column out = {0}, path = {0};
    PyObject *result = NULL;
    enum { ON_THE_WAY = -2, NOT_YET = -3 };
    if (inputs_get(&in, args, nargs, "ii") < 0) {
        goto done;
    }
    const int32_t *parent = in.view[0].buf;
    const int32_t *wanted = in.view[1].buf;
    Py_ssize_t n = in.length[0];
    int wants_top = in.length[1] == 0;
    if (in.length[1] != n && !wants_top) {
        bad_columns();
        goto done;
    }
    if (check_range(parent, n, -1, n) < 0 || column_fill(&out, n * 4, 0) < 0
        || column_fill(&path, n * 4, 0) < 0) {
        goto done;
    }
    int32_t *found = (int32_t *)out.data, *way = (int32_t *)path.data;
    for (Py_ssize_t i = 0; i < n; i++) {
        found[i] = (wants_top ? parent[i] < 0 : wanted[i]) ? (int32_t)i : parent[i] < 0 ? -1 : NOT_YET;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        Py_ssize_t steps = 0;
        int32_t at = (int32_t)i;
        for (; found[at] == NOT_YET; at = parent[at]) {
            found[at] = ON_THE_WAY;
            way[steps++] = at;
        }
        int32_t answer = found[at] == ON_THE_WAY ? -1 : found[at];
        while (steps) {
            found[way[--steps]] = answer;
        }
    }
    result = column_view(&out, "i");
done:
    free_columns(&out, 1);
    free_columns(&path, 1);
    inputs_free(&in);
    return result;
}
