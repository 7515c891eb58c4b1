/* How a command that reads a trace and ends takes memory from the system. */
#include "native.h"
#if defined(__GLIBC__) && defined(__linux__)
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LARGE_PAGE = 2 << 20, FIRST = 24 << 20, PAD = 16 << 20 };

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

/* Few, large pages for [from, until): each page that is touched first costs half a microsecond, in
 * virtual machines several, and a report touches 400 MB. A hint: whether it is taken, or not, the
 * memory works. */
static void in_large_pages(char *from, char *until)
{
    from += -(uintptr_t)from & (LARGE_PAGE - 1);
    until -= (uintptr_t)until & (LARGE_PAGE - 1);
    if (from < until) {
        madvise(from, until - from, MADV_HUGEPAGE);
    }
}

/* Lets the heap grow by `bytes` at once. Only addresses are taken, until something is stored there. */
static void reserve(size_t bytes)
{
    mallopt(M_TOP_PAD, (int)(bytes < INT_MAX - FIRST ? bytes : INT_MAX - FIRST));
    char *first = malloc(FIRST);
    char *until = sbrk(0);
    if (first && until > first && (size_t)(until - first) >= bytes) {
        in_large_pages(first, until);
        mallopt(M_MMAP_MAX, 0); /* there is room, with large pages, also for the largest columns */
    }
    free(first);
    mallopt(M_TOP_PAD, PAD);
}

/* Python's small objects: arenas of 1 MB, each a mapping of its own. From now on they are cut from
 * `pool`, so that they share large pages, and stay there when they are free, for the next ones. */
static struct {
    PyObjectArenaAllocator before;
    char *at, *end, *begin;
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
    char *arena = __atomic_fetch_add(&pool.at, size, __ATOMIC_RELAXED);
    if (arena < pool.end && size <= (size_t)(pool.end - arena)) {
        return arena;
    }
    return pool.before.alloc(pool.before.ctx, size);
}

static void free_arena(void *ctx, void *arena, size_t size)
{
    (void)ctx;
    if ((char *)arena < pool.begin || (char *)arena >= pool.end) {
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
    pool.begin = room;
    pool.at = pool.begin + (-(uintptr_t)room & (LARGE_PAGE - 1));
    pool.end = pool.begin + bytes;
    in_large_pages(pool.at, pool.end);
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
