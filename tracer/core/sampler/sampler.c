/* The signal handler and its frame walk; arming threads; start and stop. */
#define _GNU_SOURCE
#include "sampler/sampler.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ring/clock.h"
#include "ring/own_table.h"
#include "ring/ring.h"
#include "sampler/symbols.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static const uint64_t COOKIE = 0x74726163; /* marks our timers; no address begins like this */

/* --- the handler: it only reads, and only in ways that are safe in a signal handler --- */

static int read_by_kernel(void *into, uintptr_t from, size_t size)
{
    struct iovec local = {into, size}, remote = {(void *)from, size};
    return syscall(SYS_process_vm_readv, sampler.pid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

/* Reads memory that may not be mapped; neighbouring frames mostly share a page. */
static int peek(sampled *t, void *into, uintptr_t from, size_t size)
{
    if (from < PAGE || from & 7)
        return 0;
    if (!sampler.safe_reads) {
        memcpy(into, (const void *)from, size);
        return 1;
    }
    uintptr_t page = from & ~(uintptr_t)(PAGE - 1);
    if (((from + size - 1) & ~(uintptr_t)(PAGE - 1)) != page)
        return read_by_kernel(into, from, size);
    if (t->page != page) {
        t->page = 0;
        if (!read_by_kernel(t->page_bytes, page, PAGE))
            return 0;
        t->page = page;
    }
    memcpy(into, t->page_bytes + (from - page), size);
    return 1;
}

static int is_code(sampled *t, uintptr_t code)
{
    uint32_t epoch = atomic_load_explicit(&sampler.codes_epoch, memory_order_acquire);
    if (t->codes_epoch != epoch) {
        memset(t->codes, 0, sizeof t->codes);
        t->codes_epoch = epoch;
    }
    unsigned place = (unsigned)(code >> 4) % CODES;
    if (t->codes[place] == code)
        return 1;
    uintptr_t type;
    if (code < PAGE || code & 7)
        return 0;
    if (!sampler.safe_reads)
        type = (uintptr_t)((PyObject *)code)->ob_type;
    else if (!read_by_kernel(&type, code + offsetof(PyObject, ob_type), sizeof type))
        return 0;
    if (type != (uintptr_t)&PyCode_Type)
        return 0;
    t->codes[place] = code;
    return 1;
}

/* The known call of C code that a frame of the interrupted thread is in; 0: none. */
static uint32_t call_of(uintptr_t frame)
{
    const thread_buffer *b = ring_mine;
    if (!b || b->generation != atomic_load_explicit(&ring_generation, memory_order_relaxed) ||
        b->call_blocks != CLASS_IO || (uintptr_t)b->call_frame != frame)
        return 0;
    return b->call;
}

static uint32_t walk(sampled *t, uint32_t at, uint32_t *flags, uint32_t *call)
{
    uint32_t mask = sampler.ring_words - 1, count = 0;
    uintptr_t interp = 0, from = (uintptr_t)compat_thread_state();
    size_t path[2];
    t->page = 0;
    *flags = SAMPLE_FOREIGN;
    if (!from || !peek(t, &interp, from + compat_interp_offset(), sizeof interp) ||
        interp != (uintptr_t)sampler.interp)
        return 0;
    int steps = compat_frame_path((PyThreadState *)from, path);
    for (int i = 0; i < steps; i++)
        if (!peek(t, &from, from + path[i], sizeof from)) {
            *flags = SAMPLE_BROKEN;
            return 0;
        }
    *flags = from ? 0 : SAMPLE_FOREIGN;
    for (int looked = 0; from && looked < WALK_LIMIT; looked++) {
        union {
            compat_frame frame;
            char bytes[COMPAT_FRAME_BYTES];
        } copy;
        if (count == SAMPLE_FRAMES) {
            *flags |= SAMPLE_TRUNCATED;
            break;
        }
        if (!peek(t, copy.bytes, from, COMPAT_FRAME_BYTES)) {
            *flags |= SAMPLE_BROKEN;
            break;
        }
        compat_position position = compat_position_of(&copy.frame);
        if (position.code) {
            if (!is_code(t, position.code)) {
                *flags |= SAMPLE_BROKEN;
                break;
            }
            if (!count)
                *call = call_of(from);
            t->words[at++ & mask] = position.code;
            t->words[at++ & mask] = (uint64_t)position.offset;
            atomic_store_explicit(&sampler.met[sampler_met_place(position.code)], 1, memory_order_relaxed);
            count++;
        }
        from = position.caller;
    }
    if (!count && !*flags)
        *flags = SAMPLE_FOREIGN;
    return count;
}

static void take_sample(sampled *t, int overrun)
{
    uint64_t tick = clock_tick();
    uint32_t head = atomic_load_explicit(&t->head, memory_order_relaxed);
    uint32_t used = head - atomic_load_explicit(&t->tail, memory_order_acquire);
    uint64_t periods = 1 + (uint64_t)(overrun > 0 ? overrun : 0);
    if (used + SAMPLE_WORDS > sampler.ring_words) {
        t->lost += periods;
        return;
    }
    uint32_t mask = sampler.ring_words - 1, flags, call = 0;
    uint32_t count = walk(t, head + HEAD_WORDS, &flags, &call);
    uint64_t lost = t->lost < 0xffff ? t->lost : 0xffff;
    t->lost -= lost;
    if (periods > UINT32_MAX)
        periods = UINT32_MAX;
    t->words[head & mask] = tick;
    t->words[(head + 1) & mask] = clock_ns_of(CLOCK_THREAD_CPUTIME_ID);
    t->words[(head + 2) & mask] = count | (uint64_t)flags << 8 | lost << 16 | periods << 32;
    t->words[(head + 3) & mask] = call;
    atomic_store_explicit(&t->last, head, memory_order_relaxed);
    atomic_store_explicit(&t->head, head + HEAD_WORDS + 2 * count, memory_order_release);
}

#if defined(__GLIBC__)
static _Thread_local sampled *mine __attribute__((tls_model("initial-exec")));
#else
static _Thread_local sampled *mine;
#endif

/* Other code has used the signal: do what would have happened without this handler. */
static void pass_on(int number, siginfo_t *info, void *context)
{
    if (sampler.before.sa_flags & SA_SIGINFO) {
        sampler.before.sa_sigaction(number, info, context);
    } else if (sampler.before.sa_handler == SIG_DFL) {
        struct sigaction plain = {.sa_handler = SIG_DFL};
        sigaction(number, &plain, NULL);
        syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), number); /* once this handler returns */
    } else if (sampler.before.sa_handler != SIG_IGN) {
        sampler.before.sa_handler(number);
    }
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    int error = errno;
    uint64_t cookie = (uint64_t)(uintptr_t)info->si_value.sival_ptr;
    if (info->si_code != SI_TIMER || cookie >> 32 != COOKIE) {
        pass_on(number, info, context);
        errno = error;
        return;
    }
    uint32_t index = (uint32_t)cookie % THREADS, serial = (uint32_t)cookie / THREADS;
    sampled *t = atomic_load_explicit(&sampler.threads[index], memory_order_acquire);
    if (t) {
        atomic_store(&t->inside, 1);
        if (atomic_load(&sampler.active) && atomic_load(&t->serial) == serial)
            take_sample(mine = t, info->si_overrun);
        atomic_store_explicit(&t->inside, 0, memory_order_release);
    }
    errno = error;
}

/* A sample that comes meanwhile lies behind this one: words are used again only once the ring is full. */
const void *sampler_last_code(pid_t tid, uint64_t since_tick, uint32_t below)
{
    sampled *t = mine;
    if (!t || t->tid != tid) /* the record serves another thread now */
        return NULL;
    uint32_t mask = sampler.ring_words - 1, at = atomic_load_explicit(&t->last, memory_order_relaxed);
    uint64_t head = t->words[(at + 2) & mask];
    uint32_t count = head & 0xff, flags = head >> 8 & 0xff;
    if (t->words[at & mask] < since_tick || flags || count <= below)
        return NULL;
    uint64_t code = t->words[(at + HEAD_WORDS + 2 * (count - 1 - below)) & mask];
    return code & 1 ? NULL : (const void *)(uintptr_t)code; /* odd: it has died */
}

/* --- arming --- */

int sampler_has_handler(void)
{
    struct sigaction now;
    return sigaction(sampler.signal, NULL, &now) < 0 || now.sa_sigaction == on_signal;
}

static int take_signal(void)
{
    if (sampler.signal && sampler_has_handler())
        return 0;
    /* Picks a real-time signal that nobody uses: SIGPROF is left to the program. */
    for (int number = SIGRTMAX - 2; number > SIGRTMIN; number--) {
        struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
        if (sigaction(number, NULL, &sampler.before) < 0 || sampler.before.sa_handler != SIG_DFL)
            continue;
        sigfillset(&action.sa_mask);
        int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
        for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
            sigdelset(&action.sa_mask, faults[i]);
        if (sigaction(number, &action, NULL) < 0)
            continue;
        sampler.signal = number;
        return 0;
    }
    return -1;
}

void sampler_disarm(sampled *t)
{
    if (t->has_timer)
        timer_delete(t->timer);
    t->has_timer = 0;
    atomic_store(&t->serial, 0);
}

static void on_thread_exit(void *record)
{
    sampled *t = record;
    pthread_mutex_lock(&sampler.guard);
    struct timespec now;
    if (t->tid == (pid_t)syscall(SYS_gettid) && atomic_load(&t->serial)) {
        if (t->has_timer)
            timer_delete(t->timer);
        t->has_timer = 0;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        t->final_tick = clock_tick();
        atomic_store(&t->final_ns, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
        atomic_store(&t->finished, 1); /* the writer retires it */
    }
    pthread_mutex_unlock(&sampler.guard);
}

static void make_key(void)
{
    pthread_key_create(&sampler.exit_key, on_thread_exit);
}

/* A record that serves no thread: its samples are drained and no late handler is using it. */
static sampled *free_record(void)
{
    uint32_t count = atomic_load(&sampler.thread_count);
    for (uint32_t i = 0; i < count; i++) {
        sampled *t = atomic_load(&sampler.threads[i]);
        if (!atomic_load(&t->serial) && !atomic_load(&t->inside) && !atomic_load(&t->final_ns) &&
            atomic_load(&t->head) == atomic_load(&t->tail))
            return t;
    }
    if (count == THREADS)
        return NULL;
    size_t size = sizeof(sampled) + sampler.ring_words * sizeof(uint64_t);
    sampled *t = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (t == MAP_FAILED)
        return NULL;
    t->index = count;
    atomic_store(&sampler.threads[count], t);
    atomic_store(&sampler.thread_count, count + 1);
    return t;
}

static sampled *record_of(pid_t tid)
{
    uint32_t count = atomic_load(&sampler.thread_count);
    for (uint32_t i = 0; i < count; i++) {
        sampled *t = atomic_load(&sampler.threads[i]);
        if (t->tid == tid && atomic_load(&t->serial) && !atomic_load(&t->finished))
            return t;
    }
    return NULL;
}

static int start_timer(sampled *t, uint32_t serial)
{
    struct sigevent wish = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = sampler.signal};
    uint64_t cookie = COOKIE << 32 | (serial * THREADS + t->index);
    wish.sigev_value.sival_ptr = (void *)(uintptr_t)cookie;
    wish.sigev_notify_thread_id = t->tid;
    if (timer_create(sampler.wall_clock ? CLOCK_MONOTONIC : t->clock, &wish, &t->timer) < 0)
        return -1;
    t->has_timer = 1;
    /* The first expiry is at a random point in the period, so that no code runs in step with the timer. */
    uint64_t first = 1 + (clock_counter() * 0x9E3779B97F4A7C15ull >> 20) % sampler.period_ns;
    struct itimerspec when = {
        {(time_t)(sampler.period_ns / 1000000000), (long)(sampler.period_ns % 1000000000)},
        {(time_t)(first / 1000000000), (long)(first % 1000000000)},
    };
    return timer_settime(t->timer, 0, &when, NULL);
}

sampled *sampler_arm(pid_t tid, int is_new)
{
    sampled *t = record_of(tid);
    if (t || !(t = free_record()))
        return t;
    struct timespec now;
    t->tid = tid;
    t->clock = (clockid_t)((~(unsigned)tid << 3) | 6); /* the CPU clock of any thread of this process */
    if (clock_gettime(t->clock, &now) < 0)
        return NULL;
    t->base_ns = is_new ? 0 : (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    t->cpu_ns = t->base_ns;
    t->drained = t->drained_before = t->lost = 0;
    atomic_store(&t->finished, 0);
    uint32_t serial = atomic_fetch_add(&sampler.next_serial, 1) % (UINT32_MAX / THREADS - 1) + 1;
    atomic_store(&t->serial, serial);
    if (start_timer(t, serial) < 0)
        sampler.refused++; /* RLIMIT_SIGPENDING: its time will show as unsampled */
    return t;
}

void sampler_arm_self(void)
{
    if (!atomic_load_explicit(&sampler.active, memory_order_relaxed))
        return;
    pid_t tid = (pid_t)syscall(SYS_gettid);
    pthread_mutex_lock(&sampler.guard);
    sampled *t = atomic_load(&sampler.active) ? sampler_arm(tid, 1) : NULL;
    pthread_mutex_unlock(&sampler.guard);
    if (t)
        pthread_setspecific(sampler.exit_key, t);
}

/* --- start and stop --- */

const char *sampler_start(uint32_t hz)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (!COMPAT_CAN_SAMPLE)
        return "not available without a GIL";
    sampler.pid = getpid();
    uint64_t probe = COOKIE, copy = 0;
    sampler.safe_reads = read_by_kernel(&copy, (uintptr_t)&probe, sizeof probe) && copy == probe;
    if (!sampler.safe_reads && !COMPAT_FRAMES_ALWAYS_LINKED)
        return "process_vm_readv is not allowed here; this Python needs it";
    if (take_signal() < 0)
        return "no free real-time signal";
    pthread_once(&once, make_key);
    if (!sampler.ring_words) /* enough for a quarter of a second at the highest tick rate of kernels */
        sampler.ring_words = hz <= 250 ? 8192 : 32768;
    sampler.hz = hz;
    sampler.period_ns = 1000000000u / hz;
    sampler.interp = PyInterpreterState_Get();
    sampler.refused = 0;
    atomic_store(&sampler.ousted, 0);
    sampler.start_tick = clock_tick();
    sampler.tasks = private_fd_open("/proc/self/task");
    own_table_keep(&sampler.tasks);
    sampler.task_links = 0;
    symbols_lock();
    symbols_forget();
    symbols_unlock();
    sampler_forget_codes();
    pthread_mutex_lock(&sampler.guard);
    for (uint32_t i = 0; i < atomic_load(&sampler.thread_count); i++) { /* of an earlier recording */
        sampled *t = atomic_load(&sampler.threads[i]);
        atomic_store(&t->tail, atomic_load(&t->head));
        atomic_store(&t->final_ns, 0);
    }
    atomic_store(&sampler.active, 1);
    sampler_arm((pid_t)syscall(SYS_gettid), 0);
    pthread_mutex_unlock(&sampler.guard);
    return NULL;
}

/* The handler stays installed: a signal may still be on its way, and its default action kills the process. */
void sampler_give_way(void)
{
    pthread_mutex_lock(&sampler.guard);
    atomic_store(&sampler.active, 0);
    for (uint32_t i = 0; i < atomic_load(&sampler.thread_count); i++)
        sampler_disarm(atomic_load(&sampler.threads[i]));
    pthread_mutex_unlock(&sampler.guard);
}

void sampler_stop(void)
{
    sampler_give_way();
    private_fd_close(&sampler.tasks);
}

void sampler_forget(void)
{
    pthread_mutex_init(&sampler.guard, NULL);
    symbols_reset();
    atomic_store(&sampler.active, 0);
    sampler.hz = 0;
    private_fd_close(&sampler.tasks);
    for (uint32_t i = 0; i < atomic_load(&sampler.thread_count); i++) {
        sampled *t = atomic_load(&sampler.threads[i]);
        t->has_timer = 0; /* timers are not inherited */
        atomic_store(&t->serial, 0);
        atomic_store(&t->tail, atomic_load(&t->head));
        atomic_store(&t->final_ns, 0);
    }
}

int sampler_signal(void)
{
    return atomic_load(&sampler.active) ? sampler.signal : 0;
}

int sampler_was_ousted(void)
{
    return atomic_load(&sampler.ousted);
}

void sampler_use_wall_clock(int yes)
{
    sampler.wall_clock = yes;
}

uint32_t sampler_hz(void)
{
    return sampler.hz;
}

uint32_t sampler_refused(void)
{
    return sampler.refused;
}

void sampler_close(void)
{
    private_fd_close(&sampler.tasks); /* if the writer has had it in a table of its own */
    sampler.hz = 0;
}
