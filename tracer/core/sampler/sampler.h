/* CPU samples: each thread's own CPU clock interrupts it, and the handler notes where it stands.
 *
 * Producer: the signal handler, on the interrupted thread, into that thread's ring. Consumer: the
 * writer thread. A sample holds addresses of code objects; sampler/symbols.c turns them into
 * names, at the latest when a code object dies. */
#ifndef TRACER_SAMPLER_H
#define TRACER_SAMPLER_H

#include <stdint.h>

#include "sampler/rings.h"

enum { SAMPLER_HZ_MOST = 5000 };

/* Control thread, with the GIL. NULL, or why there can be no samples here. */
const char *sampler_start(uint32_t hz);
void sampler_stop(void);
/* In a forked child. */
void sampler_forget(void);

/* Any thread: has itself sampled from now on; does nothing when no sampler runs. */
void sampler_arm_self(void);
/* The signal in use, 0 = none. */
int sampler_signal(void);
/* The program wants the signal for itself: no more samples in this recording. */
void sampler_give_way(void);
/* Whether C code of the program has put a handler of its own in place of the sampler's, which then gave way. */
int sampler_was_ousted(void);

/* For tests. */
void sampler_use_wall_clock(int yes);

uint32_t sampler_hz(void); /* 0: no samples in this recording */
/* Threads for which the system had no timer left, since the start. */
uint32_t sampler_refused(void);
void sampler_close(void); /* the last sample has been taken out */

/* All guarded. What the thread has computed before counts only if it is new. */
sampled *sampler_arm(pid_t tid, int is_new);
void sampler_disarm(sampled *t);
int sampler_has_handler(void); /* ours is in place */

#endif
