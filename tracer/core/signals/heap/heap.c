/* Allocations by Python's own allocators, sampled by bytes, with their stacks, until they are freed.
 *
 * A thread has a budget of bytes, drawn from an exponential distribution; the allocation that exceeds it
 * is sampled. So each byte has the same chance, whatever the program does (a Poisson process).
 *
 * The wrappers around the three domains (RAW, MEM, OBJ) stay for the life of the process, since another tool
 * may have kept them. They pass on the original's context, so that a thread that allocates while they are
 * put in place sees a valid pair of function and context, whichever halves it reads. */
#define _GNU_SOURCE
#include "signals/heap/heap.h"

#include <sys/random.h>

#include "python/notes.h"
#include "python/stacks.h"
#include "ring/ring.h"
#include "signals/heap/asked.h"
#include "signals/heap/blocks.h"
#include "signals/heap/makers.h"
#include "signals/heap/retained.h"

enum domain { RAW, MEM, OBJ, DOMAINS };
static const PyMemAllocatorDomain domains[DOMAINS] = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define SLOW __attribute__((noinline, cold))

static PyMemAllocatorEx original[DOMAINS];
/* Larger blocks of MEM and OBJ come from RAW, where they are counted. */
static size_t small_most = SIZE_MAX;
static uint64_t mean_bytes; /* between two samples; 0: never started */
static _Atomic int on;
static _Atomic uint32_t unkept; /* samples that found no room in the table of blocks */
static uint64_t seed;
static _Atomic uint64_t threads_seen;

static _Thread_local struct {
    int64_t budget;
    uint64_t mean; /* that the budget was drawn for; 0: none was */
    uint64_t random;
    uint8_t busy;
} own
#if defined(__GLIBC__)
__attribute__((tls_model("initial-exec")))
#endif
;

/* --- when the next sample is due --- */

static double uniform(void)
{
    own.random += 0x9E3779B97F4A7C15ull;
    uint64_t x = own.random;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9ull;
    x = (x ^ x >> 27) * 0x94D049BB133111EBull;
    return (double)((x ^ x >> 31) >> 11) * 0x1p-53;
}

/* An exponential variate by comparisons of uniform ones alone (von Neumann's method). */
static double exponential(void)
{
    for (double whole = 0;; whole++) {
        double first = uniform(), least = first, next;
        int falls = 0;
        while ((next = uniform()) < least) {
            least = next;
            falls++;
        }
        if (falls % 2 == 0)
            return whole + first;
    }
}

static int64_t next_gap(void)
{
    return (int64_t)(exponential() * (double)mean_bytes);
}

static void start_thread(void)
{
    own.mean = mean_bytes;
    own.random = seed + atomic_fetch_add(&threads_seen, 1) * 0xD1342543DE82EF95ull;
    own.budget = next_gap();
}

/* --- samples --- */

/* A thread that is not attached may be in a recording that ends meanwhile. */
static thread_buffer *enter(PyThreadState *attached)
{
    int is_known = ring_mine && ring_mine->generation == atomic_load(&ring_generation);
    thread_buffer *b = ring_current();
    if (!b || b->writing)
        return NULL;
    if (!attached && !is_known)
        b->has_gil = 0;
    if (attached)
        return b;
    b->writing = 1;
    return ring_is_open(b) ? b : NULL;
}

static void tell_taken(const void *block, size_t size)
{
    PyThreadState *attached = compat_attached();
    thread_buffer *b = enter(attached);
    uint64_t tick = clock_tick();
    sampled of = {.bytes = size};
    of.stack = b && attached ? stacks_capture(attached) : 0;
    of.maker = of.stack ? makers_number(attached) : 0;
    of.number = b ? blocks_put(block, of) : 0;
    if (of.number)
        ring_emit(b, tick, REC_HEAP_TAKEN, !attached, of.stack, (uint64_t)of.maker << 32 | of.number, size);
    else if (b)
        atomic_fetch_add(&unkept, 1);
    if (b)
        b->writing = 0;
}

static void tell_freed(sampled of, int is_resized)
{
    if (!of.number || own.busy)
        return;
    own.busy = 1;
    PyThreadState *attached = compat_attached();
    thread_buffer *b = enter(attached);
    if (b) {
        ring_emit(b, clock_tick(), REC_HEAP_FREED, (uint8_t)is_resized, makers_state(of.maker, attached), of.number, 0);
        b->writing = 0;
    }
    own.busy = 0;
}

/* The budget is exceeded by a block of this size, which has been allocated unless it is NULL. */
static void SLOW exceed(const void *block, size_t size)
{
    if (own.mean != mean_bytes) { /* this thread's first */
        start_thread();
        own.budget -= (int64_t)size;
        if (own.budget >= 0)
            return;
    }
    own.budget = next_gap();
    if (!block || own.busy || !atomic_load_explicit(&on, memory_order_relaxed))
        return;
    own.busy = 1;
    tell_taken(block, size);
    own.busy = 0;
}

/* Larger blocks of MEM and OBJ pass through RAW, and are sampled there alone. Bytes of theirs that exceed the budget
 * before are no sample, and a new budget is drawn: of a Poisson process any part may be left out. So the common way
 * need not ask for the size. */
static int is_counted_below(enum domain at, size_t size)
{
    if (at == RAW || size <= small_most)
        return 0;
    exceed(NULL, size);
    return 1;
}

static void *SLOW sampled_malloc(enum domain at, void *context, size_t size)
{
    int is_below = is_counted_below(at, size);
    void *block = original[at].malloc(context, size);
    if (!is_below)
        exceed(block, size);
    return block;
}

static void *SLOW sampled_calloc(enum domain at, void *context, size_t count, size_t each)
{
    int is_below = is_counted_below(at, count * each);
    void *block = original[at].calloc(context, count, each);
    if (!is_below)
        exceed(block, count * each);
    return block;
}

/* The filter says that the block may be sampled. */
static void SLOW freed(enum domain at, void *context, void *block)
{
    tell_freed(blocks_take(block), 0);
    original[at].free(context, block);
}

/* A block that grows or shrinks is a new one, as for tracemalloc. */
static void *SLOW sampled_realloc(enum domain at, void *context, void *block, size_t size)
{
    sampled of = blocks_may_have(block) ? blocks_take(block) : (sampled){0};
    int64_t budget = own.budget;
    own.budget = INT64_MAX; /* nothing is counted in RAW meanwhile: no budget is too small */
    void *moved = original[at].realloc(context, block, size);
    own.budget = budget;
    if (!moved) {
        if (of.number)
            blocks_put_back(block, of);
        return NULL;
    }
    tell_freed(of, 1);
    if ((own.budget -= (int64_t)size) < 0)
        exceed(moved, size);
    return moved;
}

/* --- the wrappers: the common way through each is a jump to the original --- */

#define WRAPPERS(name, at)                                                                                          \
    static void *name##_malloc(void *context, size_t size)                                                          \
    {                                                                                                               \
        if (LIKELY((own.budget -= (int64_t)size) >= 0))                                                             \
            return original[at].malloc(context, size);                                                              \
        return sampled_malloc(at, context, size);                                                                   \
    }                                                                                                               \
    static void *name##_calloc(void *context, size_t count, size_t each)                                            \
    {                                                                                                               \
        if (LIKELY((own.budget -= (int64_t)(count * each)) >= 0))                                                   \
            return original[at].calloc(context, count, each);                                                       \
        return sampled_calloc(at, context, count, each);                                                            \
    }                                                                                                               \
    static void name##_free(void *context, void *block)                                                             \
    {                                                                                                               \
        if (LIKELY(!blocks_may_have(block)))                                                                        \
            original[at].free(context, block);                                                                      \
        else                                                                                                        \
            freed(at, context, block);                                                                              \
    }

WRAPPERS(raw, RAW)
WRAPPERS(mem, MEM)
WRAPPERS(obj, OBJ)

/* What becomes small has passed through RAW if it was large: then it is counted. */
#define REALLOC(name, at)                                                                                            \
    static void *__attribute__((noinline)) name##_resized_to_small(void *context, void *block, size_t size)         \
    {                                                                                                               \
        int64_t budget = own.budget;                                                                                \
        void *moved = original[at].realloc(context, block, size);                                                   \
        if (own.budget == budget && LIKELY(moved) && !LIKELY((own.budget -= (int64_t)size) >= 0))                   \
            exceed(moved, size);                                                                                    \
        return moved;                                                                                               \
    }                                                                                                               \
    static void *name##_realloc(void *context, void *block, size_t size)                                            \
    {                                                                                                               \
        if (!LIKELY(!blocks_may_have(block)))                                                                       \
            return sampled_realloc(at, context, block, size);                                                       \
        if (size <= small_most)                                                                                     \
            return name##_resized_to_small(context, block, size);                                                   \
        return original[at].realloc(context, block, size);                                                          \
    }

REALLOC(mem, MEM)
REALLOC(obj, OBJ)

static void *raw_realloc(void *context, void *block, size_t size)
{
    if (LIKELY(!blocks_may_have(block) && own.budget >= (int64_t)size)) {
        own.budget -= (int64_t)size;
        return original[RAW].realloc(context, block, size);
    }
    return sampled_realloc(RAW, context, block, size);
}

#define WRAPPER(name) {NULL, name##_malloc, name##_calloc, name##_realloc, name##_free}
static PyMemAllocatorEx wrappers[DOMAINS] = {WRAPPER(raw), WRAPPER(mem), WRAPPER(obj)};

/* --- start and stop; attached --- */

static int passes_raw(size_t size)
{
    int64_t before = own.budget = INT64_MAX;
    void *block = PyObject_Malloc(size);
    int passed = own.budget != before - (int64_t)size; /* which the wrapper of OBJ has taken alone */
    PyObject_Free(block);
    return passed;
}

/* Finds out from which size on the blocks of OBJ come from RAW: it depends on the allocator and on its
 * debug hooks. */
static void find_small_most(void)
{
    enum { SURELY_LARGE = 1 << 16, PYMALLOC_MOST = 512 };
    if (!passes_raw(SURELY_LARGE))
        return;
    size_t size = PYMALLOC_MOST;
    while (size && passes_raw(size))
        size--;
    small_most = size;
}

static void *allocate(enum domain at, size_t size)
{
    return at == RAW ? PyMem_RawMalloc(size) : at == MEM ? PyMem_Malloc(size) : PyObject_Malloc(size);
}

static void release(enum domain at, void *block)
{
    if (at == RAW)
        PyMem_RawFree(block);
    else if (at == MEM)
        PyMem_Free(block);
    else
        PyObject_Free(block);
}

/* Whether allocations reach the wrappers, by themselves or through those of another tool. */
static int is_installed(void)
{
    int reached = 0;
    int64_t before = own.budget;
    for (int i = 0; i < DOMAINS; i++) {
        own.budget = INT64_MAX;
        release(i, allocate(i, 1));
        reached += own.budget != INT64_MAX;
    }
    own.budget = before;
    return reached == DOMAINS;
}

static void install(void)
{
    for (int i = 0; i < DOMAINS; i++) {
        PyMem_GetAllocator(domains[i], &original[i]);
        wrappers[i].ctx = original[i].ctx;
    }
    for (int i = 0; i < DOMAINS; i++)
        PyMem_SetAllocator(domains[i], &wrappers[i]);
    find_small_most();
}

PyDoc_STRVAR(start_doc, "start_heap(mean, seed)\n\n"
"Samples an allocation every `mean` bytes on average. A seed of 0 is replaced by a random one.");

static PyObject *start_heap(PyObject *module, PyObject *args)
{
    (void)module;
    unsigned long long mean, given;
    if (!PyArg_ParseTuple(args, "KK", &mean, &given))
        return NULL;
    if (!mean || mean > INT64_MAX / 64)
        return PyErr_Format(PyExc_ValueError, "%llu is no number of bytes between samples", mean);
    if (COMPAT_FREE_THREADED)
        return PyErr_Format(PyExc_RuntimeError, "a free-threaded Python has allocators of its own");
    if (blocks_start() < 0)
        return PyErr_NoMemory();
    if (makers_start() < 0)
        return NULL;
    thread_buffer *b = ring_current();
    if (!b)
        Py_RETURN_NONE;
    if (!mean_bytes) {
        mean_bytes = mean;
        install();
    } else if (!is_installed()) {
        return PyErr_Format(PyExc_RuntimeError, "another tool has replaced the allocators since the last recording");
    }
    blocks_clear();
    atomic_store(&unkept, 0);
    seed = given;
    if (!seed && getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
        seed = clock_tick();
    mean_bytes = mean;
    ring_emit(b, clock_tick(), REC_HEAP_BEGIN, 0, 0, mean, 0);
    start_thread();
    atomic_store(&on, 1);
    Py_RETURN_NONE;
}

/* What is sampled later would not be told of. */
static void end_samples(void)
{
    atomic_store(&on, 0);
    uint32_t numbers[MAKERS_MOST], count = makers_running(numbers, compat_attached());
    thread_buffer *b = ring_current();
    for (uint32_t i = 0; b && i <= count; i++)
        ring_emit(b, clock_tick(), REC_HEAP_RUNNING, 0, i < count ? numbers[i] : 0, 0, 0);
}

PyDoc_STRVAR(note_doc, "note_heap()\n\nEnds sampling. Says in the trace which calls have not returned yet, and what was not"
" followed, while that is still heard.");

static PyObject *note_heap(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    char text[96];
    if (!atomic_load(&on))
        Py_RETURN_NONE;
    end_samples();
    if (!is_installed())
        notes_write(NOTE_HOOK_DISABLED, "heap", "another tool replaced the allocators: what came after is missing");
    if (atomic_load(&unkept)) {
        PyOS_snprintf(text, sizeof text, "samples that found no room, use a larger --heap-rate: %u",
                      atomic_load(&unkept));
        notes_write(NOTE_OTHER, "heap", text);
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(stop_doc, "stop_heap()\n\nNo more samples.");

static PyObject *stop_heap(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    atomic_store(&on, 0);
    blocks_clear();
    stacks_resolve(); /* the writer waits for their names */
    Py_RETURN_NONE;
}

void heap_forget(void)
{
    atomic_store(&on, 0);
    own.busy = 0;
    blocks_forget();
    asked_forget();
    retained_forget();
}

PyMethodDef heap_methods[] = {
    {"start_heap", start_heap, METH_VARARGS, start_doc},
    {"note_heap", note_heap, METH_NOARGS, note_doc},
    {"stop_heap", stop_heap, METH_NOARGS, stop_doc},
    {NULL, NULL, 0, NULL},
};
