/* The chunk pool, the list of threads, and the slow paths of writing a record. */
#define _GNU_SOURCE
#include "ring/ring.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ring/hot.h"
#include "ring/memory.h"
#include "ring/text.h"

HOT_DATA _Atomic uint32_t ring_generation = 1;
_Atomic int ring_active;
HOT_DATA uint64_t gil_threshold_ticks = 20000;
HOT_DATA uint64_t ring_short_ticks;
_Atomic(thread_buffer *) ring_threads;
const char *ring_task_folder = "/proc/self/task";
void (*_Atomic ring_on_refill)(void);
HOT_DATA int ring_free_threaded;
#if defined(__GLIBC__)
_Thread_local thread_buffer *ring_mine __attribute__((tls_model("initial-exec")));
#else
_Thread_local thread_buffer *ring_mine;
#endif

enum { TEXT_LIMIT = 1000, SHORT_NS = 1000 * 1000 };

static chunk *pool;
static uint32_t pool_size;
static int is_wiped; /* a forked child finds zeros instead of the parent's data */
static int is_forked; /* from a process that was recorded */
/* Chunks from this index on were not used in this recording. They are untouched pages, but for a recording before this
 * one in memory that the program has locked. */
static _Atomic uint32_t pool_fresh;
static _Atomic uint64_t pool_free;  /* ABA tag << 32 | index + 1 */
static pthread_key_t exit_key;
static pthread_once_t exit_once = PTHREAD_ONCE_INIT;

static chunk *emptied(chunk *taken)
{
    atomic_store_explicit(&taken->next, 0, memory_order_relaxed);
    atomic_store_explicit(&taken->committed, 0, memory_order_relaxed);
    return taken;
}

static chunk *pool_pop(void)
{
    uint64_t head = atomic_load_explicit(&pool_free, memory_order_acquire);
    while ((uint32_t)head) {
        chunk *first = &pool[(uint32_t)head - 1];
        uint64_t rest = ((head >> 32) + 1) << 32 | atomic_load_explicit(&first->next, memory_order_relaxed);
        if (atomic_compare_exchange_weak(&pool_free, &head, rest))
            return emptied(first);
    }
    if (atomic_load_explicit(&pool_fresh, memory_order_relaxed) >= pool_size)
        return NULL;
    uint32_t index = atomic_fetch_add(&pool_fresh, 1);
    return index < pool_size ? emptied(&pool[index]) : NULL;
}

static void pool_push(chunk *freed)
{
    uint32_t index = (uint32_t)(freed - pool) + 1;
    uint64_t head = atomic_load(&pool_free);
    uint64_t mine;
    do {
        atomic_store_explicit(&freed->next, (uint32_t)head, memory_order_relaxed);
        mine = ((head >> 32) + 1) << 32 | index;
    } while (!atomic_compare_exchange_weak(&pool_free, &head, mine));
}

void (*_Atomic ring_on_first_exit)(void);

/* Runs without the GIL as the thread ends. It never frees the buffer: the writer may be reading it. */
static void on_thread_exit(void *mine)
{
    thread_buffer *buffer = mine;
    ring_mine = NULL;
    if (atomic_load(&ring_active) && buffer->generation == atomic_load(&ring_generation))
        ring_emit(buffer, clock_tick(), REC_THREAD_EXIT, 0, 0, atomic_load(&buffer->released_tick), 0);
    atomic_store_explicit(&buffer->finished, 1, memory_order_release);
    void (*tell)(void) = atomic_load(&ring_on_first_exit);
    if (tell && syscall(SYS_gettid) == getpid())
        tell();
}

static void make_exit_key(void)
{
    pthread_key_create(&exit_key, on_thread_exit);
}

static void unlink_buffer(thread_buffer *gone)
{
    thread_buffer *expected = gone;
    if (atomic_compare_exchange_strong(&ring_threads, &expected, atomic_load(&gone->next)))
        return;
    thread_buffer *at = atomic_load(&ring_threads);
    while (at && atomic_load(&at->next) != gone)
        at = atomic_load(&at->next);
    if (at)
        atomic_store(&at->next, atomic_load(&gone->next));
}

static void sweep_finished(void)
{
    thread_buffer *at = atomic_load(&ring_threads);
    while (at) {
        thread_buffer *next = atomic_load(&at->next);
        if (atomic_load_explicit(&at->finished, memory_order_acquire)) {
            unlink_buffer(at);
            memory_give(at, sizeof *at);
        }
        at = next;
    }
}

int ring_start(size_t total_bytes)
{
    pthread_once(&exit_once, make_exit_key);
    sweep_finished();
    uint32_t size = (uint32_t)(total_bytes / CHUNK_BYTES);
    if (size < 8)
        size = 8;
    if (!pool || size != pool_size) {
        /* An old pool of another size stays mapped on purpose: a hook interrupted during the previous
         * recording may still write into it. */
        void *memory = mmap(NULL, (size_t)size * CHUNK_BYTES, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED)
            return -1;
        pool = memory;
        pool_size = size;
#ifdef MADV_WIPEONFORK
        is_wiped = madvise(memory, (size_t)size * CHUNK_BYTES, MADV_WIPEONFORK) == 0;
#endif
#ifdef MADV_HUGEPAGE
        if (!is_forked) /* one page fault per 2 MiB, not 4 KiB; to clear these would delay a child's first line */
            madvise(memory, (size_t)size * CHUNK_BYTES, MADV_HUGEPAGE);
#endif
    }
    ring_short_ticks = clock_ticks_of(SHORT_NS);
    atomic_store(&pool_fresh, 0);
    atomic_store(&pool_free, 0);
    atomic_fetch_add(&ring_generation, 1);
    atomic_store(&ring_active, 1);
    return 0;
}

void ring_refuse(void)
{
    atomic_store(&ring_active, 0);
    atomic_fetch_add(&ring_generation, 1);
}

/* Either the hook sees the new generation, or ring_close() sees that the hook is writing. */
int ring_is_open(thread_buffer *buffer)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (buffer->generation == atomic_load(&ring_generation))
        return 1;
    buffer->writing = 0;
    return 0;
}

void ring_close(void)
{
    ring_refuse();
    atomic_thread_fence(memory_order_seq_cst);
    for (thread_buffer *at = atomic_load(&ring_threads); at; at = atomic_load(&at->next))
        while (at != ring_mine && __atomic_load_n(&at->writing, __ATOMIC_ACQUIRE))
            sched_yield(); /* waits a few instructions: the memory is about to change owner */
}

void ring_stop(void)
{
    sweep_finished();
    madvise(pool, (size_t)pool_size * CHUNK_BYTES, MADV_DONTNEED);
}

void ring_zero(void *table, size_t size)
{
#ifdef __linux__
    uintptr_t page_mask = ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1), from = (uintptr_t)table;
    uintptr_t first = (from + ~page_mask) & page_mask, last = (from + size) & page_mask;
    if (first < last && madvise((void *)first, last - first, MADV_DONTNEED) == 0) {
        memset(table, 0, first - from);
        memset((void *)last, 0, from + size - last);
        return;
    }
#endif
    memset(table, 0, size);
}

void ring_forget(void)
{
    ring_refuse(); /* no other thread is left to wait for */
    atomic_store(&ring_threads, NULL);
    ring_mine = NULL;
    if (pool && !is_wiped) /* the parent's data: release the copied pages */
        madvise(pool, (size_t)pool_size * CHUNK_BYTES, MADV_DONTNEED);
    pool = NULL;
    pool_size = 0;
    is_forked = 1;
    memory_after_fork();
}

_Thread_local int ring_is_hidden;

thread_buffer *ring_register(void)
{
    if (!atomic_load(&ring_active) || ring_is_hidden)
        return NULL;
    thread_buffer *old = ring_mine;
    thread_buffer *buffer = memory_take(sizeof *buffer);
    if (!buffer)
        return NULL;
    buffer->write_at = CHUNK_RECORDS; /* the first record takes the first chunk, or is counted as dropped */
    buffer->generation = atomic_load(&ring_generation);
    buffer->tid = (pid_t)syscall(SYS_gettid);
    buffer->pthread = (uint64_t)pthread_self();
    buffer->has_gil = 1; /* hooks run with the GIL held; the GIL's own hooks set this themselves */
    thread_buffer *head = atomic_load(&ring_threads);
    do
        atomic_store(&buffer->next, head);
    while (!atomic_compare_exchange_weak(&ring_threads, &head, buffer));
    ring_mine = buffer;
    pthread_setspecific(exit_key, buffer);
    if (old) /* of an earlier recording, whose writer has ended */
        atomic_store_explicit(&old->finished, 1, memory_order_release);
    return buffer;
}

void ring_let_go(void)
{
    thread_buffer *buffer = ring_mine;
    if (!buffer)
        return;
    ring_mine = NULL;
    pthread_setspecific(exit_key, NULL);
    atomic_store_explicit(&buffer->finished, 1, memory_order_release);
}

static int next_chunk(thread_buffer *buffer)
{
    chunk *fresh = pool_pop();
    if (!fresh)
        return -1;
    if (buffer->write_chunk)
        atomic_store_explicit(&buffer->write_chunk->next, (uint32_t)(fresh - pool) + 1,
                              memory_order_release);
    else
        atomic_store_explicit(&buffer->first_chunk, fresh, memory_order_release);
    buffer->write_chunk = fresh;
    buffer->write_at = 0;
    buffer->room = ring_free_threaded ? 0 : CHUNK_RECORDS; /* hooks look at each record whether the recording is open */
    void (*on_refill)(void) = atomic_load_explicit(&ring_on_refill, memory_order_relaxed);
    if (on_refill && atomic_exchange(&ring_on_refill, NULL))
        on_refill();
    return 0;
}

/* The same as ring_commit() between reserve and commit: more is written at once. Whoever closes the ring must not take the
 * thread for one that has ended writing: it may have released the GIL. */
static void commit_before(thread_buffer *buffer, uint32_t count)
{
    buffer->write_at += count;
    atomic_store_explicit(&buffer->write_chunk->committed, buffer->write_at, memory_order_release);
    buffer->offered += count;
}

/* There is room for it. */
static HOT_ALONE void write_held(thread_buffer *b)
{
    held_entry *held = &b->held;
    uint64_t tick = atomic_load_explicit(&held->tick, memory_order_relaxed);
    uint32_t woken = atomic_load_explicit(&held->woken, memory_order_relaxed);
    record *slot = &b->write_chunk->records[b->write_at];
    slot[0] = ring_held_begun(b, tick, held->kind, held->called, held->what);
    if (woken)
        slot[1] = ring_held_woken(held->woken_tick, woken, held->stack);
    b->room = CHUNK_RECORDS;
    commit_before(b, woken ? 2 : 1);
    atomic_store_explicit(&held->tick, 0, memory_order_release);
}

COLD record *ring_reserve_slow(thread_buffer *buffer, uint32_t count, uint64_t tick)
{
    if (ring_free_threaded && !ring_is_open(buffer))
        return NULL;
    if (atomic_load_explicit(&buffer->held.tick, memory_order_relaxed)) {
        write_held(buffer);
        if (buffer->write_at + count <= buffer->room)
            return &buffer->write_chunk->records[buffer->write_at];
    }
    uint32_t wanted = count + (buffer->gap_records ? 1 : 0);
    if (buffer->write_at + wanted > CHUNK_RECORDS && next_chunk(buffer) < 0) {
        if (!buffer->gap_records)
            buffer->gap_tick = tick;
        buffer->room = 0; /* the next record tells of the gap first */
        buffer->gap_records += count;
        buffer->offered += count;
        atomic_store_explicit(&buffer->dropped, atomic_load_explicit(&buffer->dropped, memory_order_relaxed) + count,
                              memory_order_relaxed); /* no other thread writes it */
        buffer->writing = 0;
        return NULL;
    }
    if (buffer->gap_records) {
        buffer->write_chunk->records[buffer->write_at] =
            (record){tick, REC_GAP, 0, 0, 0, buffer->gap_records, buffer->gap_tick};
        buffer->gap_records = 0;
        commit_before(buffer, 1);
        buffer->room = ring_free_threaded ? 0 : CHUNK_RECORDS;
    }
    return &buffer->write_chunk->records[buffer->write_at];
}

HOT void ring_emit_text(thread_buffer *buffer, uint8_t kind, uint8_t flag, uint32_t a,
                    const char *text, size_t length, uint64_t c)
{
    char shown[TEXT_LIMIT];
    if (text_needs_escape(text, length)) {
        length = text_escape(shown, sizeof shown, text, length);
        text = shown;
    }
    length = text_fit(text, length, TEXT_LIMIT);
    uint16_t payload = (uint16_t)((length + sizeof(record) - 1) / sizeof(record));
    uint64_t tick = clock_tick();
    record *slot = ring_reserve(buffer, payload + 1u, tick);
    if (!slot)
        return;
    *slot = (record){tick, kind, flag, payload, a, length, c};
    memcpy(slot + 1, text, length);
    ring_commit(buffer, payload + 1u);
}

record *ring_peek_slow(thread_buffer *buffer)
{
    if (!buffer->read_chunk)
        buffer->read_chunk = atomic_load_explicit(&buffer->first_chunk, memory_order_acquire);
    if (!buffer->read_chunk)
        return NULL;
    for (;;) {
        chunk *at = buffer->read_chunk;
        if (buffer->read_at < atomic_load_explicit(&at->committed, memory_order_acquire))
            return &at->records[buffer->read_at];
        uint32_t next = atomic_load_explicit(&at->next, memory_order_acquire);
        /* `next` is set after the chunk's last commit: check for records once more before leaving the
         * chunk. */
        if (!next || buffer->read_at < atomic_load_explicit(&at->committed, memory_order_acquire)) {
            if (!next)
                return NULL;
            continue;
        }
        buffer->read_chunk = &pool[next - 1];
        buffer->read_at = 0;
        pool_push(at);
    }
}

const record *ring_look_ahead(const thread_buffer *buffer, const record **call)
{
    const chunk *at = buffer->read_chunk;
    uint32_t place = buffer->read_at;
    *call = NULL;
    while (at) {
        uint32_t next = atomic_load_explicit(&at->next, memory_order_acquire);
        uint32_t committed = atomic_load_explicit(&at->committed, memory_order_acquire);
        while (place < committed) {
            const record *r = &at->records[place];
            if (r->kind == REC_TAKE || r->kind == REC_HELD_CALL)
                return r;
            if (r->kind == REC_CALL)
                *call = r;
            place += r->payload + 1u;
        }
        at = next ? &pool[next - 1] : NULL;
        place = 0;
    }
    return NULL;
}

void ring_release(thread_buffer *buffer)
{
    if (buffer->read_chunk)
        pool_push(buffer->read_chunk);
    unlink_buffer(buffer);
    memory_give(buffer, sizeof *buffer);
}
