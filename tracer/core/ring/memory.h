/* Small memory that the recorder keeps for long, apart from the program's heap. */
#ifndef TRACER_MEMORY_H
#define TRACER_MEMORY_H

#include <stddef.h>

/* For the program's heap, once a process, as a recording starts: it is laid out otherwise then, and where it has no room
 * for 256 KiB, glibc gives each read of asyncio's transports a mapping of its own, until the program frees a block that
 * is larger. Most of what servers allocate grows or shrinks before it is freed, which does not count. */
void memory_keep_large_blocks(void);

/* Zeroed; NULL when memory is short. */
void *memory_take(size_t size_bytes);
/* `block`: NULL, or what memory_take() gave for the same size. */
void memory_give(void *block, size_t size_bytes);
/* In a forked child: a thread that is not here may have been inside. */
void memory_after_fork(void);

#endif
