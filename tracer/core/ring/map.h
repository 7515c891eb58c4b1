/* A hash map from 64-bit keys to 64-bit values: open addressing, linear probing. It keeps nothing under 0. */
#ifndef TRACER_MAP_H
#define TRACER_MAP_H

#include <stdint.h>
#include <stddef.h>
#include <stdlib.h>

#include "ring/hot.h"

typedef struct {
    uint64_t key, value;
} map_slot;

typedef struct {
    map_slot *slots;
    uint32_t mask, used;
} map;

static inline uint32_t map_hash(uint64_t key)
{
    return (uint32_t)((key * 0x9E3779B97F4A7C15ull) >> 32);
}

/* The value's place, or NULL. */
static inline uint64_t *map_find(const map *m, uint64_t key)
{
    if (!m->slots)
        return NULL;
    for (uint32_t i = map_hash(key) & m->mask;; i = (i + 1) & m->mask) {
        map_slot *slot = &m->slots[i];
        if (!slot->key)
            return NULL; /* also for 0: some slot is always free */
        if (slot->key == key) {
            NEVER_NULL(&slot->value);
            return &slot->value;
        }
    }
}

/* The value's place, made with value 0 if new; NULL when memory is short, and for 0. */
uint64_t *map_put(map *m, uint64_t key);
/* Removes the key if present. */
void map_remove(map *m, uint64_t key);
void map_free(map *m);

#endif
