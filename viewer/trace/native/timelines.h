/* Shared by the sweeps over lanes: rows by lane, and the pieces that flatten makes of them. */
#ifndef VIEWER_TIMELINES_H
#define VIEWER_TIMELINES_H
#include "columns.h"

enum { NOBODY = -1, UNKNOWN = -2 }; /* as in timelines.py */

#define I32(column) ((int32_t *)(column).data)
#define I64(column) ((int64_t *)(column).data)

/* Rows by lane, in each in their order; those with lane -1 are left out. */
typedef struct {
    int64_t *offset; /* lanes + 1 */
    int32_t *row;
} Lists;

static inline void lists_free(Lists *l)
{
    PyMem_RawFree(l->offset);
    PyMem_RawFree(l->row);
}

static inline int lists_make(Lists *l, const int32_t *lane, Py_ssize_t n, Py_ssize_t lanes)
{
    l->offset = PyMem_RawCalloc(lanes + 2, sizeof *l->offset);
    l->row = PyMem_RawMalloc(n * sizeof *l->row + 1);
    if (!l->offset || !l->row) {
        PyErr_NoMemory();
        return -1;
    }
    int64_t *at = l->offset + 1; /* where each lane goes on; in the end, where the next begins */
    for (Py_ssize_t i = 0; i < n; i++) {
        at[lane[i] + 1] += lane[i] >= 0;
    }
    for (Py_ssize_t k = 0; k < lanes; k++) {
        at[k + 1] += at[k];
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        if (lane[i] >= 0) {
            l->row[at[lane[i]]++] = (int32_t)i;
        }
    }
    return 0;
}

/* The results of flatten, as arguments. */
typedef struct {
    const int32_t *offset, *row;
    const int64_t *start;
    Py_ssize_t lanes, pieces;
} Timeline;

/* Checks only the lengths: each reader of a lane calls lane_check. */
static inline int timeline_get(Timeline *t, const Inputs *in)
{
    *t = (Timeline){in->view[0].buf, in->view[2].buf, in->view[1].buf, in->length[0] - 1,
                    in->length[1]};
    return t->lanes < 0 || in->length[2] != t->pieces ? bad_columns() : 0;
}

/* Whether a lane's pieces are there. */
static inline int lane_check(const Timeline *t, Py_ssize_t lane)
{
    int32_t low = t->offset[lane], high = t->offset[lane + 1];
    return low < 0 || low > high || high > t->pieces ? bad_columns() : 0;
}

/* The last piece of [low, high) that begins at `time` or before; low - 1 when none does. */
static inline Py_ssize_t piece_at(const int64_t *start, Py_ssize_t low, Py_ssize_t high, int64_t time)
{
    while (low < high) {
        Py_ssize_t middle = low + (high - low) / 2;
        if (start[middle] <= time) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low - 1;
}

#endif
