/* Cuts lanes into what a screen can show, and columns to a range: twins in tiles.py. */
#include "columns.h"

enum { TILE_STATES = 16, TILE_REACH = 16 }; /* as in tiles.py */

/* lanes(start, end, code, lane, lanes): rows by lane, in each in order of begin:
   offset per lane, and per place the row, start, end, code. Rows with lane -1 are left out. */
PyObject *lanes(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    enum { OFFSET, ROW, START, END, CODE, COLUMNS };
    Column out[COLUMNS] = {0};
    int64_t *at = NULL;
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "qqBin") < 0) {
        goto done;
    }
    const int64_t *start = in.view[0].buf, *end = in.view[1].buf;
    const uint8_t *code = in.view[2].buf;
    const int32_t *lane = in.view[3].buf;
    Py_ssize_t n = in.length[0], count = in.number[4];
    if (in.length[1] != n || in.length[2] != n || in.length[3] != n || count < 0) {
        bad_columns();
        goto done;
    }
    if (check_range(lane, n, -1, count) < 0) {
        goto done;
    }
    at = PyMem_RawCalloc(count + 1, sizeof *at);
    if (!at) {
        PyErr_NoMemory();
        goto done;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        at[lane[i] + 1]++;
    }
    at[0] = 0; /* those without a lane were counted here */
    for (Py_ssize_t k = 0; k < count; k++) {
        at[k + 1] += at[k];
    }
    Py_ssize_t used = at[count];
    static const int width[COLUMNS] = {4, 4, 8, 8, 1};
    for (int c = 0; c < COLUMNS; c++) {
        if (column_fill(&out[c], (c == OFFSET ? count + 1 : used) * width[c], 0) < 0) {
            goto done;
        }
    }
    for (Py_ssize_t k = 0; k <= count; k++) {
        ((int32_t *)out[OFFSET].data)[k] = (int32_t)at[k];
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        if (lane[i] >= 0) {
            int64_t to = at[lane[i]]++;
            ((int32_t *)out[ROW].data)[to] = (int32_t)i;
            ((int64_t *)out[START].data)[to] = start[i];
            ((int64_t *)out[END].data)[to] = end[i];
            ((uint8_t *)out[CODE].data)[to] = code[i];
        }
    }
    result = take_columns(out, "iiqqB");
done:
    free_columns(out, COLUMNS);
    inputs_free(&in);
    PyMem_RawFree(at);
    return result;
}

/* One pixel in which several slices begin. */
typedef struct {
    int64_t index; /* -1: none open */
    int64_t ns[TILE_STATES];
    int32_t count;
    Py_ssize_t first; /* place of the only slice, while count is 1 */
} Bucket;

typedef struct {
    int64_t from, pixel_ns;
    const int32_t *row;
    const int64_t *start, *end;
    const uint8_t *code;
    Column *out;
} Tile;
enum { ITEM_LANE, ITEM_START, ITEM_END, ITEM_CODE, ITEM_ROW, ITEM_COUNT, SHARES, TILE_COLUMNS };

static int put_slice(Tile *t, Py_ssize_t i)
{
    return push_i64(&t->out[ITEM_START], t->start[i]) < 0
        || push_i64(&t->out[ITEM_END], t->end[i]) < 0
        || push_u8(&t->out[ITEM_CODE], t->code[i]) < 0
        || push_i32(&t->out[ITEM_ROW], t->row[i]) < 0
        || push_i32(&t->out[ITEM_COUNT], 1) < 0 ? -1 : 0;
}

/* Writes the open bucket and closes it; a neighbour's slice that reaches into it does not count. */
static int put_bucket(Tile *t, Bucket *b)
{
    int failed = 0;
    if (b->count == 1) {
        failed = put_slice(t, b->first);
    } else if (b->count > 1) {
        int most = 0;
        for (int s = 1; s < TILE_STATES; s++) {
            most = b->ns[s] > b->ns[most] ? s : most;
        }
        int64_t start = t->from + b->index * t->pixel_ns;
        failed = push_i64(&t->out[ITEM_START], start) < 0
            || push_i64(&t->out[ITEM_END], start + t->pixel_ns) < 0
            || push_u8(&t->out[ITEM_CODE], (uint8_t)most) < 0
            || push_i32(&t->out[ITEM_ROW], -1) < 0
            || push_i32(&t->out[ITEM_COUNT], b->count) < 0;
        for (int s = 0; s < TILE_STATES && !failed; s++) {
            int64_t share = b->ns[s] * 255 / t->pixel_ns; /* more where slices overlap */
            failed = push_u8(&t->out[SHARES], share < 255 ? (uint8_t)share : 255) < 0;
        }
    }
    memset(b, 0, sizeof *b);
    b->index = -1;
    return failed ? -1 : 0;
}

static int add_small(Tile *t, Bucket *b, Py_ssize_t i)
{
    int64_t start = t->start[i] > t->from ? t->start[i] : t->from, end = t->end[i];
    int64_t index = (start - t->from) / t->pixel_ns;
    if (index != b->index) {
        if (put_bucket(t, b) < 0) {
            return -1;
        }
        b->index = index;
    }
    if (!b->count++) {
        b->first = i;
    }
    int64_t border = t->from + (index + 1) * t->pixel_ns;
    int state = t->code[i] & (TILE_STATES - 1);
    b->ns[state] += (end < border ? end : border) - start;
    if (end > border) {
        if (put_bucket(t, b) < 0) {
            return -1;
        }
        b->index = index + 1;
        b->ns[state] = end - border;
    }
    return 0;
}

/* tile(offset, row, start, end, code, wanted, from, pixel_ns, pixels): of each wanted lane the
   slices of a pixel and more, and buckets of those that share a pixel. */
PyObject *tile(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    Column out[TILE_COLUMNS] = {0};
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "iiqqBinnn") < 0) {
        goto done;
    }
    const int32_t *offset = in.view[0].buf, *wanted = in.view[5].buf;
    Tile t = {in.number[6], in.number[7], in.view[1].buf, in.view[2].buf, in.view[3].buf,
              in.view[4].buf, out};
    Py_ssize_t n = in.length[1];
    if (in.length[2] != n || in.length[3] != n || in.length[4] != n || in.length[0] < 1
        || t.pixel_ns < 1 || t.pixel_ns > (int64_t)1 << 46 || in.number[8] < 1
        || in.number[8] > 1 << 14 || t.from < -((int64_t)1 << 61) || t.from > (int64_t)1 << 62) {
        bad_columns();
        goto done;
    }
    if (check_range(offset, in.length[0], 0, n + 1) < 0
        || check_range(wanted, in.length[5], 0, in.length[0] - 1) < 0) {
        goto done;
    }
    int64_t to = t.from + in.number[8] * t.pixel_ns;
    for (Py_ssize_t w = 0; w < in.length[5]; w++) {
        Py_ssize_t low = offset[wanted[w]], high = offset[wanted[w] + 1], first = low;
        if (push_i32(&out[ITEM_LANE], (int32_t)(out[ITEM_CODE].used)) < 0) {
            goto done;
        }
        for (Py_ssize_t last = high; low < last;) { /* the first that begins after `from` */
            Py_ssize_t middle = low + (last - low) / 2;
            if (t.start[middle] > t.from) {
                last = middle;
            } else {
                low = middle + 1;
            }
        }
        low = low - TILE_REACH > first ? low - TILE_REACH : first; /* some may reach in */
        Bucket bucket = {.index = -1};
        for (Py_ssize_t i = low; i < high && t.start[i] < to; i++) {
            if (t.end[i] < t.from || (t.end[i] == t.from && t.start[i] < t.from)) {
                continue;
            }
            int is_small = t.end[i] - t.start[i] < t.pixel_ns;
            if ((is_small ? add_small(&t, &bucket, i) : put_slice(&t, i)) < 0) {
                goto done;
            }
        }
        if (put_bucket(&t, &bucket) < 0) {
            goto done;
        }
    }
    if (push_i32(&out[ITEM_LANE], (int32_t)(out[ITEM_CODE].used)) < 0) {
        goto done;
    }
    result = take_columns(out, "iqqBiiB");
done:
    free_columns(out, TILE_COLUMNS);
    inputs_free(&in);
    return result;
}

/* clip(start, end, kind, from, to): times cut to the range; kind 0 of what is outside */
PyObject *clip(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    Column out[3] = {0};
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "qqBnn") < 0) {
        goto done;
    }
    const int64_t *start = in.view[0].buf, *end = in.view[1].buf;
    const uint8_t *kind = in.view[2].buf;
    int64_t from = in.number[3], to = in.number[4];
    Py_ssize_t n = in.length[0];
    if (in.length[1] != n || in.length[2] != n || from > to) {
        bad_columns();
        goto done;
    }
    if (column_fill(&out[0], n * 8, 0) < 0 || column_fill(&out[1], n * 8, 0) < 0
        || column_fill(&out[2], n, 0) < 0) {
        goto done;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        int64_t s = start[i] < from ? from : start[i] > to ? to : start[i];
        int64_t e = end[i] > to ? to : end[i] < from ? from : end[i];
        ((int64_t *)out[0].data)[i] = s;
        ((int64_t *)out[1].data)[i] = e < s ? s : e;
        int is_in = start[i] < to && (end[i] > from || start[i] >= from);
        ((uint8_t *)out[2].data)[i] = is_in ? kind[i] : 0;
    }
    result = take_columns(out, "qqB");
done:
    free_columns(out, 3);
    inputs_free(&in);
    return result;
}
