/* The control socket: who may ask a live recording something, and what it answers.
 *
 * A request is one line, `COMMAND [ARGUMENTS]`; the answer is `ok LENGTH`, a line end and so many bytes, or
 * `refused WHY`. The writer's thread serves it after each pass, without waiting for anybody, so the program has no
 * thread more and takes no part. Nothing that is sent is executed. */
#ifndef TRACER_CONTROL_H
#define TRACER_CONTROL_H

#include <stdint.h>

#include "ring/sources.h"
#include "timeline/model.h"

/* What does not change while the recording lasts. */
typedef struct {
    const char *mode, *file, *argv, *python;
} control_about;

/* What the writer knows at the end of a pass. */
typedef struct {
    const timeline *line;
    uint64_t now_ns; /* the timeline is complete up to then */
    uint64_t start_ns, realtime_offset, dropped, events, bytes;
    uint64_t (*overhead_ns)(void); /* CPU time of the writer's thread: to read it takes a call of the kernel */
    void (*ask_stacks)(void); /* has the stacks of all threads recorded; returns at once */
    int (*begin_segment)(void); /* of a flight recording's ring; whether it did */
    const keeper_source_table *keeper;
} control_facts;

/* Any thread, while the writer runs. Listens at `name` in the folder, a descriptor that belongs to the core from now
 * on. Returns 0 or an errno: EADDRINUSE if somebody else answers there. */
int control_open(int folder, const char *name, const control_about *about);
int control_serve(const control_facts *facts); /* the writer's thread; returns whether somebody asks */
void control_close(void);                       /* the writer has ended: removes the socket */
void control_forget(void);                      /* in a forked child: the socket is the parent's */

#endif
