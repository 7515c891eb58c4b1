/* Protobuf wire primitives, every length checked, and a pool of byte strings. */
#ifndef VIEWER_WIRE_H
#define VIEWER_WIRE_H
#include "native.h"

typedef struct {
    const uint8_t *at, *end;
} Span;

typedef struct {
    Span body;       /* BYTES */
    uint64_t number; /* VARINT and FIXED64 */
} Value;

typedef struct {
    Map map;        /* (hash, attempt) -> index: attempt counts colliding hashes */
    Span *items;    /* in order of first sight */
    int64_t *last;  /* when each was last seen */
    Py_ssize_t count, room;
} Pool;

/* Parse functions return 1 if well-formed, 0 if malformed, -1 with an exception set. */

static inline int read_varint(Span *s, uint64_t *out)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
        if (s->at >= s->end) {
            return 0;
        }
        uint8_t byte = *s->at++;
        if (shift < 64) {
            value |= (uint64_t)(byte & 0x7F) << shift;
        }
        if (byte < 0x80) {
            *out = value;
            return 1;
        }
    }
    return 0;
}

/* Next field of a message; *tag = 0 at its end. Groups and other wire types are malformed. */
static inline int next_field(Span *s, uint64_t *tag, Value *value)
{
    *value = (Value){0};
    if (s->at >= s->end) {
        *tag = 0;
        return 1;
    }
    if (!read_varint(s, tag) || *tag >> 3 == 0) {
        return 0;
    }
    uint64_t length = 0;
    switch (*tag & 7) {
    case 0:
        return read_varint(s, &value->number);
    case 1:
        length = 8;
        break;
    case 2:
        if (!read_varint(s, &length)) {
            return 0;
        }
        break;
    case 5:
        length = 4;
        break;
    default:
        return 0;
    }
    if (length > (uint64_t)(s->end - s->at)) {
        return 0;
    }
    value->body = (Span){s->at, s->at + length};
    if ((*tag & 7) == 1) {
        memcpy(&value->number, s->at, 8);
    }
    s->at += length;
    return 1;
}

static inline uint64_t hash_bytes(Span s)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (const uint8_t *p = s.at; p < s.end; p++) {
        h = (h ^ *p) * 0x100000001B3u;
    }
    return h;
}

/* Index of the text in the pool, added when new; -1 with an exception set. */
static inline Py_ssize_t pool_add(Pool *pool, Span text, int64_t when)
{
    uint64_t hash = hash_bytes(text);
    for (uint64_t attempt = 0;; attempt++) {
        int fresh;
        MapEntry *e = map_put(&pool->map, hash, attempt, pool->count, &fresh);
        if (!e) {
            return -1;
        }
        if (fresh) {
            if (pool->count == pool->room) {
                Py_ssize_t room = pool->room * 2 + 64;
                Span *items = PyMem_RawRealloc(pool->items, room * sizeof *items);
                if (items) {
                    pool->items = items;
                }
                int64_t *last = PyMem_RawRealloc(pool->last, room * sizeof *last);
                if (last) {
                    pool->last = last;
                }
                if (!items || !last) {
                    PyErr_NoMemory();
                    return -1;
                }
                pool->room = room;
            }
            pool->items[pool->count] = text;
            pool->last[pool->count] = when;
            return pool->count++;
        }
        Span known = pool->items[e->value];
        if (known.end - known.at == text.end - text.at
            && !memcmp(known.at, text.at, text.end - text.at)) {
            pool->last[e->value] = when;
            return e->value;
        }
    }
}

#endif
