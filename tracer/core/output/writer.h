/* The writer: a native thread without the GIL that turns records into a file.
 *
 * Every pass handles what was recorded before the previous pass began, in time order over all
 * threads; a thread that was suspended between reading the clock and committing its record has
 * one period to catch up. */
#ifndef TRACER_WRITER_H
#define TRACER_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "output/remarks.h"
#include "output/snapshots.h"
#include "output/triggers.h"
#include "ring/sources.h"

typedef struct {
    uint64_t duration_ns, events, bytes, dropped, late, overhead_ns, samples;
    uint64_t lost, lost_ns; /* events missing from a file that was cut, and the time since then */
    uint64_t worst_ready_ns;
    uint32_t worst_ready_func;
    uint64_t suppressed; /* moments that triggers saw, but that got no snapshot */
    uint64_t snapshots; /* written; … */
    const char *snapshot; /* … the path of the last one, "" if none was */
    int error; /* errno of the failed write, 0 = none … */
    const char *reason; /* … and in words */
} writer_totals;

/* What the writer's thread reads and calls besides the rings, so that it knows no signal by name. */
typedef struct {
    const kernel_source_table *kernel;
    const sample_source_table *samples;
    const keeper_source_table *keeper;
    void (*after_pass)(void);
    void (*ask_stacks)(void); /* has the stacks of all threads recorded; returns at once */
    void (*ask_place)(uint64_t pthread); /* where that thread is now: triggers_place() tells, soon */
    void (*on_moment)(const moment *); /* a trigger has fired, and its snapshot is written, or was not */
} writer_sources;

/* For the control thread only, one call at a time. Returns 0 or an errno; `what`: what failed, NULL = file. */
int writer_start(int fd, uint32_t pid, const writer_description *about, const writer_sources *sources,
                 const char **what);
/* `last`: a snapshot to be written at the end, or NULL; `keeps_ring`: leaves the files of a flight recording. */
void writer_stop(writer_totals *totals, snapshot *last, int keeps_ring);
/* Writes everything recorded before the call and leaves the writer paused. */
void writer_checkpoint(writer_totals *totals);
/* Called around a fork, so that the recorder has no native thread meanwhile. Resuming twice does no harm. */
void writer_pause(void);
void writer_resume(void);
/* From now on the thread's descriptors are in a table of its own, where the program would see them else and the kernel allows
 * it. Files that others open for the writer must be open by now. */
void writer_hide(void);
/* Called in a forked child: forgets the file without touching it. */
void writer_forget(void);
int writer_running(void);

#endif
