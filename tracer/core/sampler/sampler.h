/* CPU samples: each thread's own CPU clock interrupts it, and the handler notes where it is.
 *
 * Producer: the signal handler, on the interrupted thread, into that thread's ring. Consumer: the writer
 * thread. A sample holds addresses of code objects; sampler/symbols.c turns them into names, at the latest
 * when a code object dies. */
#ifndef TRACER_SAMPLER_H
#define TRACER_SAMPLER_H

#include <stdint.h>

#include "sampler/rings.h"

enum { SAMPLER_HZ_MOST = 5000 };

/* Control thread, with the GIL. Returns NULL, or the reason why samples are not possible here. */
const char *sampler_start(uint32_t hz);
void sampler_stop(void);
/* In a forked child. */
void sampler_forget(void);

/* Called by any thread: it is sampled from now on; does nothing if no sampler runs. */
void sampler_arm_self(void);
/* With the GIL: the code that ran above the `below` outermost Python frames in the last sample of the calling
 * thread, whose id is `tid`; NULL: no sample since then tells. It may have died since it was sampled. */
const void *sampler_last_code(pid_t tid, uint64_t since_tick, uint32_t below);
/* The signal in use, 0 = none. */
int sampler_signal(void);
/* The program wants to use the signal: takes no more samples in this recording. */
void sampler_give_way(void);
/* Whether C code of the program has replaced the handler, so that sampling stopped. */
int sampler_was_ousted(void);

/* For tests. */
void sampler_use_wall_clock(int yes);

uint32_t sampler_hz(void); /* 0: no samples in this recording */
/* Number of threads, since the start, for which the system had no timer left. */
uint32_t sampler_refused(void);
void sampler_close(void); /* after the last sample has been drained */

/* The caller holds the guard. CPU time before the arming counts only for a new thread. */
sampled *sampler_arm(pid_t tid, int is_new);
void sampler_disarm(sampled *t);
int sampler_has_handler(void); /* whether our handler is installed */

#endif
