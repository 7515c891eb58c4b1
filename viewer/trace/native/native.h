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

/* The places of a hash table: small, since what is asked for is all over them. */
typedef struct {
    uint32_t hash, item; /* half of a hash; the number of what has it + 1, 0: free */
} Slot;
typedef struct {
    Slot *all;
    size_t mask; /* mask + 1 slots, at most half of them taken */
} Slots;

/* Room for one more than `count`; -1 with an exception set. */
static inline int slots_reserve(Slots *s, size_t count)
{
    if (s->all && count * 2 <= s->mask) {
        return 0;
    }
    size_t size = s->all ? (s->mask + 1) * 2 : 128;
    Slot *all = count < UINT32_MAX ? PyMem_RawCalloc(size, sizeof *all) : NULL;
    if (!all) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; s->all && i <= s->mask; i++) {
        size_t at = s->all[i].hash & (size - 1);
        while (s->all[i].item && all[at].item) {
            at = (at + 1) & (size - 1);
        }
        if (s->all[i].item) {
            all[at] = s->all[i];
        }
    }
    PyMem_RawFree(s->all);
    *s = (Slots){all, size - 1};
    return 0;
}

static inline Slot *slots_first(const Slots *s, uint64_t hash)
{
    return &s->all[hash & s->mask];
}

static inline Slot *slots_next(const Slots *s, Slot *slot)
{
    return slot == &s->all[s->mask] ? s->all : slot + 1;
}

/* Map of a pair of 64-bit keys to a 64-bit value. The entries are in order of first sight: who
 * comes after each other there mostly does so again. */
typedef struct {
    uint64_t a, b;
    int64_t value;
} MapEntry;
typedef struct {
    Slots slots;
    MapEntry *entries;
    size_t count, room;
} Map;

static inline size_t map_hash(uint64_t a, uint64_t b)
{
    uint64_t h = (a ^ (b << 32 | b >> 32)) * 0x9E3779B97F4A7C15u;
    h = (h ^ (h >> 29) ^ b) * 0xBF58476D1CE4E5B9u;
    return (size_t)(h ^ (h >> 32));
}

/* The slot that the key has, or would have. */
static inline Slot *map_slot(const Map *m, uint64_t a, uint64_t b, size_t hash)
{
    Slot *slot = slots_first(&m->slots, hash);
    while (slot->item && (slot->hash != (uint32_t)hash || m->entries[slot->item - 1].a != a
                          || m->entries[slot->item - 1].b != b)) {
        slot = slots_next(&m->slots, slot);
    }
    return slot;
}

enum { FETCHED_AHEAD = 16 }; /* so many keys are fetched before they are asked for */

static inline void map_fetch(const Map *m, uint64_t a, uint64_t b)
{
    if (m->slots.all) {
        FETCH(slots_first(&m->slots, map_hash(a, b)));
    }
}

/* The entry of the key, or NULL. */
static inline MapEntry *map_find(const Map *m, uint64_t a, uint64_t b)
{
    const Slot *slot = m->count ? map_slot(m, a, b, map_hash(a, b)) : NULL;
    return slot && slot->item ? &m->entries[slot->item - 1] : NULL;
}

/* The entry of the key, created with `value` if new (then *fresh = 1). NULL: no memory, exception set. */
static inline MapEntry *map_put(Map *m, uint64_t a, uint64_t b, int64_t value, int *fresh)
{
    if (m->count == m->room) {
        size_t room = m->room * 2 + 32;
        MapEntry *entries = PyMem_RawRealloc(m->entries, room * sizeof *entries);
        if (!entries) {
            PyErr_NoMemory();
            return NULL;
        }
        m->entries = entries;
        m->room = room;
    }
    if (slots_reserve(&m->slots, m->count) < 0) {
        return NULL;
    }
    size_t hash = map_hash(a, b);
    Slot *slot = map_slot(m, a, b, hash);
    *fresh = !slot->item;
    if (*fresh) {
        m->entries[m->count++] = (MapEntry){a, b, value};
        *slot = (Slot){(uint32_t)hash, (uint32_t)m->count};
    }
    return &m->entries[slot->item - 1];
}

static inline void map_free(Map *m)
{
    PyMem_RawFree(m->slots.all);
    PyMem_RawFree(m->entries);
    *m = (Map){0};
}

#endif
