/* Numbers of uuids: a small table, in which those that follow each other are neighbours. */
#ifndef VIEWER_UUIDS_H
#define VIEWER_UUIDS_H
#include "native.h"

/* The slots are in rows of LANES. A uuid has a row by all but its lowest bits, and a lane in it by
 * these; where that is taken it goes to the same lane of the next row. */
enum { LANES = 16 };

typedef struct {
    uint32_t *slots; /* the number + 1, 0: free; at most half of them are taken */
    size_t mask;
    Py_ssize_t count;
} Uuids;

/* Where a uuid is looked for first; only its lowest bits count, as many as the table has. */
static inline size_t uuids_first(uint64_t uuid)
{
    size_t hash = map_hash(uuid / LANES, 0);
    return (hash & ~(size_t)(LANES - 1)) | ((hash >> 20 ^ uuid) & (LANES - 1));
}

static inline void uuids_fetch(const Uuids *u, uint64_t uuid)
{
    if (u->slots) {
        FETCH(&u->slots[uuids_first(uuid) & u->mask]);
    }
}

/* Where the uuid is, or belongs. `known` has the uuids by number. */
static inline size_t uuids_slot(const Uuids *u, const uint64_t *known, uint64_t uuid)
{
    size_t first = uuids_first(uuid), rows = (u->mask + 1) / LANES;
    for (size_t n = 0;; n++) { /* after a whole lane comes the next one */
        size_t at = (first + n * LANES + n / rows) & u->mask;
        if (!u->slots[at] || known[u->slots[at] - 1] == uuid) {
            return at;
        }
    }
}

/* The number of a uuid; -1 when it has none. */
static inline Py_ssize_t uuids_find(const Uuids *u, const uint64_t *known, uint64_t uuid)
{
    return u->slots ? (Py_ssize_t)u->slots[uuids_slot(u, known, uuid)] - 1 : -1;
}

/* The number of a uuid, the next one if it is new: then the caller adds it to those known. -1
 * with an exception set. */
static inline Py_ssize_t uuids_put(Uuids *u, const uint64_t *known, uint64_t uuid)
{
    if (!u->slots || (size_t)u->count * 2 > u->mask) {
        Uuids more = {NULL, u->slots ? u->mask * 2 + 1 : LANES * 8 - 1, u->count};
        more.slots = PyMem_RawCalloc(more.mask + 1, sizeof *more.slots);
        if (!more.slots || u->count >= INT32_MAX) {
            PyMem_RawFree(more.slots);
            PyErr_NoMemory();
            return -1;
        }
        for (Py_ssize_t i = 0; i < u->count; i++) {
            more.slots[uuids_slot(&more, known, known[i])] = (uint32_t)i + 1;
        }
        PyMem_RawFree(u->slots);
        *u = more;
    }
    uint32_t *slot = &u->slots[uuids_slot(u, known, uuid)];
    if (!*slot) {
        *slot = (uint32_t)++u->count;
    }
    return (Py_ssize_t)*slot - 1;
}

static inline void uuids_free(Uuids *u)
{
    PyMem_RawFree(u->slots);
    u->slots = NULL;
}

#endif
