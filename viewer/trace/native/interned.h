/* What the ids of a sequence of packets stand for. */
#ifndef VIEWER_INTERNED_H
#define VIEWER_INTERNED_H
#include "native.h"

enum { NAMES_EVENT = 0, NAMES_CATEGORY, NAMES_ANNOTATION, NAMES_STRING,
       NAMES_FUNCTION, NAMES_PATH, NAMES_FRAME, NAMES_STACK, NAMES };

/* What the ids of one kind stand for. Recorders count ids from 1: those are in a table. */
typedef struct {
    struct {
        uint32_t epoch; /* the entry is live when it equals the sequence's */
        int32_t value;
    } *entries;
    uint64_t room, told; /* `told`: how often one was remembered here */
} Ids;

typedef struct {
    int64_t now_ns; /* the delta clock; -1: not known */
    int ready;      /* a chunk head was seen and nothing was lost since */
    int has_snapshot;
    uint64_t track_uuid, clock_id; /* defaults */
    int32_t hz;                    /* of CPU samples */
    Ids ids[NAMES];                /* by iid the string, frame or stack */
    uint32_t epoch;
    Map far;                       /* (iid, which) -> the same, for ids beyond the tables */
} Sequence;

static inline int32_t interned(const Sequence *q, uint64_t iid, int which)
{
    const Ids *ids = &q->ids[which];
    if (iid < ids->room && ids->entries[iid].epoch == q->epoch) {
        return ids->entries[iid].value;
    }
    MapEntry *e = map_find(&q->far, iid, which);
    return e ? (int32_t)e->value : -1;
}

/* What an id stands for from here on; -1 with an exception set. */
int remember(Sequence *q, uint64_t iid, int which, int32_t value);
void forget_all(Sequence *q);
void sequence_free(Sequence *q);

#endif
