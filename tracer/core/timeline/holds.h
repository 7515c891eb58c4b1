/* The track of a contended lock: who holds it when, and how many wait for it. */
#ifndef TRACER_TIMELINE_HOLDS_H
#define TRACER_TIMELINE_HOLDS_H

#include "timeline/model.h"

typedef struct {
    uint64_t ns;
    thread_line *by;
    uint32_t token;
} lock_release;

typedef struct lock_line {
    uint32_t id, kind, site;
    uint32_t owner, owner_task, owner_site; /* while `held` */
    uint32_t release_stack;                 /* of the hold that ends */
    uint64_t hold_ns;                       /* the track of holds is written up to here */
    uint8_t held, has_tracks, shown;        /* shown: a hold slice is open */
    track on, waiting;
    int64_t waiters;
    tally_spans waited;     /* waits that ended */
    lock_wait *first;       /* of the waits */
    lock_release *releases; /* while somebody waits, and nobody was seen to hold it */
    uint32_t release_count, release_capacity;
} lock_line;

typedef struct {
    uint32_t tid, task, site;
    uint8_t since_before;
} lock_owner;

/* `kind`: a string, with or without "lock wait: ". */
void hold_tracks(timeline *t, lock_line *lock, uint32_t kind, uint32_t site);
void hold_begin(timeline *t, lock_line *lock, lock_owner owner, uint64_t ns);
void hold_end(timeline *t, lock_line *lock, uint64_t ns);
void hold_count(timeline *t, lock_line *lock, int change, uint64_t ns);

#endif
