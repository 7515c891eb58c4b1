/* Speed-up of charges.py, the Python twin: waits charged to the occupants of their lane. */
#include "timelines.h"

enum { FEWEST = 16, MOST = 256 }; /* occupants of a lane with numbers of their own; as in charges.py */
enum { PAIRS = 1 << 16, SNAPSHOTS = 1 << 22 };

typedef struct {
    int64_t time;
    int32_t number; /* a wait, or an occupant */
} Timed;

static int least_first(const void *a, const void *b)
{
    const Timed *x = a, *y = b;
    return x->time != y->time ? (x->time > y->time) - (x->time < y->time)
                              : (x->number > y->number) - (x->number < y->number);
}

static int most_first(const void *a, const void *b)
{
    const Timed *x = a, *y = b;
    return x->time != y->time ? (x->time < y->time) - (x->time > y->time)
                              : (x->number > y->number) - (x->number < y->number);
}

/* Numbers of a lane for what the whole trace numbers: stamped, so that no lane clears them. */
typedef struct {
    int32_t *local, *stamp;
    Column seen; /* i: the trace's number by the lane's */
} Local;

static int local_make(Local *l, Py_ssize_t count)
{
    l->local = PyMem_RawCalloc(count + 1, sizeof *l->local);
    l->stamp = PyMem_RawCalloc(count + 1, sizeof *l->stamp);
    if (!l->local || !l->stamp) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static void local_free(Local *l)
{
    PyMem_RawFree(l->local);
    PyMem_RawFree(l->stamp);
    Py_CLEAR(l->seen.bytes);
}

static int32_t local_put(Local *l, int32_t number, int32_t lane)
{
    if (l->stamp[number] != lane + 1) {
        l->stamp[number] = lane + 1;
        l->local[number] = (int32_t)(l->seen.used / 4);
        if (push_i32(&l->seen, number) < 0) {
            return -1;
        }
    }
    return l->local[number];
}

enum { KEY, WHO, TOTAL, COUNT, LONGEST, COLUMNS };
enum { SEVERAL = -1, NOWHERE = -2 };

typedef struct {
    Timeline t;
    const int32_t *who_of; /* by row */
    int32_t nobody, unknown, others;
    const int64_t *start, *end;
    const int32_t *key;
    Local whos, keys;
    Column ends, times;        /* Timed */
    Column had, snaps, sums;   /* q */
    Column slot, free;         /* i */
    Column out[COLUMNS];
    int32_t *home; /* by key the lane of all its waits; SEVERAL, NOWHERE */
    Map pairs;     /* the sums of keys with several lanes */
} Work;

static int32_t who_at(const Work *w, Py_ssize_t piece, Py_ssize_t low)
{
    int32_t row = piece < low ? UNKNOWN : w->t.row[piece];
    return row >= 0 ? w->who_of[row] : row == NOBODY ? w->nobody : w->unknown;
}

static int64_t *column_room(Column *c, Py_ssize_t bytes)
{
    c->used = 0;
    return column_reserve(c, bytes + 1) < 0 ? NULL : (int64_t *)c->data;
}

/* Room for so many more rows at once: a column that grows step by step is copied each time. */
static int rows_reserve(Work *w, Py_ssize_t more)
{
    for (int i = 0; i < COLUMNS; i++) {
        if (column_reserve(&w->out[i], more * (i < TOTAL ? 4 : 8)) < 0) {
            return -1;
        }
    }
    return 0;
}

static int push(Work *w, int32_t key, int32_t who, int64_t total, int64_t count, int64_t longest)
{
    return push_i32(&w->out[KEY], key) < 0 || push_i32(&w->out[WHO], who) < 0
                   || push_i64(&w->out[TOTAL], total) < 0 || push_i64(&w->out[COUNT], count) < 0
                   || push_i64(&w->out[LONGEST], longest) < 0
               ? -1
               : 0;
}

/* A lane has each pair once: only keys that wait at several lanes have sums to find again. */
static int put(Work *w, int32_t key, int32_t who, int64_t total, int64_t count, int64_t longest)
{
    if (w->home[key] >= 0) {
        return push(w, key, who, total, count, longest);
    }
    int fresh;
    Py_ssize_t number = w->out[KEY].used / 4;
    MapEntry *e = map_put(&w->pairs, (uint32_t)key, (uint32_t)who, number, &fresh);
    if (!e || (fresh && push(w, key, who, 0, 0, 0) < 0)) {
        return -1;
    }
    int64_t *sum = &I64(w->out[TOTAL])[e->value], *most = &I64(w->out[LONGEST])[e->value];
    *sum = total > INT64_MAX - *sum ? INT64_MAX : *sum + total;
    I64(w->out[COUNT])[e->value] += count;
    *most = longest > *most ? longest : *most;
    return 0;
}

/* Occupants of the pieces [p, high) that begin before `until`: the lane's numbers of those that have
 * one, in `whos.local`; returns how many, -1 with an exception set. */
static Py_ssize_t find_whos(Work *w, int32_t lane, Py_ssize_t p, Py_ssize_t high, int64_t until,
                            Py_ssize_t room)
{
    Py_ssize_t low = w->t.offset[lane];
    w->whos.seen.used = 0;
    for (Py_ssize_t i = p; i < high && (i == p || w->t.start[i] < until); i++) {
        if (local_put(&w->whos, who_at(w, i, low), lane) < 0) {
            return -1;
        }
    }
    Py_ssize_t count = w->whos.seen.used / 4;
    if (count <= room) {
        return count;
    }
    Timed *had = (Timed *)column_room(&w->times, count * sizeof *had);
    if (!had) {
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        had[i] = (Timed){0, I32(w->whos.seen)[i]};
    }
    for (Py_ssize_t i = p < low ? low : p; i < high && w->t.start[i] < until; i++) {
        int64_t ends = i + 1 < high && w->t.start[i + 1] < until ? w->t.start[i + 1] : until;
        had[w->whos.local[who_at(w, i, low)]].time += ends - w->t.start[i];
    }
    qsort(had, count, sizeof *had, most_first);
    for (Py_ssize_t i = 0; i < count; i++) {
        int32_t at = (int32_t)(i < room - 1 ? i : room - 1);
        w->whos.local[had[i].number] = at;
        I32(w->whos.seen)[at] = i < room - 1 ? had[i].number : w->others;
    }
    w->whos.seen.used = room * 4;
    return room;
}

/* Charges the waits of a lane, listed by begin. */
static int charge_lane(Work *w, int32_t lane, const int32_t *waits, Py_ssize_t n)
{
    w->keys.seen.used = 0;
    Timed *ends = (Timed *)column_room(&w->ends, n * sizeof *ends);
    int32_t *slot = (int32_t *)column_room(&w->slot, n * 4);
    if (!ends || !slot) {
        return -1;
    }
    int is_sorted = 1;
    for (Py_ssize_t i = 0; i < n; i++) {
        ends[i] = (Timed){w->end[waits[i]], (int32_t)i};
        is_sorted &= !i || ends[i - 1].time <= ends[i].time;
        if (local_put(&w->keys, w->key[waits[i]], lane) < 0) {
            return -1;
        }
    }
    if (!is_sorted) {
        qsort(ends, n, sizeof *ends, least_first);
    }
    Py_ssize_t most = 0, keys = w->keys.seen.used / 4; /* waits at once */
    for (Py_ssize_t i = 0, e = 0; i < n; i++) {
        for (; ends[e].time <= w->start[waits[i]]; e++) {
        }
        most = i + 1 - e > most ? i + 1 - e : most;
    }
    Py_ssize_t room = PAIRS / keys < SNAPSHOTS / most ? PAIRS / keys : SNAPSHOTS / most;
    room = room < FEWEST ? FEWEST : room > MOST ? MOST : room;
    Py_ssize_t low = w->t.offset[lane], high = w->t.offset[lane + 1];
    int64_t at = w->start[waits[0]];
    Py_ssize_t p = piece_at(w->t.start, low, high, at);
    Py_ssize_t whos = find_whos(w, lane, p, high, ends[n - 1].time, room);
    if (whos < 0) {
        return -1;
    }
    int64_t *had = column_room(&w->had, whos * 8), *sums;
    int64_t *snaps = column_room(&w->snaps, most * whos * 8);
    int32_t *unused = (int32_t *)column_room(&w->free, most * 4);
    sums = column_room(&w->sums, keys * whos * 24);
    if (!had || !snaps || !unused || !sums) {
        return -1;
    }
    memset(had, 0, whos * 8);
    memset(sums, 0, keys * whos * 24);
    Py_ssize_t spare = most;
    for (Py_ssize_t i = 0; i < most; i++) {
        unused[i] = (int32_t)i;
    }
    int64_t *counts = sums + keys * whos, *longest = counts + keys * whos;
    int32_t present = w->whos.local[who_at(w, p, low)];
    for (Py_ssize_t next = 0, e = 0; e < n;) {
        int begins = next < n && w->start[waits[next]] < ends[e].time;
        int64_t now = begins ? w->start[waits[next]] : ends[e].time;
        for (; p + 1 < high && w->t.start[p + 1] <= now; p++) {
            had[present] += w->t.start[p + 1] - at;
            at = w->t.start[p + 1];
            present = w->whos.local[who_at(w, p + 1, low)];
        }
        had[present] += now - at;
        at = now;
        if (begins) {
            slot[next] = unused[--spare];
            memcpy(snaps + slot[next] * whos, had, whos * 8);
            next++;
            continue;
        }
        int32_t wait = ends[e++].number;
        const int64_t *before = snaps + slot[wait] * whos;
        Py_ssize_t first = w->keys.local[w->key[waits[wait]]] * whos;
        unused[spare++] = slot[wait];
        for (Py_ssize_t i = 0; i < whos; i++) {
            int64_t ns = had[i] - before[i];
            int64_t *sum = &sums[first + i];
            *sum = ns > INT64_MAX - *sum ? INT64_MAX : *sum + ns;
            counts[first + i] += ns > 0;
            longest[first + i] = ns > longest[first + i] ? ns : longest[first + i];
        }
    }
    if (rows_reserve(w, keys * whos) < 0) {
        return -1;
    }
    for (Py_ssize_t k = 0, at_ = 0; k < keys; k++) {
        for (Py_ssize_t i = 0; i < whos; i++, at_++) {
            if (counts[at_]
                && put(w, I32(w->keys.seen)[k], I32(w->whos.seen)[i], sums[at_], counts[at_],
                       longest[at_]) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

/* charge(offset, start, row, who_of_row, whos, wait_start, wait_end, wait_lane, wait_key, keys):
 * (key, who, total, count, longest) */
PyObject *charge(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    Work w = {0};
    Lists waits = {0};
    int32_t *lane_of = NULL;
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "iqiinqqiin") < 0) {
        goto done;
    }
    Py_ssize_t n = in.length[5], whos = in.number[4], keys = in.number[9];
    const int32_t *lane = in.view[7].buf;
    w.who_of = in.view[3].buf;
    w.start = in.view[5].buf;
    w.end = in.view[6].buf;
    w.key = in.view[8].buf;
    w.nobody = (int32_t)whos;
    w.unknown = w.nobody + 1;
    w.others = w.nobody + 2;
    if (timeline_get(&w.t, &in) < 0) {
        goto done;
    }
    if (in.length[6] != n || in.length[7] != n || in.length[8] != n || whos < 0
        || whos > INT32_MAX - 8 || keys < 0) {
        bad_columns();
        goto done;
    }
    for (Py_ssize_t p = 0; p < w.t.pieces; p++) {
        int32_t row = w.t.row[p];
        if (row < UNKNOWN || row >= in.length[3]
            || (row >= 0 && (w.who_of[row] < 0 || w.who_of[row] >= whos + 2))) {
            bad_columns();
            goto done;
        }
    }
    if (check_range(w.key, n, -1, keys) < 0 || check_range(lane, n, -1, w.t.lanes) < 0
        || local_make(&w.whos, whos + 3) < 0 || local_make(&w.keys, keys) < 0) {
        goto done;
    }
    lane_of = PyMem_RawMalloc(n * sizeof *lane_of + 1);
    w.home = PyMem_RawMalloc(keys * sizeof *w.home + 1);
    if (!lane_of || !w.home) {
        PyErr_NoMemory();
        goto done;
    }
    for (Py_ssize_t k = 0; k < keys; k++) {
        w.home[k] = NOWHERE;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        if (w.key[i] >= 0 && w.end[i] > w.start[i]) {
            int32_t *home = &w.home[w.key[i]];
            *home = *home == NOWHERE || *home == lane[i] ? lane[i] : SEVERAL;
        }
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        int64_t ns = w.end[i] - w.start[i];
        int is_wait = w.key[i] >= 0 && ns > 0;
        lane_of[i] = is_wait ? lane[i] : -1;
        if (is_wait && lane[i] < 0 && put(&w, w.key[i], w.unknown, ns, 1, ns) < 0) {
            goto done;
        }
    }
    if (lists_make(&waits, lane_of, n, w.t.lanes) < 0) {
        goto done;
    }
    for (Py_ssize_t k = 0; k < w.t.lanes; k++) {
        if (lane_check(&w.t, k) < 0) {
            goto done;
        }
    }
    for (Py_ssize_t k = 0; k < w.t.lanes; k++) {
        Py_ssize_t count = waits.offset[k + 1] - waits.offset[k];
        if (count && charge_lane(&w, (int32_t)k, waits.row + waits.offset[k], count) < 0) {
            goto done;
        }
    }
    result = take_columns(w.out, "iiqqq");
done:
    lists_free(&waits);
    PyMem_RawFree(lane_of);
    PyMem_RawFree(w.home);
    local_free(&w.whos);
    local_free(&w.keys);
    map_free(&w.pairs);
    free_columns(&w.ends, 1);
    free_columns(&w.times, 1);
    free_columns(&w.had, 1);
    free_columns(&w.snaps, 1);
    free_columns(&w.sums, 1);
    free_columns(&w.slot, 1);
    free_columns(&w.free, 1);
    free_columns(w.out, COLUMNS);
    inputs_free(&in);
    return result;
}
