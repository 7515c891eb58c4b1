/* The recorder's own heap: blocks by size, cut from regions that are never given back.
 *
 * malloc() would put what a hook keeps between the program's blocks, and what is free there could not grow together
 * again: asyncio's 256 KiB for each read would come from mmap(), which takes three system calls and two page faults. */
#define _GNU_SOURCE
#include "ring/memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ring/hot.h"

enum { LARGE_BYTES = 512 << 10, LARGE_BLOCKS = 4 };

void memory_keep_large_blocks(void)
{
    static atomic_flag is_done = ATOMIC_FLAG_INIT;
    if (atomic_flag_test_and_set(&is_done))
        return;
    void *volatile blocks[LARGE_BLOCKS]; /* volatile: else the compiler leaves out both calls */
    for (int i = 0; i < LARGE_BLOCKS; i++)
        blocks[i] = malloc(LARGE_BYTES); /* never touched; where the heap has room for the first ones, not for the last */
    for (int i = 0; i < LARGE_BLOCKS; i++)
        free(blocks[i]);
}

#ifdef __SANITIZE_ADDRESS__ /* which knows only malloc()'s blocks */
void *memory_take(size_t size_bytes)
{
    return calloc(1, size_bytes);
}

void memory_give(void *block, size_t size_bytes)
{
    (void)size_bytes;
    free(block);
}

void memory_after_fork(void) {}

#else

enum { STEP = 16, LINE = 64, SMALL = 1024, SMALL_CLASSES = SMALL / STEP, CLASSES = SMALL_CLASSES + 6, REGION_BYTES = 1 << 18 };

typedef struct free_block {
    struct free_block *next;
} free_block;

/* Each change is one store: a child that was forked meanwhile finds the lists whole. */
static free_block *free_blocks[CLASSES];
static char *region, *region_end;
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER; /* for some instructions */

/* … and how large the blocks of that class are; CLASSES: each has a mapping of its own. */
static unsigned class_of(size_t *size_bytes)
{
    size_t room = SMALL;
    unsigned class = SMALL_CLASSES - 1;
    if (*size_bytes <= SMALL) {
        class = *size_bytes ? (unsigned)((*size_bytes - 1) / STEP) : 0;
        room = (class + 1u) * STEP;
    }
    for (; room < *size_bytes && class < CLASSES; class++)
        room *= 2;
    *size_bytes = class < CLASSES ? room : *size_bytes;
    return class;
}

static void *map_bytes(size_t size_bytes)
{
    void *memory = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* What is left of the region before is lost: less than the block, which is a quarter of a region at most. A block
 * lies in as few lines of the processor's cache as it can. */
static COLD void *cut(size_t size_bytes)
{
    if (size_bytes >= LINE)
        region = (char *)(((uintptr_t)region + LINE - 1) & ~(uintptr_t)(LINE - 1)); /* a region's end is one's, too */
    if ((size_t)(region_end - region) < size_bytes) {
        char *fresh = map_bytes(REGION_BYTES);
        if (!fresh)
            return NULL;
        region = fresh;
        region_end = fresh + REGION_BYTES;
    }
    void *block = region;
    region += size_bytes;
    return block;
}

HOT void *memory_take(size_t size_bytes)
{
    unsigned class = class_of(&size_bytes);
    if (class == CLASSES)
        return map_bytes(size_bytes);
    pthread_mutex_lock(&guard);
    free_block *block = free_blocks[class];
    int is_used = block != NULL;
    if (is_used)
        free_blocks[class] = block->next;
    else
        block = cut(size_bytes);
    pthread_mutex_unlock(&guard);
    return is_used ? memset(block, 0, size_bytes) : block;
}

HOT void memory_give(void *given, size_t size_bytes)
{
    free_block *block = given;
    unsigned class = class_of(&size_bytes);
    if (!block)
        return;
    if (class == CLASSES) {
        munmap(block, size_bytes);
        return;
    }
    pthread_mutex_lock(&guard);
    block->next = free_blocks[class];
    free_blocks[class] = block;
    pthread_mutex_unlock(&guard);
}

void memory_after_fork(void)
{
    pthread_mutex_init(&guard, NULL);
    region = region_end = NULL; /* that thread may have changed one of them only */
}

#endif
