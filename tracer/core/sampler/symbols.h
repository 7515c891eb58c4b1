/* Turns code objects in samples into function, file and line, without the GIL. */
#ifndef TRACER_SYMBOLS_H
#define TRACER_SYMBOLS_H

#include "python/compat.h"
#include "ring/sources.h"

void symbols_lock(void);
void symbols_unlock(void);
void symbols_reset(void); /* in a forked child */
void symbols_forget(void); /* forgets everything about code objects */
/* Whether a sample leaves this frame out. */
int symbols_is_hidden(uint64_t code);
sample_place symbols_place(uint64_t code, uint64_t offset); /* two words of a ring; the caller holds the lock */
void symbols_code_dies(PyCodeObject *code);

#endif
