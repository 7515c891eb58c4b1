/* How a command that reads a trace and ends takes memory from the system. */
#include "native.h"
#if defined(__GLIBC__) && defined(__linux__)
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

enum { LARGE_PAGE = 2 << 20, FIRST = 24 << 20, PAD = 16 << 20, MOST = INT_MAX - FIRST };
enum { SMALL_PAGES_NS = 600000, MOST_LOST_NS = 10000000 };

/* Where addresses are limited (`ulimit -v`, 32 bits), or count as memory, what is taken in advance
 * would be missing elsewhere. */
static int may_take_addresses(void)
{
    struct rlimit addresses, data;
    if (sizeof(void *) < 8 || getrlimit(RLIMIT_AS, &addresses) < 0 || getrlimit(RLIMIT_DATA, &data) < 0
        || addresses.rlim_cur != RLIM_INFINITY || data.rlim_cur != RLIM_INFINITY) {
        return 0;
    }
    FILE *file = fopen("/proc/sys/vm/overcommit_memory", "re");
    int how = file ? getc(file) : EOF;
    if (file) {
        fclose(file);
    }
    return how == '0' || how == '1';
}

/* Memory that becomes used from its begin on. What lies below `ready` has its pages, `used` is the
 * end of what was given away. */
typedef struct {
    char *used, *ready, *end;
} Room;

static int64_t lost_ns; /* by large pages, compared with as many small ones */
static char is_preparing;

static int64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Takes the pages until there, large ones. That is several times cheaper than a fault for each small
 * page, of which a report needs 100,000. In a virtual machine whose host has to find the memory first
 * it is several times dearer: then the rest gets small pages, as they are touched. */
static void prepare(Room *room, const char *until)
{
    if (__atomic_test_and_set(&is_preparing, __ATOMIC_ACQUIRE)) {
        return; /* another interpreter's thread does */
    }
    while (room->ready < until && room->end - room->ready >= LARGE_PAGE && lost_ns < MOST_LOST_NS) {
        int64_t before_ns = cpu_ns();
        madvise(room->ready, LARGE_PAGE, MADV_HUGEPAGE);
        if (madvise(room->ready, LARGE_PAGE, MADV_POPULATE_WRITE) < 0) {
            lost_ns = MOST_LOST_NS;
        }
        lost_ns += cpu_ns() - before_ns - SMALL_PAGES_NS;
        room->ready += LARGE_PAGE;
    }
    if (room->ready < until) {
        room->ready = room->end;
    }
    __atomic_clear(&is_preparing, __ATOMIC_RELEASE);
}

static inline void use(Room *room, const void *block, size_t size)
{
    char *end = (char *)block + size;
    if (block && end > room->used && end <= room->end) {
        room->used = end;
    }
}

static inline void expect(Room *room, size_t size)
{
    if (size > (size_t)(room->ready - room->used) && room->ready < room->end) {
        prepare(room, room->used + size);
    }
}

/* The heap of the C library, from which columns come: what Python asks of it passes here. */
static Room heap;
static PyMemAllocatorEx c_library;

static void *heap_malloc(void *ctx, size_t size)
{
    expect(&heap, size);
    void *block = c_library.malloc(ctx, size);
    use(&heap, block, size);
    return block;
}

static void *heap_calloc(void *ctx, size_t count, size_t size)
{
    expect(&heap, count * size);
    void *block = c_library.calloc(ctx, count, size);
    use(&heap, block, count * size);
    return block;
}

static void *heap_realloc(void *ctx, void *old, size_t size)
{
    expect(&heap, size);
    void *block = c_library.realloc(ctx, old, size);
    use(&heap, block, size);
    return block;
}

/* Lets the heap grow by `wanted` at once, or as far as glibc goes. Only addresses are taken, until
 * something is stored there. */
static void reserve(size_t wanted)
{
    const size_t bytes = wanted < MOST ? wanted : MOST;
    mallopt(M_TOP_PAD, (int)bytes);
    char *first = malloc(FIRST);
    char *until = sbrk(0);
    if (first && until > first && (size_t)(until - first) >= bytes && !heap.end) {
        mallopt(M_MMAP_MAX, 0); /* there is room, with large pages, also for the largest columns */
        heap = (Room){first, first + (-(uintptr_t)first & (LARGE_PAGE - 1)), until};
        PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &c_library);
        PyMemAllocatorEx ours = {c_library.ctx, heap_malloc, heap_calloc, heap_realloc, c_library.free};
        PyMem_SetAllocator(PYMEM_DOMAIN_RAW, &ours);
    }
    free(first);
    mallopt(M_TOP_PAD, PAD);
}

/* Python's small objects: arenas of 1 MB, each a mapping of its own. From now on they are cut from
 * `pool`, so that they share large pages, and stay there when they are free, for the next ones. */
static struct {
    PyObjectArenaAllocator before;
    Room room;
    char *begin;
    struct free_one {
        struct free_one *next;
        size_t size;
    } *free;
    char is_taken; /* `free`: interpreters with a GIL of their own may come at the same time */
} pool;

static void lock_free(void)
{
    while (__atomic_test_and_set(&pool.is_taken, __ATOMIC_ACQUIRE)) {
    }
}

static void unlock_free(void)
{
    __atomic_clear(&pool.is_taken, __ATOMIC_RELEASE);
}

static void *take_arena(void *ctx, size_t size)
{
    (void)ctx;
    lock_free();
    struct free_one *again = pool.free;
    if (again && again->size == size) {
        pool.free = again->next;
    } else {
        again = NULL;
    }
    unlock_free();
    if (again) {
        return again;
    }
    char *arena = __atomic_fetch_add(&pool.room.used, size, __ATOMIC_RELAXED);
    if (arena < pool.room.end && size <= (size_t)(pool.room.end - arena)) {
        if (arena + size > pool.room.ready) {
            prepare(&pool.room, arena + size);
        }
        return arena;
    }
    return pool.before.alloc(pool.before.ctx, size);
}

static void free_arena(void *ctx, void *arena, size_t size)
{
    (void)ctx;
    if ((char *)arena < pool.begin || (char *)arena >= pool.room.end) {
        pool.before.free(pool.before.ctx, arena, size);
        return;
    }
    struct free_one *now = arena;
    now->size = size;
    lock_free();
    now->next = pool.free;
    pool.free = now;
    unlock_free();
}

static void reserve_arenas(size_t bytes)
{
    void *room = pool.begin ? MAP_FAILED
                            : mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) {
        return;
    }
    pool.begin = (char *)room + (-(uintptr_t)room & (LARGE_PAGE - 1));
    pool.room = (Room){pool.begin, pool.begin, (char *)room + bytes};
    PyObject_GetArenaAllocator(&pool.before);
    PyObjectArenaAllocator ours = {NULL, take_arena, free_arena};
    PyObject_SetArenaAllocator(&ours);
}
#endif

/* keep_memory(expected): columns come and go by tens of megabytes. Each that has a mapping of its own
 * is given back, and the next one faults in new pages: a tenth of a report's time. Now they share one
 * heap. `expected` bytes will be used, 0 unknown. */
PyObject *keep_memory(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Py_ssize_t expected = nargs == 1 ? PyLong_AsSsize_t(args[0]) : -1;
    if (expected < 0) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_ValueError, "takes a number of bytes");
        }
        return NULL;
    }
#if defined(__GLIBC__) && defined(__linux__)
    mallopt(M_MMAP_THRESHOLD, 32 << 20); /* the largest that glibc takes */
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    mallopt(M_TOP_PAD, PAD);
    if (expected >= LARGE_PAGE && may_take_addresses()) {
        reserve(expected);
        reserve_arenas(expected);
    }
#endif
    Py_RETURN_NONE;
}
