/* Counters of the recording so far. */
#include "timeline/tally.h"

uint64_t tally_limit(uint32_t bucket)
{
    if (bucket >= TALLY_BUCKETS - 1)
        return 0;
    uint32_t octave = bucket / TALLY_PER_OCTAVE + TALLY_LOWEST_BITS, part = bucket % TALLY_PER_OCTAVE;
    return (1ull << octave) + ((uint64_t)part << (octave - 2));
}

uint64_t tally_quantile(const tally_sizes *now, const tally_sizes *before, uint32_t thousandths)
{
    uint64_t count = now->all.count - before->all.count, seen = 0;
    for (uint32_t i = 0; count && i < TALLY_BUCKETS; i++) {
        seen += now->buckets[i] - before->buckets[i];
        if (seen * 1000 < count * thousandths)
            continue;
        uint64_t limit = tally_limit(i);
        return limit && limit < now->all.longest_ns ? limit : now->all.longest_ns;
    }
    return 0;
}

void tally_collected(tally_gc *gc, tally_collection one)
{
    uint32_t generation = one.generation < TALLY_GENERATIONS ? one.generation : TALLY_GENERATIONS - 1;
    one.number = ++gc->count;
    gc->last[one.number % TALLY_COLLECTIONS] = one;
    tally_span(&gc->spans[generation], one.end_ns - one.begin_ns);
    gc->collected[generation] += one.collected;
    gc->uncollectable[generation] += one.uncollectable;
}

void tally_add(tally_thread *to, const tally_thread *from)
{
    for (int i = 0; i < TALLY_STATES; i++)
        to->ns[i] += from->ns[i];
    to->held_ns += from->held_ns;
}
