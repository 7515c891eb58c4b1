/* Speed-up of timelines.py, the Python twin: who occupied each lane when, and who waited meanwhile. */
#include "timelines.h"

/* flatten -------------------------------------------------------------------------------- */

typedef struct {
    int64_t end;
    int32_t row;
} Occupant;

/* A lane while it is flattened. The top of `stack` occupies it; those below go on later. */
typedef struct {
    Occupant *stack;
    Py_ssize_t stacked, room;
    int64_t framed; /* until then a lane without occupant is NOBODY, later UNKNOWN */
    Py_ssize_t first; /* piece */
    Column start, row;
} Flat;

static int flat_emit(Flat *f, int64_t time, int32_t row)
{
    Py_ssize_t count = f->row.used / 4;
    if (count > f->first && I64(f->start)[count - 1] == time) {
        f->row.used -= 4;
        f->start.used -= 8;
        count--;
    }
    if (count > f->first && I32(f->row)[count - 1] == row) {
        return 0;
    }
    return push_i64(&f->start, time) < 0 || push_i32(&f->row, row) < 0 ? -1 : 0;
}

/* Ends every occupant that is over at `now`, and the frame. */
static int flat_leave(Flat *f, int64_t now)
{
    while (f->stacked && f->stack[f->stacked - 1].end <= now) {
        int64_t end = f->stack[f->stacked - 1].end;
        while (f->stacked && f->stack[f->stacked - 1].end <= end) {
            f->stacked--; /* also those it outlived: they do not come back */
        }
        int32_t row = f->stacked ? f->stack[f->stacked - 1].row
                      : end < f->framed ? NOBODY : UNKNOWN;
        if (flat_emit(f, end, row) < 0) {
            return -1;
        }
    }
    Py_ssize_t count = f->row.used / 4;
    int is_open = !f->stacked && count > f->first && I32(f->row)[count - 1] == NOBODY;
    return is_open && f->framed <= now ? flat_emit(f, f->framed, UNKNOWN) : 0;
}

static int flat_occupy(Flat *f, int64_t start, int64_t end, int32_t row, int64_t framed)
{
    if (flat_leave(f, start) < 0) {
        return -1;
    }
    if (framed > f->framed) {
        f->framed = framed;
    }
    Py_ssize_t count = f->row.used / 4;
    if (end <= start) { /* it has no duration, but the known part of the lane may begin or end here */
        int is_open = !f->stacked && framed > start
                      && (count == f->first || I32(f->row)[count - 1] == UNKNOWN);
        return is_open ? flat_emit(f, start, NOBODY) : 0;
    }
    if (f->stacked == f->room) {
        Py_ssize_t room = f->room * 2 + 16;
        Occupant *grown = PyMem_RawRealloc(f->stack, room * sizeof *grown);
        if (!grown) {
            PyErr_NoMemory();
            return -1;
        }
        f->stack = grown;
        f->room = room;
    }
    f->stack[f->stacked++] = (Occupant){end, row};
    return flat_emit(f, start, row);
}

/* flatten(start, end, lane, frame, extra_start, extra_end, extra_lane, lanes, frames):
 * (offset by lane, start, row) of the pieces */
PyObject *flatten(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    Lists rows = {0}, extras = {0};
    Column offset = {0};
    Flat f = {0};
    int64_t *last = NULL; /* by frame, when its last row begins */
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "qqiiqqinn") < 0) {
        goto done;
    }
    const int64_t *start = in.view[0].buf, *end = in.view[1].buf;
    const int32_t *lane = in.view[2].buf, *frame = in.view[3].buf;
    const int64_t *extra_start = in.view[4].buf, *extra_end = in.view[5].buf;
    const int32_t *extra_lane = in.view[6].buf;
    Py_ssize_t n = in.length[0], more = in.length[4];
    Py_ssize_t lanes = in.number[7], frames = in.number[8];
    if (in.length[1] != n || in.length[2] != n || in.length[3] != n || in.length[5] != more
        || in.length[6] != more || lanes < 0 || frames < 0
        || n + more > INT32_MAX) {
        bad_columns();
        goto done;
    }
    if (check_range(lane, n, -1, lanes) < 0 || check_range(frame, n, -1, frames) < 0
        || check_range(extra_lane, more, 0, lanes) < 0 || lists_make(&rows, lane, n, lanes) < 0
        || lists_make(&extras, extra_lane, more, lanes) < 0) {
        goto done;
    }
    last = PyMem_RawCalloc(frames + 1, sizeof *last);
    if (!last) {
        PyErr_NoMemory();
        goto done;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        if (lane[i] >= 0 && frame[i] >= 0) {
            last[frame[i]] = start[i];
        }
    }
    for (Py_ssize_t k = 0; k < lanes; k++) {
        f.first = f.row.used / 4;
        f.framed = INT64_MIN;
        if (push_i32(&offset, (int32_t)f.first) < 0) {
            goto done;
        }
        int64_t r = rows.offset[k], e = extras.offset[k];
        while (r < rows.offset[k + 1] || e < extras.offset[k + 1]) {
            int32_t row = r < rows.offset[k + 1] ? rows.row[r] : -1;
            int32_t extra = e < extras.offset[k + 1] ? extras.row[e] : -1;
            int failed;
            if (row >= 0 && (extra < 0 || start[row] <= extra_start[extra])) {
                int64_t framed = frame[row] >= 0 ? last[frame[row]] : INT64_MIN;
                failed = flat_occupy(&f, start[row], end[row], row, framed);
                r++;
            } else {
                failed = flat_occupy(&f, extra_start[extra], extra_end[extra],
                                     (int32_t)(n + extra), INT64_MIN);
                e++;
            }
            if (failed) {
                goto done;
            }
        }
        if (flat_leave(&f, INT64_MAX) < 0) {
            goto done;
        }
    }
    if (push_i32(&offset, (int32_t)(f.row.used / 4)) < 0) {
        goto done;
    }
    Column out[] = {offset, f.start, f.row};
    offset.bytes = f.start.bytes = f.row.bytes = NULL;
    result = take_columns(out, "iqi");
    free_columns(out, 3);
done:
    lists_free(&rows);
    lists_free(&extras);
    PyMem_RawFree(last);
    PyMem_RawFree(f.stack);
    Py_CLEAR(offset.bytes);
    Py_CLEAR(f.start.bytes);
    Py_CLEAR(f.row.bytes);
    inputs_free(&in);
    return result;
}

/* carve ---------------------------------------------------------------------------------- */

typedef struct {
    int32_t key;
    int64_t from, until;
} Piece;

/* carve(offset, start, row, key_of_row, lane, from, until): the windows in pieces of the lane, by
 * key: (key, offset, total) and, by place, (from, until). Without keys the rows are keys. */
PyObject *carve(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    Timeline t;
    enum { KEY, OFFSET, TOTAL, FROM, UNTIL, COLUMNS };
    Column out[COLUMNS] = {0}, pieces = {0};
    Map keys = {0};
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "iqiinqq") < 0) {
        goto done;
    }
    const int32_t *key_of = in.view[3].buf;
    const int64_t *from = in.view[5].buf, *until = in.view[6].buf;
    Py_ssize_t lane = in.number[4], windows = in.length[5];
    if (timeline_get(&t, &in) < 0) {
        goto done;
    }
    if (in.length[6] != windows || lane < -1 || lane >= t.lanes) {
        bad_columns();
        goto done;
    }
    if (lane >= 0 && lane_check(&t, lane) < 0) {
        goto done;
    }
    Py_ssize_t low = lane < 0 ? 0 : t.offset[lane], high = lane < 0 ? 0 : t.offset[lane + 1];
    for (Py_ssize_t w = 0; w < windows; w++) {
        Py_ssize_t p = piece_at(t.start, low, high, from[w]);
        for (int64_t at = from[w]; at < until[w]; p++) {
            int64_t ends = p + 1 < high && t.start[p + 1] < until[w] ? t.start[p + 1] : until[w];
            int32_t row = p < low ? UNKNOWN : t.row[p];
            if (row < UNKNOWN || (in.length[3] && row >= in.length[3])) {
                bad_columns();
                goto done;
            }
            int32_t key = row < 0 || !in.length[3] ? row : key_of[row];
            int fresh;
            Py_ssize_t number = out[KEY].used / 4;
            MapEntry *e = map_put(&keys, (uint32_t)key, 0, number, &fresh);
            if (!e || column_reserve(&pieces, sizeof(Piece)) < 0
                || (fresh && (push_i32(&out[KEY], key) < 0 || push_i32(&out[OFFSET], 0) < 0
                              || push_i64(&out[TOTAL], 0) < 0))) {
                goto done;
            }
            ((Piece *)pieces.data)[pieces.used / sizeof(Piece)] =
                (Piece){(int32_t)e->value, at, ends};
            pieces.used += sizeof(Piece);
            I32(out[OFFSET])[e->value]++;
            I64(out[TOTAL])[e->value] += ends - at;
            at = ends;
        }
    }
    Py_ssize_t count = pieces.used / sizeof(Piece);
    if (push_i32(&out[OFFSET], 0) < 0 || column_fill(&out[FROM], count * 8, 0) < 0
        || column_fill(&out[UNTIL], count * 8, 0) < 0) {
        goto done;
    }
    int32_t sum = 0; /* counts to ends of lists; filled backwards they become their begins */
    for (Py_ssize_t k = 0; k < out[KEY].used / 4; k++) {
        sum += I32(out[OFFSET])[k];
        I32(out[OFFSET])[k] = sum;
    }
    I32(out[OFFSET])[out[KEY].used / 4] = sum;
    for (Py_ssize_t i = count; i--;) {
        Piece *piece = &((Piece *)pieces.data)[i];
        int32_t to = --I32(out[OFFSET])[piece->key];
        I64(out[FROM])[to] = piece->from;
        I64(out[UNTIL])[to] = piece->until;
    }
    result = take_columns(out, "iiqqq");
done:
    map_free(&keys);
    free_columns(out, COLUMNS);
    free_columns(&pieces, 1);
    inputs_free(&in);
    return result;
}

/* meet ----------------------------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* What waits add up to at the moments of a lane: slope · t + height, and how many began, ended. */
typedef struct {
    __int128 slope, height;
    int64_t begun, ended;
} Level;

/* How many of the moments are before `time` (or at it, too). */
static Py_ssize_t moments_to(const int64_t *moment, Py_ssize_t n, int64_t time, int and_at)
{
    Py_ssize_t low = 0, high = n;
    while (low < high) {
        Py_ssize_t middle = low + (high - low) / 2;
        if (moment[middle] < time || (and_at && moment[middle] == time)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* meet(start, end, lane, from, until, lane_of, lanes): by interval (ns waited in it, waits) */
PyObject *meet(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    Lists waits = {0}, asked = {0};
    int64_t *moment = NULL;
    Level *level = NULL;
    enum { NS, COUNT, COLUMNS };
    Column out[COLUMNS] = {0};
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "qqiqqin") < 0) {
        goto done;
    }
    const int64_t *start = in.view[0].buf, *end = in.view[1].buf;
    const int32_t *lane = in.view[2].buf, *lane_of = in.view[5].buf;
    const int64_t *from = in.view[3].buf, *until = in.view[4].buf;
    Py_ssize_t n = in.length[0], intervals = in.length[3], lanes = in.number[6];
    if (in.length[1] != n || in.length[2] != n || in.length[4] != intervals
        || in.length[5] != intervals || lanes < 0) {
        bad_columns();
        goto done;
    }
    if (check_range(lane, n, -1, lanes) < 0 || check_range(lane_of, intervals, -1, lanes) < 0
        || lists_make(&waits, lane, n, lanes) < 0
        || lists_make(&asked, lane_of, intervals, lanes) < 0
        || column_fill(&out[NS], intervals * 8, 0) < 0
        || column_fill(&out[COUNT], intervals * 4, 0) < 0) {
        goto done;
    }
    moment = PyMem_RawMalloc((2 * intervals + 1) * sizeof *moment);
    level = PyMem_RawMalloc((2 * intervals + 1) * sizeof *level);
    if (!moment || !level) {
        PyErr_NoMemory();
        goto done;
    }
    for (Py_ssize_t k = 0; k < lanes; k++) {
        Py_ssize_t moments = 0;
        for (int64_t a = asked.offset[k]; a < asked.offset[k + 1]; a++) {
            moment[moments++] = from[asked.row[a]];
            moment[moments++] = until[asked.row[a]];
        }
        if (!moments) {
            continue;
        }
        qsort(moment, moments, sizeof *moment, by_time);
        memset(level, 0, (moments + 1) * sizeof *level);
        for (int64_t w = waits.offset[k]; w < waits.offset[k + 1]; w++) {
            int64_t begins = start[waits.row[w]], ends = end[waits.row[w]];
            if (ends <= begins) {
                continue;
            }
            /* from the first moment after its begin on it adds t - begin; from its end on, its length */
            Level *rises = &level[moments_to(moment, moments, begins, 1)];
            Level *rests = &level[moments_to(moment, moments, ends, 0)];
            rises->slope++;
            rises->height -= begins;
            rises->begun++;
            rests->slope--;
            rests->height += ends;
            rests->ended++;
        }
        for (Py_ssize_t m = 1; m < moments; m++) {
            level[m].slope += level[m - 1].slope;
            level[m].height += level[m - 1].height;
            level[m].begun += level[m - 1].begun;
            level[m].ended += level[m - 1].ended;
        }
        for (int64_t a = asked.offset[k]; a < asked.offset[k + 1]; a++) {
            int32_t i = asked.row[a];
            if (until[i] <= from[i]) {
                continue;
            }
            Level *at = &level[moments_to(moment, moments, from[i], 0)];
            Level *to = &level[moments_to(moment, moments, until[i], 0)];
            __int128 ns = to->slope * until[i] + to->height - at->slope * from[i] - at->height;
            I64(out[NS])[i] = ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
            I32(out[COUNT])[i] = (int32_t)(to->begun - at->ended);
        }
    }
    result = take_columns(out, "qi");
done:
    lists_free(&waits);
    lists_free(&asked);
    PyMem_RawFree(moment);
    PyMem_RawFree(level);
    free_columns(out, COLUMNS);
    inputs_free(&in);
    return result;
}
