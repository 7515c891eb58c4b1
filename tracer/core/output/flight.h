/* A flight recording between two passes of the writer: its files take turns, its triggers are looked at, its snapshots
 * are begun. Other recordings have snapshots, too. */
#ifndef TRACER_FLIGHT_H
#define TRACER_FLIGHT_H

#include <stdint.h>

#include "output/file.h"
#include "output/segments.h"
#include "output/snapshots.h"
#include "output/triggers.h"
#include "timeline/model.h"

typedef struct {
    timeline *line;
    trace_file *file; /* of a flight recording, the newest body */
    segment_ring ring; /* of a flight recording */
    uint64_t bytes_before, lost_before; /* in and from bodies before that */
    void (*ask_place)(uint64_t pthread);
    void (*on_moment)(const moment *);
} flight;

/* Begins another segment at `ns`: its head first, then an empty body. The one before stays if that fails. Chunks begin
 * there. Returns 0 or an errno. */
int flight_rotate(flight *of, uint64_t ns, uint64_t start_ns);
void flight_look_for_triggers(flight *of, uint64_t ns, uint64_t rss_bytes);
/* The snapshot that is to begin now that everything up to `upto_ns` is told, if any; `ns` is when it says so in the
 * trace. */
snapshot *flight_snapshot_told(flight *of, uint64_t upto_ns, uint64_t ns);
/* It is in the file: begins to copy. */
void flight_copy(flight *of, uint64_t now_ns);
/* Goes on copying until everything that has begun is copied. */
void flight_finish_copying(flight *of);
/* At the end: asks for `last`, if it is not NULL, or else for what a trigger has seen and not told yet. */
void flight_ask_last(flight *of, uint64_t ns, snapshot *last);

#endif
