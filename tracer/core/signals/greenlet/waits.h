/* What a greenlet waits for. */
#ifndef TRACER_WAITS_H
#define TRACER_WAITS_H

#include "signals/greenlet/greenlets.h"

/* The name of the wait that begins at the place `stack`, if the two say all of it; else 0. */
uint32_t waits_plain(const thread_buffer *b, uint32_t stack);
/* It stops, at the place `stack`, and `to` goes on. */
void waits_begin(thread_buffer *b, uint64_t tick, known_greenlet *from, const known_greenlet *to, uint32_t stack);
/* It has stopped unseen. */
void waits_unknown(thread_buffer *b, uint64_t tick, const known_greenlet *left);

extern PyMethodDef waits_methods[];

#endif
