/* The table of the locks that were used of late: who has which, and where he took it.
 *
 * Part of locks.c, apart for its size. Lossy: a lock that finds no place is not known. */
#ifndef TRACER_LOCK_HOLDERS_H
#define TRACER_LOCK_HOLDERS_H

#include "python/compat.h"
#include "ring/map.h"
#include "signals/locks/reasons.h"

enum { TABLE_BITS = 14, DEATHS = 4096 };

enum holder_flag {
    IS_RECORDED = 1, /* a record says that it is held */
    IS_UNSEEN = 2,   /* somebody has it who took it before we looked */
    IS_COUNTED = 4,  /* it was seen free since */
};

/* While somebody waits for it, or its hold is recorded, a lock's place is not given to another. */
typedef struct {
    const void *lock;   /* key_of() it; NULL: nothing here */
    PyCodeObject *code; /* that took it; may be dead if `deaths` of its address have gone on */
    uint32_t deaths;
    int offset;
    uint32_t owner;     /* tid; 0: nobody, or not known */
    uint32_t id;        /* of signals/locks/ids.c, while … */
    uint32_t waiters;   /* … somebody waits, or the hold is recorded */
    uint32_t depth;     /* how often the owner has it, if it is counted */
    uint32_t flags;     /* enum holder_flag: one word, read as it is written, or the processor waits */
    uint32_t claims;    /* how often it was taken; without a GIL only */
    uint8_t busy;       /* changes just now; without a GIL only */
} __attribute__((aligned(64))) holder;

static holder holders[1 << TABLE_BITS];
static uint32_t deaths[DEATHS];

/* Of the codes at some addresses, how many have died. */
static inline uint32_t *deaths_of(const PyCodeObject *code)
{
    return &deaths[map_hash((uint64_t)(uintptr_t)code) & (DEATHS - 1)];
}

/* The address, to be compared only; odd of an RLock. A plain lock may die while it is taken, as
 * Condition.wait's does, and nothing of that is said of an RLock which gets its memory. */
static inline const void *key_of(const void *lock, enum kind kind)
{
    return (const char *)lock + (kind == KIND_RLOCK);
}

static inline int is_pinned(const holder *h)
{
    return h->waiters || h->flags & IS_RECORDED;
}

/* The lock's place, or one it may have: its own, or beside it if another is held there. (Without a
 * GIL its own only: two threads might give it both.) Good until the GIL is given back. */
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
