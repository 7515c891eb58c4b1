/* What the ids of a sequence of packets stand for. */
#include "interned.h"

/* A table is at most so much larger than what it was told: ids may be any numbers, and sequences as
 * many as processes, most of which have few ids. */
enum { AHEAD = 32, TIMES = 4, FIRST = 4 };

int remember(Sequence *q, uint64_t iid, int which, int32_t value)
{
    Ids *ids = &q->ids[which];
    uint64_t most = ++ids->told * TIMES + AHEAD;
    if (iid >= ids->room && iid < most) {
        uint64_t room = (iid < FIRST ? FIRST : iid) * 2;
        void *grown = PyMem_RawRealloc(ids->entries, room * sizeof *ids->entries);
        if (!grown) {
            PyErr_NoMemory();
            return -1;
        }
        ids->entries = grown;
        memset(&ids->entries[ids->room], 0, (room - ids->room) * sizeof *ids->entries);
        ids->room = room;
    }
    if (iid < ids->room) {
        ids->entries[iid].epoch = q->epoch;
        ids->entries[iid].value = value;
        return 1;
    }
    int fresh;
    MapEntry *e = map_put(&q->far, iid, which, value, &fresh);
    if (!e) {
        return -1;
    }
    e->value = value;
    return 1;
}

void forget_all(Sequence *q)
{
    if (++q->epoch == 0) { /* after four billion of them: entries of the first would live again */
        for (int i = 0; i < NAMES; i++) {
            PyMem_RawFree(q->ids[i].entries);
            q->ids[i] = (Ids){0};
        }
        q->epoch = 1;
    }
    map_free(&q->far);
}

void sequence_free(Sequence *q)
{
    for (int i = 0; i < NAMES; i++) {
        PyMem_RawFree(q->ids[i].entries);
    }
    map_free(&q->far);
}
