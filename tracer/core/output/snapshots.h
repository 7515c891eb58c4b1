/* Snapshots: a trace of the last seconds, copied from the files of the recording while it goes on.
 *
 * Any thread asks, the writer's thread copies, a few MB between two of its passes, so that the buffers never wait. */
#ifndef TRACER_SNAPSHOTS_H
#define TRACER_SNAPSHOTS_H

#include <stdint.h>

#include "output/segments.h"

enum { SNAPSHOT_TEXT = 512 };

typedef struct snapshot {
    char target[SEGMENT_PATH]; /* where to write; "" in a request: a name of its own in the folder for snapshots */
    char reason[SNAPSHOT_TEXT];
    uint64_t asked_ns; /* everything up to then shall be in it */
    uint64_t bytes, since_ns; /* when it is written: its size; it is complete from then on */
    int error; /* errno */
    /* If a trigger asks for it: which, the moment it is about (end 0: it goes on), whose it is (0: unknown), and how
     * often triggers fired since the one before without being told. */
    const char *trigger;
    uint64_t moment_ns, moment_end_ns, suppressed;
    uint32_t task, tid;
    uint32_t site, stack; /* strings: where its thread was, 0: unknown */
    void (*written)(struct snapshot *); /* if set, called on the writer's thread when it is written, or was not */
} snapshot;

/* Those without a name go into this folder, which is made when it is needed. */
void snapshots_begin(const char *folder);
/* From any thread: asks for a snapshot and waits until it is written. `error` is ECANCELED if no recording runs, or it ends
 * first. */
void snapshots_ask(snapshot *wanted);

/* --- for the writer's thread --- */

/* The same without waiting: `error` changes when it is written. Returns whether it is taken on: not if another one is
 * being written. */
int snapshots_put(snapshot *wanted);
/* What is to be written now that everything up to `ns` is; NULL: nothing. */
snapshot *snapshots_due(uint64_t ns);
/* Begins to copy the newest `count` segments, of which the last body has `bytes` bytes. Without a ring: that much of
 * the file `fd`. */
void snapshots_copy_segments(const segment_ring *ring, uint32_t count, uint64_t bytes);
void snapshots_copy_file(int fd, uint64_t bytes);
/* Goes on copying. Returns whether there is more to do. */
int snapshots_go_on(void);
int snapshots_are_copying(void);
int snapshots_are_asked(void); /* one is, and it is not being copied yet */
/* No recording runs any more: whoever waits is told. */
void snapshots_end(void);
/* Of this recording: how many were written, and the path of the last one. */
uint64_t snapshots_count(void);
const char *snapshots_last(void);
/* In a forked child: forgets everything without touching it. */
void snapshots_forget(void);

#endif
