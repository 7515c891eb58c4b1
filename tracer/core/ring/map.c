/* Growth and removal of the hash map in map.h. */
#include "ring/hot.h"
#include "ring/map.h"
#include "ring/memory.h"

static void give_slots(map *m)
{
    if (m->slots)
        memory_give(m->slots, (m->mask + 1) * sizeof *m->slots);
}

static int grow(map *m)
{
    uint32_t size = m->slots ? (m->mask + 1) * 2 : 64;
    map_slot *slots = memory_take(size * sizeof *slots);
    if (!slots)
        return -1;
    for (uint32_t i = 0; m->slots && i <= m->mask; i++) {
        if (!m->slots[i].key)
            continue;
        uint32_t at = map_hash(m->slots[i].key) & (size - 1);
        while (slots[at].key)
            at = (at + 1) & (size - 1);
        slots[at] = m->slots[i];
    }
    give_slots(m);
    m->slots = slots;
    m->mask = size - 1;
    return 0;
}

HOT uint64_t *map_put(map *m, uint64_t key)
{
    uint64_t *found = map_find(m, key);
    if (found || !key)
        return found;
    if ((!m->slots || m->used * 2 > m->mask) && grow(m) < 0)
        return NULL;
    uint32_t at = map_hash(key) & m->mask;
    while (m->slots[at].key)
        at = (at + 1) & m->mask;
    m->slots[at] = (map_slot){key, 0};
    m->used++;
    return &m->slots[at].value;
}

/* Moves followers back over the hole, so that no tombstones are needed. */
HOT void map_remove(map *m, uint64_t key)
{
    uint64_t *found = map_find(m, key);
    if (!found)
        return;
    uint32_t hole = (uint32_t)((map_slot *)((char *)found - offsetof(map_slot, value)) - m->slots);
    m->used--;
    for (uint32_t i = (hole + 1) & m->mask; m->slots[i].key; i = (i + 1) & m->mask) {
        uint32_t home = map_hash(m->slots[i].key) & m->mask;
        if (((i - home) & m->mask) >= ((i - hole) & m->mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole] = (map_slot){0, 0};
}

void map_free(map *m)
{
    give_slots(m);
    *m = (map){0};
}
