/* Writes CPU samples as perf_sample packets, on a packet sequence of their own.
 *
 * Belongs to the writer. A packet stands for one period of CPU time; a sample that stands for several
 * periods becomes several packets. Names, frames and callstacks are interned anew in each chunk of the
 * trace. */
#ifndef TRACER_SAMPLES_H
#define TRACER_SAMPLES_H

#include "packets/encoder.h"
#include "ring/map.h"
#include "ring/sources.h"

typedef struct {
    encoder *out;
    const sample_source_table *from;
    uint64_t (*to_ns)(uint64_t tick);
    uint64_t last_ns;
    uint32_t hz;
    uint32_t chunk; /* of the encoder: the interned data is valid in this one */
    uint32_t frames, stacks; /* interned so far */
    map functions, paths; /* string ids interned in this chunk */
    map frame_iids;       /* hash of a place -> iid */
    map stack_iids;       /* hash of the frames -> iid */
    void (*seen)(void *context, const sample *s, uint64_t ns); /* NULL: nobody else is told of each */
    uint64_t looked_ns;   /* when it last looked for threads */
    uint64_t count;       /* packets in total */
} sample_writer;

void samples_init(sample_writer *w, encoder *out, uint64_t (*to_ns)(uint64_t tick), const sample_source_table *from);
void samples_free(sample_writer *w);
extern _Atomic uint64_t samples_look_every_ns; /* 140 ms; 0 in tests: in each pass */
/* Writes the threads' samples up to `horizon_tick`, which is `ns`; every 150 to 200 ms it also looks for new threads. */
void samples_write(sample_writer *w, uint64_t horizon_tick, uint64_t ns);
/* Writes one sample, at `ns`; for the above and for tests. */
void samples_put(sample_writer *w, const sample *s, uint64_t ns);

#endif
