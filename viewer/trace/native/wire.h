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
    Slots slots;
    Span *items;   /* in order of first sight */
    int64_t *last; /* when each was last seen */
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

enum { STRANDS = 4 };

static inline uint64_t hash_step(uint64_t h, const uint8_t *at)
{
    uint64_t part;
    memcpy(&part, at, 8);
    h = (h ^ part) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 29;
}

/* Of a long text, strands that do not wait for each other: stacks may be thousands of bytes. */
static inline uint64_t hash_bytes(Span s)
{
    uint64_t h = 0xCBF29CE484222325u ^ (uint64_t)(s.end - s.at), part = 0;
    if (s.end - s.at >= 16 * STRANDS) {
        uint64_t strands[STRANDS] = {h, h + 1, h + 2, h + 3};
        for (; s.end - s.at >= 8 * STRANDS; s.at += 8 * STRANDS) {
            for (int i = 0; i < STRANDS; i++) {
                strands[i] = hash_step(strands[i], s.at + 8 * i);
            }
        }
        for (int i = 0; i < STRANDS; i++) {
            h = hash_step(h, (const uint8_t *)&strands[i]);
        }
    }
    for (; s.end - s.at >= 8; s.at += 8) {
        h = hash_step(h, s.at);
    }
    memcpy(&part, s.at, (size_t)(s.end - s.at));
    h = (h ^ part) * 0xBF58476D1CE4E5B9u;
    return h ^ h >> 32;
}

/* Room for one more item; -1 with an exception set. */
static inline int pool_reserve(Pool *pool)
{
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
    return slots_reserve(&pool->slots, (size_t)pool->count);
}

/* Index of the text of that hash in the pool, added when new; -1 with an exception set. */
static inline Py_ssize_t pool_put(Pool *pool, Span text, uint64_t hash, int64_t when)
{
    if (pool_reserve(pool) < 0) {
        return -1;
    }
    Slot *slot = slots_first(&pool->slots, hash);
    for (; slot->item; slot = slots_next(&pool->slots, slot)) {
        Py_ssize_t i = (Py_ssize_t)slot->item - 1;
        Span known = pool->items[i];
        if (slot->hash == (uint32_t)hash && known.end - known.at == text.end - text.at
            && !memcmp(known.at, text.at, (size_t)(text.end - text.at))) {
            pool->last[i] = when;
            return i;
        }
    }
    *slot = (Slot){(uint32_t)hash, (uint32_t)pool->count + 1};
    pool->items[pool->count] = text;
    pool->last[pool->count] = when;
    return pool->count++;
}

static inline Py_ssize_t pool_add(Pool *pool, Span text, int64_t when)
{
    return pool_put(pool, text, hash_bytes(text), when);
}

/* So many texts are on their way into a pool, while their slots are fetched. */
enum { ON_THE_WAY = 16 };

static inline void pool_fetch(const Pool *pool, uint64_t hash)
{
    if (pool->slots.all) {
        FETCH(slots_first(&pool->slots, hash));
    }
}

#endif
