/* Children that have ended while nobody has waited for them yet. */
#ifndef TRACER_UNREAPED_H
#define TRACER_UNREAPED_H

#include "timeline/model.h"

/* A child was started; the program was told of its end. */
void unreaped_begins(timeline *t, uint64_t pid);
void unreaped_ends(timeline *t, uint64_t pid);
/* Asks the kernel which of them have ended, `ns` being now. On the writer's thread. */
void unreaped_look(timeline *t, uint64_t ns);

#endif
