/* What the recorder says of itself on the tracer track: how the recording began and ended. */
#ifndef TRACER_REMARKS_H
#define TRACER_REMARKS_H

#include "output/snapshots.h"
#include "timeline/timeline.h"

typedef struct {
    const char *cmdline; /* NUL-separated */
    size_t cmdline_length;
    const char *python, *argv, *signals;
    uint64_t threshold_ns; /* shorter calls and waits are not recorded */
    uint64_t family;       /* the same random number in all processes of a run … */
    uint32_t member;       /* … of which this is one, 0 = the first */
    uint32_t parent_pid;   /* who started it, 0 = the first */
    const char *origin;    /* how it came to be */
    const char *ring;      /* a flight recording: the folder of its files; NULL: another */
    uint64_t window_ns, ring_bytes; /* how far back it reaches at least, how much it may take on disk */
    const char *snapshots; /* the folder for those without a name of their own */
} writer_description;

/* Keeps what each `recording` says. */
void remarks_keep(const writer_description *about);
/* The instant `recording`; `began_ns` says when a recording began whose earlier files may be gone, 0: now. */
void remarks_announce(timeline *line, uint64_t ns, uint64_t began_ns);
/* The instant `snapshot`. */
void remarks_snapshot(timeline *line, uint64_t ns, const snapshot *taken, uint64_t window_ns);
int remarks_record(const char *signal); /* whether it is recorded */
void remarks_note(timeline *line, uint64_t ns, const char *subject, const char *reason);
/* How the process is about to end, by an exit code or a signal: `recording ended` will say so. */
void remarks_ends(int is_signal, int value);
/* The instant `recording ended`. */
void remarks_conclude(timeline *line, uint64_t ns, uint64_t dropped, uint64_t bytes, uint64_t overhead_ns);

#endif
