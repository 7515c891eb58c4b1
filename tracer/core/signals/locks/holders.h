/* The table of recently used locks: which thread holds which, and where it took it.
 *
 * Part of locks.c, kept apart because of its size. Lossy: a lock that finds no place is unknown. */
#ifndef TRACER_LOCK_HOLDERS_H
#define TRACER_LOCK_HOLDERS_H

#include "python/compat.h"
#include "ring/map.h"
#include "signals/locks/reasons.h"

enum { TABLE_BITS = 14, DEATHS = 4096 };

enum holder_flag {
    IS_RECORDED = 1, /* a record says that it is held */
    IS_UNSEEN = 2,   /* it was already taken when we first looked */
    IS_COUNTED = 4,  /* it has been seen free since */
};

/* While a thread waits for a lock, or its hold is recorded, its place is not given to another lock. */
typedef struct {
    const void *lock;   /* its key_of(); NULL: empty place */
    PyCodeObject *code; /* that took it; may be dead if the `deaths` of its address have increased */
    uint32_t deaths;
    int offset;
    uint32_t owner;     /* tid; 0: none, or unknown */
    uint32_t id;        /* from signals/locks/ids.c, while … */
    uint32_t waiters;   /* … a thread waits, or the hold is recorded */
    uint32_t depth;     /* how many times the owner holds it, if it is counted */
    uint32_t flags;     /* enum holder_flag: one word, read as wide as it is written, or the processor stalls */
    uint32_t claims;    /* how often it was taken; without a GIL only */
    uint8_t busy;       /* is being changed; without a GIL only */
} __attribute__((aligned(64))) holder;

static holder holders[1 << TABLE_BITS];
static uint32_t deaths[DEATHS];

/* How many codes have died at the addresses that share this counter. */
static inline uint32_t *deaths_of(const PyCodeObject *code)
{
    return &deaths[map_hash((uint64_t)(uintptr_t)code) & (DEATHS - 1)];
}

/* The address, only to be compared; odd for an RLock. A plain lock may die while it is taken, as
 * Condition.wait's does, and what is known about it must not apply to an RLock that gets its memory. */
static inline const void *key_of(const void *lock, enum kind kind)
{
    return (const char *)lock + (kind == KIND_RLOCK);
}

static inline int is_pinned(const holder *h)
{
    return h->waiters || h->flags & IS_RECORDED;
}

/* The lock's place, or one it may use: its own, or the one beside it if its own has another lock that is
 * held. (Without a GIL, only its own: two threads might give it both.) Valid until the GIL is released. */
static inline holder *holder_of(const void *lock, const void *key)
{
    holder *own = &holders[map_hash((uint64_t)(uintptr_t)lock) & ((1u << TABLE_BITS) - 1)];
    if (COMPAT_FREE_THREADED || __builtin_expect(own->lock == key, 1))
        return own;
    holder *beside = &holders[(own - holders) ^ 1];
    int is_busy = own->owner || is_pinned(own), has_room = !beside->owner && !is_pinned(beside);
    return beside->lock == key || (is_busy && has_room) ? beside : own;
}

static inline void hold_still(holder *h)
{
    compat_spin(&h->busy);
}

static inline void let_go(holder *h)
{
    compat_unspin(&h->busy);
}

#endif
