/* moments.c's part of the module. */
#ifndef TRACER_MOMENTS_H
#define TRACER_MOMENTS_H

#include "output/triggers.h"
#include "python/compat.h"

/* On the writer's thread: tells the Recording of what a trigger has seen, on a thread made for that. */
void moments_tell(const moment *of);
/* The same: finds out where a thread is. That needs the GIL, and the program's threads may be blocked. */
void moments_ask_place(uint64_t pthread);

extern PyMethodDef moments_methods[];

#endif
