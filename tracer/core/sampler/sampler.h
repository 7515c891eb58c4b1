/* CPU samples: each thread's own CPU clock interrupts it, and the handler notes where it stands.
 *
 * Producer: the signal handler, on the interrupted thread, into that thread's ring. Consumer: the
 * writer thread. A sample holds addresses of code objects; sampler/symbols.c turns them into
 * names, at the latest when a code object dies. */
#ifndef TRACER_SAMPLER_H
#define TRACER_SAMPLER_H

#include "python/compat.h"

#include <stdint.h>

#include "ring/sources.h"

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
/* Whether C code of the program has put a handler of its own in place of ours, which made us give way. */
int sampler_was_ousted(void);

/* For tests. */
void sampler_use_wall_clock(int yes);

uint32_t sampler_hz(void); /* 0: no samples in this recording */
extern const sample_source_table sampler_source;
/* Threads for which the system had no timer left, since the start. */
uint32_t sampler_refused(void);
void sampler_close(void); /* the last sample has been taken out */

/* --- between sampler.c and sampler/symbols.c --- */

/* In a ring, two words a frame: the code's address and the instruction's offset in it; or, once
 * the code has died, `path << 1 | 1` and `function << 32 | line`. */
void symbols_lock(void);
void symbols_unlock(void);
void symbols_reset(void); /* in a forked child */
void symbols_forget(void); /* nothing is known of any code any more */
sample_place symbols_place(uint64_t code, uint64_t offset); /* locked */
void symbols_code_dies(PyCodeObject *code);
/* For every frame of every sample that refers to `code`; locked. */
void sampler_replace(uint64_t code, void (*each)(uint64_t frame[2]));
int sampler_has_met(const void *code);
void sampler_forget_codes(void); /* what the handlers remember of code addresses */

#endif
