/* The sampled blocks that have not been freed yet, by address.
 *
 * Any thread, with or without the GIL; a spin lock is held for a few instructions on memory. A block is found
 * by the thread that frees it, so nobody else puts or takes its address meanwhile. */
#ifndef TRACER_HEAP_BLOCKS_H
#define TRACER_HEAP_BLOCKS_H

#include <stdatomic.h>
#include <stdint.h>

enum { BLOCKS_PLACES = 1 << 22, BLOCKS_PLACE_SHIFT = 10 };

/* How many sampled blocks begin in each KiB of memory. Addresses 4 GiB apart share a place. Each place is a byte, so
 * that a free costs six instructions; a line of cache knows 64 KiB. Whoever frees a block was given it after its byte
 * was written; what others write there meanwhile leaves it above 0. So a plain read will do, which is one
 * instruction less than an atomic one. */
extern uint8_t blocks_filter[BLOCKS_PLACES];

static inline int blocks_may_have(const void *block)
{
    return blocks_filter[(uint32_t)(uintptr_t)block >> BLOCKS_PLACE_SHIFT] != 0;
}

/* A sampled block. A number of 0: there is none. */
typedef struct {
    uint32_t number; /* unique in this recording */
    uint32_t maker;  /* of makers.h */
    uint32_t stack;  /* of stacks.h */
    uint64_t bytes;
} sampled;

int blocks_start(void); /* 0, or -1 if memory is short */
/* Gives it a number; 0: no room. */
uint32_t blocks_put(const void *block, sampled of);
/* The block is forgotten. */
sampled blocks_take(const void *block);
void blocks_put_back(const void *block, sampled of);
uint32_t blocks_number(const void *block); /* 0: it is not sampled */
/* The first one from place `*at` on, which then is the next place; 0: there is none. */
int blocks_next(uint32_t *at, const void **block, sampled *of);
void blocks_clear(void);
void blocks_forget(void); /* in a forked child: another thread may have held the lock */

#endif
