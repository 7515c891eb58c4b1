/* The sampled blocks that have not been freed yet: a filter of counts, and a hash table behind it. */
#define _GNU_SOURCE
#include "signals/heap/blocks.h"

#include <sched.h>
#include <sys/mman.h>

#include "ring/ring.h"

enum { SLOTS = 1 << 18, MOST = SLOTS / 4 * 3, SPINS = 64 };

typedef struct {
    uintptr_t block; /* 0: free */
    sampled of;
} slot;

uint8_t blocks_filter[BLOCKS_PLACES];

/* One mapping; only the part in use is touched. */
static struct {
    slot slots[SLOTS];
} *table;
static uint32_t used, last_number;
static _Atomic uint8_t taken; /* everything here is being changed */

static void lock(void)
{
    for (int spins = 0; atomic_exchange_explicit(&taken, 1, memory_order_acquire);)
        if (++spins % SPINS == 0)
            sched_yield();
}

static void unlock(void)
{
    atomic_store_explicit(&taken, 0, memory_order_release);
}

int blocks_start(void)
{
    if (table)
        return 0;
    void *memory = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                        -1, 0);
    if (memory == MAP_FAILED)
        return -1;
    table = memory;
    return 0;
}

static uint32_t home_of(uintptr_t block)
{
    return (uint32_t)((block >> 4) * 0x9E3779B97F4A7C15ull >> 40) & (SLOTS - 1);
}

static uint32_t find(uintptr_t block)
{
    uint32_t at = home_of(block);
    while (table->slots[at].block && table->slots[at].block != block)
        at = (at + 1) & (SLOTS - 1);
    return at;
}

/* A count that is too high for its byte stays: only the way to the table is taken for nothing then. */
static void count(const void *block, int change)
{
    uint8_t *place = &blocks_filter[(uint32_t)(uintptr_t)block >> BLOCKS_PLACE_SHIFT];
    if (*place != UINT8_MAX)
        *place = (uint8_t)(*place + change);
}

/* A block that was freed unseen may still be there under its address: the new one takes its place. */
static void put(const void *block, sampled of)
{
    uint32_t at = find((uintptr_t)block);
    if (!table->slots[at].block) {
        used++;
        count(block, 1);
    }
    table->slots[at] = (slot){(uintptr_t)block, of};
}

uint32_t blocks_put(const void *block, sampled of)
{
    lock();
    if (used < MOST) {
        of.number = ++last_number;
        put(block, of);
    }
    unlock();
    return of.number;
}

void blocks_put_back(const void *block, sampled of)
{
    lock();
    put(block, of);
    unlock();
}

/* Moves up what would not be found behind a gap. */
static void close_gap(uint32_t gap)
{
    for (uint32_t at = (gap + 1) & (SLOTS - 1); table->slots[at].block; at = (at + 1) & (SLOTS - 1)) {
        uint32_t home = home_of(table->slots[at].block);
        if (((at - home) & (SLOTS - 1)) < ((at - gap) & (SLOTS - 1)))
            continue;
        table->slots[gap] = table->slots[at];
        gap = at;
    }
    table->slots[gap] = (slot){0};
}

sampled blocks_take(const void *block)
{
    sampled of = {0};
    lock();
    uint32_t at = find((uintptr_t)block);
    if (table->slots[at].block) {
        of = table->slots[at].of;
        close_gap(at);
        count(block, -1);
        used--;
    }
    unlock();
    return of;
}

uint32_t blocks_number(const void *block)
{
    lock();
    uint32_t number = table->slots[find((uintptr_t)block)].of.number;
    unlock();
    return number;
}

int blocks_next(uint32_t *at, const void **block, sampled *of)
{
    enum { AT_A_TIME = 1024 };
    int found = 0;
    while (table && *at < SLOTS && !found) {
        lock();
        for (int i = 0; i < AT_A_TIME && *at < SLOTS && !found; i++, ++*at) {
            const slot *here = &table->slots[*at];
            found = here->block != 0;
            *block = (const void *)here->block;
            *of = here->of;
        }
        unlock();
    }
    return found;
}

static void clear(void)
{
    if (table) {
        ring_zero(blocks_filter, sizeof blocks_filter);
        ring_zero(table, sizeof *table);
    }
    used = last_number = 0;
}

void blocks_clear(void)
{
    lock();
    clear();
    unlock();
}

void blocks_forget(void)
{
    unlock();
    clear();
}
