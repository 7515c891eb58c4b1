/* What the C files of viewer._decoder share: growing columns and one hash map. */
#ifndef VIEWER_NATIVE_H
#define VIEWER_NATIVE_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Mirrors viewer/trace/columns.py. */
enum { KIND_OTHER, KIND_READY, KIND_RUNNING, KIND_AWAIT, KIND_LIFETIME, KIND_LOOP_TASK,
       KIND_LOOP_CALLBACK, KIND_SELECT, KIND_GC };
enum { STATE_RUNNING = 1, STATE_NATIVE, STATE_PREEMPTED, STATE_OFF_CPU, STATE_GIL_WAIT,
       STATE_LOCK_WAIT, STATE_IDLE_WAIT, STATE_IO, STATE_SLEEP, STATE_TASK_WAIT, STATE_HOLD };
enum { STATE_MASK = 15, STATE_HOLDING = 16, STATE_FAILED = 32, STATE_CONTINUES = 64 };
enum { HOLDING_MODES = 4 };
enum { ARG_KIND_BOOL = 1, ARG_KIND_UINT, ARG_KIND_INT, ARG_KIND_DOUBLE, ARG_KIND_STRING };
enum { TYPE_BEGIN = 1, TYPE_END, TYPE_INSTANT, TYPE_COUNTER };

#define TIME_LIMIT ((uint64_t)1 << 62) /* later timestamps are garbage; below it sums stay in range */

/* Begins to fetch what is written soon: tables of very many texts do not fit into the caches. */
#ifdef __GNUC__
#define FETCH(at) __builtin_prefetch((at), 1)
#else
#define FETCH(at) ((void)(at))
#endif

/* A column grows inside a bytearray, so handing it to Python copies nothing. */
typedef struct {
    PyObject *bytes; /* owned */
    char *data;
    Py_ssize_t used, room; /* bytes */
} Column;

static inline int column_reserve(Column *c, Py_ssize_t more)
{
    if (c->room - c->used >= more) {
        return 0;
    }
    Py_ssize_t room = c->room + c->room / 2 + more + 4096;
    if (!c->bytes) {
        c->bytes = PyByteArray_FromStringAndSize(NULL, room);
        if (!c->bytes) {
            return -1;
        }
    } else if (PyByteArray_Resize(c->bytes, room) < 0) {
        return -1;
    }
    c->data = PyByteArray_AS_STRING(c->bytes);
    c->room = room;
    return 0;
}

#define DEFINE_PUSH(name, type)                                      \
    static inline int push_##name(Column *c, type value)             \
    {                                                                \
        if (column_reserve(c, sizeof value) < 0) {                   \
            return -1;                                               \
        }                                                            \
        memcpy(c->data + c->used, &value, sizeof value);             \
        c->used += sizeof value;                                     \
        return 0;                                                    \
    }
DEFINE_PUSH(u8, uint8_t)
DEFINE_PUSH(i32, int32_t)
DEFINE_PUSH(i64, int64_t)
#undef DEFINE_PUSH

/* New reference to a memoryview of `format`, NULL on error. The column gives up its bytes. */
static inline PyObject *column_view(Column *c, const char *format)
{
    if (column_reserve(c, 1) < 0 || PyByteArray_Resize(c->bytes, c->used) < 0) {
        return NULL;
    }
    PyObject *view = PyMemoryView_FromObject(c->bytes);
    Py_CLEAR(c->bytes);
    if (!view) {
        return NULL;
    }
    PyObject *cast = PyObject_CallMethod(view, "cast", "s", format);
    Py_DECREF(view);
    return cast;
}

/* Fills the column with `count` copies of one byte; -1 with an exception set. */
static inline int column_fill(Column *c, Py_ssize_t count, int byte)
{
    if (count <= 0) {
        return 0;
    }
    if (column_reserve(c, count) < 0) {
        return -1;
    }
    memset(c->data + c->used, byte, (size_t)count);
    c->used += count;
    return 0;
}

/* Open-addressing map of a pair of 64-bit keys to a 64-bit value. `epoch` makes map_clear O(1). */
typedef struct {
    uint64_t a, b;
    int64_t value;
    uint64_t epoch; /* entry is live when it equals the map's; 0 is never used */
} MapEntry;
typedef struct {
    MapEntry *entries;
    size_t mask, count; /* mask + 1 entries */
    uint64_t epoch;
} Map;

static inline size_t map_hash(uint64_t a, uint64_t b)
{
    uint64_t h = (a ^ (b << 32 | b >> 32)) * 0x9E3779B97F4A7C15u;
    h = (h ^ (h >> 29) ^ b) * 0xBF58476D1CE4E5B9u;
    return (size_t)(h ^ (h >> 32));
}

static inline MapEntry *map_slot(const Map *m, uint64_t a, uint64_t b)
{
    size_t i = map_hash(a, b) & m->mask;
    while (m->entries[i].epoch == m->epoch && (m->entries[i].a != a || m->entries[i].b != b)) {
        i = (i + 1) & m->mask;
    }
    return &m->entries[i];
}

/* The live entry of the key, or NULL. */
static inline MapEntry *map_find(const Map *m, uint64_t a, uint64_t b)
{
    if (!m->entries) {
        return NULL;
    }
    MapEntry *e = map_slot(m, a, b);
    return e->epoch == m->epoch ? e : NULL;
}

/* The entry of the key, created with `value` if new (then *fresh = 1). NULL: no memory, exception set. */
static inline MapEntry *map_put(Map *m, uint64_t a, uint64_t b, int64_t value, int *fresh)
{
    if (!m->entries || m->count * 2 > m->mask) {
        Map old = *m;
        size_t size = old.entries ? (old.mask + 1) * 2 : 64;
        m->entries = PyMem_RawCalloc(size, sizeof *m->entries);
        if (!m->entries) {
            *m = old;
            PyErr_NoMemory();
            return NULL;
        }
        m->mask = size - 1;
        m->epoch = 1;
        for (size_t i = 0; old.entries && i <= old.mask; i++) {
            if (old.entries[i].epoch == old.epoch) {
                MapEntry *e = map_slot(m, old.entries[i].a, old.entries[i].b);
                *e = old.entries[i];
                e->epoch = m->epoch;
            }
        }
        PyMem_RawFree(old.entries);
    }
    MapEntry *e = map_slot(m, a, b);
    *fresh = e->epoch != m->epoch;
    if (*fresh) {
        *e = (MapEntry){a, b, value, m->epoch};
        m->count++;
    }
    return e;
}

static inline void map_clear(Map *m)
{
    m->epoch++;
    m->count = 0;
}

static inline void map_free(Map *m)
{
    PyMem_RawFree(m->entries);
    m->entries = NULL;
}

#endif
