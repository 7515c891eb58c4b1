/* Small memory that the recorder keeps for long, apart from the program's heap. */
#ifndef TRACER_MEMORY_H
#define TRACER_MEMORY_H

#include <stddef.h>

/* Zeroed; NULL when memory is short. */
void *memory_take(size_t size_bytes);
/* `block`: NULL, or what memory_take() gave for the same size. */
void memory_give(void *block, size_t size_bytes);
/* In a forked child: a thread that is not here may have been inside. */
void memory_after_fork(void);

#endif
