/* What a greenlet waits for. */
#ifndef TRACER_WAITS_H
#define TRACER_WAITS_H

#include "signals/greenlet/greenlets.h"

/* It stops, at the place `stack`, and `to` goes on. */
void waits_begin(thread_buffer *b, uint64_t tick, known_greenlet *from, const known_greenlet *to, uint32_t stack);
/* It has stopped unseen. */
void waits_unknown(thread_buffer *b, uint64_t tick, const known_greenlet *left);

extern PyMethodDef waits_methods[];

#endif
