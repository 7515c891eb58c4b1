/* Timers, the signal handler and its frame walk, and the rings in between. */
#define _GNU_SOURCE
#include "sampler.h"

#include "compat.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "private_fd.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

enum {
    THREADS = 4096,
    HEAD_WORDS = 3,
    SAMPLE_WORDS = HEAD_WORDS + 2 * SAMPLE_FRAMES,
    WALK_LIMIT = 4096, /* frames looked at, Python's or not */
    PAGE = 4096,
    CODES = 64, /* code objects a handler remembers to be some */
    MET = 1 << 16,
};
static const uint64_t COOKIE = 0x74726163; /* marks our timers; no address begins like this */
static const uint64_t UNSAMPLED_NS = 100 * 1000 * 1000; /* fewer may still be on their way */

typedef struct {
    _Atomic uint32_t serial; /* of the arming it serves, 0 = none */
    _Atomic uint32_t inside; /* a handler is at work in it */
    uint32_t index;
    pid_t tid;
    clockid_t clock;
    timer_t timer;
    uint8_t has_timer;
    _Atomic uint8_t finished; /* the thread says good-bye */
    uint64_t base_ns;         /* of its CPU clock when armed */
    uint64_t cpu_ns;          /* what its clock said last */
    uint64_t drained, drained_before; /* periods told, and at the last look round */
    /* the handler's */
    uintptr_t page;
    uint64_t lost;
    uint32_t codes_epoch;
    uintptr_t codes[CODES];
    char page_bytes[PAGE];
    /* shared: single producer, single consumer */
    _Atomic uint32_t head, tail;
    uint64_t words[];
} sampled;

static struct {
    _Atomic int active;
    int signal; /* chosen once, its handler stays for the process's life */
    struct sigaction before;
    pid_t pid;
    uint32_t hz;
    uint64_t period_ns;
    int safe_reads; /* process_vm_readv works here */
    PyInterpreterState *interp;
    private_fd tasks; /* /proc/self/task */
    uint32_t ring_words;
    _Atomic uint32_t next_serial;
    _Atomic uint32_t codes_epoch;
    _Atomic(sampled *) threads[THREADS];
    _Atomic uint32_t thread_count; /* records made so far; they are reused, never freed */
    uint32_t refused;
    uint64_t start_tick; /* what is older belongs to a former recording */
    pthread_mutex_t guard; /* over arming and disarming; never taken by the handler */
    pthread_key_t exit_key;
    _Atomic uint8_t met[MET]; /* by a hash of the address: codes that may be in a sample */
} s = {.guard = PTHREAD_MUTEX_INITIALIZER, .tasks = {.fd = -1}};

static inline uint32_t met_place(uintptr_t code)
{
    return (uint32_t)(code >> 4) & (MET - 1);
}

/* --- the handler: reads only, and only by means that are safe in a signal handler --- */

static int read_by_kernel(void *into, uintptr_t from, size_t size)
{
    struct iovec local = {into, size}, remote = {(void *)from, size};
    return syscall(SYS_process_vm_readv, s.pid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

/* Memory that may not be there; neighbouring frames mostly share a page. */
static int peek(sampled *t, void *into, uintptr_t from, size_t size)
{
    if (from < PAGE || from & 7)
        return 0;
    if (!s.safe_reads) {
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
    uint32_t epoch = atomic_load_explicit(&s.codes_epoch, memory_order_acquire);
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
    if (!s.safe_reads)
        type = (uintptr_t)((PyObject *)code)->ob_type;
    else if (!read_by_kernel(&type, code + offsetof(PyObject, ob_type), sizeof type))
        return 0;
    if (type != (uintptr_t)&PyCode_Type)
        return 0;
    t->codes[place] = code;
    return 1;
}

static uint32_t walk(sampled *t, uint32_t at, uint32_t *flags)
{
    uint32_t mask = s.ring_words - 1, count = 0;
    uintptr_t interp = 0, from = (uintptr_t)compat_thread_state();
    size_t path[2];
    t->page = 0;
    *flags = SAMPLE_FOREIGN;
    if (!from || !peek(t, &interp, from + compat_interp_offset(), sizeof interp) ||
        interp != (uintptr_t)s.interp)
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
            char bytes[COMPAT_FRAME_BYTES];
            uint64_t aligned;
        } copy;
        if (count == SAMPLE_FRAMES) {
            *flags |= SAMPLE_TRUNCATED;
            break;
        }
        if (!peek(t, copy.bytes, from, sizeof copy.bytes)) {
            *flags |= SAMPLE_BROKEN;
            break;
        }
        compat_position position = compat_position_of((const compat_frame *)(const void *)copy.bytes);
        if (position.code) {
            if (!is_code(t, position.code)) {
                *flags |= SAMPLE_BROKEN;
                break;
            }
            t->words[at++ & mask] = position.code;
            t->words[at++ & mask] = (uint64_t)position.offset;
            atomic_store_explicit(&s.met[met_place(position.code)], 1, memory_order_relaxed);
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
    if (used + SAMPLE_WORDS > s.ring_words) {
        t->lost += periods;
        return;
    }
    uint32_t mask = s.ring_words - 1, flags;
    uint32_t count = walk(t, head + HEAD_WORDS, &flags);
    uint64_t lost = t->lost < 0xffff ? t->lost : 0xffff;
    unsigned cpu = (unsigned)sched_getcpu();
    t->lost -= lost;
    if (periods > 0xffffff)
        periods = 0xffffff;
    t->words[head & mask] = tick;
    t->words[(head + 1) & mask] = clock_ns_of(CLOCK_THREAD_CPUTIME_ID);
    t->words[(head + 2) & mask] =
        count | (uint64_t)flags << 8 | lost << 16 | periods << 32 | (uint64_t)(cpu & 0xff) << 56;
    atomic_store_explicit(&t->head, head + HEAD_WORDS + 2 * count, memory_order_release);
}

/* Somebody else's use of the signal: what would have happened without us. */
static void pass_on(int number, siginfo_t *info, void *context)
{
    if (s.before.sa_flags & SA_SIGINFO) {
        s.before.sa_sigaction(number, info, context);
    } else if (s.before.sa_handler == SIG_DFL) {
        struct sigaction plain = {.sa_handler = SIG_DFL};
        sigaction(number, &plain, NULL);
        syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), number); /* once we return */
    } else if (s.before.sa_handler != SIG_IGN) {
        s.before.sa_handler(number);
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
    sampled *t = atomic_load_explicit(&s.threads[index], memory_order_acquire);
    if (t) {
        atomic_store(&t->inside, 1);
        if (atomic_load(&s.active) && atomic_load(&t->serial) == serial)
            take_sample(t, info->si_overrun);
        atomic_store_explicit(&t->inside, 0, memory_order_release);
    }
    errno = error;
}

/* --- arming --- */

static int take_signal(void)
{
    if (s.signal)
        return 0;
    /* A real-time signal nobody uses: SIGPROF stays the program's. */
    for (int number = SIGRTMAX - 2; number > SIGRTMIN; number--) {
        struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
        if (sigaction(number, NULL, &s.before) < 0 || s.before.sa_handler != SIG_DFL)
            continue;
        sigfillset(&action.sa_mask);
        int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
        for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
            sigdelset(&action.sa_mask, faults[i]);
        if (sigaction(number, &action, NULL) < 0)
            continue;
        s.signal = number;
        return 0;
    }
    return -1;
}

static void disarm(sampled *t)
{
    if (t->has_timer)
        timer_delete(t->timer);
    t->has_timer = 0;
    atomic_store(&t->serial, 0);
}

static void on_thread_exit(void *record)
{
    sampled *t = record;
    pthread_mutex_lock(&s.guard);
    if (t->tid == (pid_t)syscall(SYS_gettid) && t->has_timer) {
        timer_delete(t->timer);
        t->has_timer = 0;
        atomic_store(&t->finished, 1); /* the writer takes the rest */
    }
    pthread_mutex_unlock(&s.guard);
}

static void make_key(void)
{
    pthread_key_create(&s.exit_key, on_thread_exit);
}

/* A record that serves no thread: its samples are drained and no late handler is at work in it. */
static sampled *free_record(void)
{
    uint32_t count = atomic_load(&s.thread_count);
    for (uint32_t i = 0; i < count; i++) {
        sampled *t = atomic_load(&s.threads[i]);
        if (!atomic_load(&t->serial) && !atomic_load(&t->inside) &&
            atomic_load(&t->head) == atomic_load(&t->tail))
            return t;
    }
    if (count == THREADS)
        return NULL;
    size_t size = sizeof(sampled) + s.ring_words * sizeof(uint64_t);
    sampled *t = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (t == MAP_FAILED)
        return NULL;
    t->index = count;
    atomic_store(&s.threads[count], t);
    atomic_store(&s.thread_count, count + 1);
    return t;
}

static sampled *record_of(pid_t tid)
{
    uint32_t count = atomic_load(&s.thread_count);
    for (uint32_t i = 0; i < count; i++) {
        sampled *t = atomic_load(&s.threads[i]);
        if (t->tid == tid && atomic_load(&t->serial) && !atomic_load(&t->finished))
            return t;
    }
    return NULL;
}

static int start_timer(sampled *t, uint32_t serial)
{
    struct sigevent wish = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = s.signal};
    uint64_t cookie = COOKIE << 32 | (serial * THREADS + t->index);
    wish.sigev_value.sival_ptr = (void *)(uintptr_t)cookie;
    wish.sigev_notify_thread_id = t->tid;
    if (timer_create(t->clock, &wish, &t->timer) < 0)
        return -1;
    t->has_timer = 1;
    /* A first expiry anywhere in the period, so that nobody runs in step with us. */
    uint64_t first = 1 + (clock_counter() * 0x9E3779B97F4A7C15ull >> 20) % s.period_ns;
    struct itimerspec when = {
        {(time_t)(s.period_ns / 1000000000), (long)(s.period_ns % 1000000000)},
        {(time_t)(first / 1000000000), (long)(first % 1000000000)},
    };
    return timer_settime(t->timer, 0, &when, NULL);
}

/* What the thread has computed before counts only if it is new. Guarded. */
static sampled *arm(pid_t tid, int is_new)
{
    sampled *t = record_of(tid);
    if (t || !(t = free_record()))
        return t;
    struct timespec now;
    t->tid = tid;
    t->clock = (clockid_t)((~(unsigned)tid << 3) | 6); /* CPU clock of any thread of ours */
    if (clock_gettime(t->clock, &now) < 0)
        return NULL;
    t->base_ns = is_new ? 0 : (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    t->cpu_ns = t->base_ns;
    t->drained = t->drained_before = t->lost = 0;
    atomic_store(&t->finished, 0);
    uint32_t serial = atomic_fetch_add(&s.next_serial, 1) % (UINT32_MAX / THREADS - 1) + 1;
    atomic_store(&t->serial, serial);
    if (start_timer(t, serial) < 0)
        s.refused++; /* RLIMIT_SIGPENDING: its time will show as unsampled */
    return t;
}

void sampler_arm_self(void)
{
    if (!atomic_load_explicit(&s.active, memory_order_relaxed))
        return;
    pid_t tid = (pid_t)syscall(SYS_gettid);
    pthread_mutex_lock(&s.guard);
    sampled *t = atomic_load(&s.active) ? arm(tid, 1) : NULL;
    pthread_mutex_unlock(&s.guard);
    if (t)
        pthread_setspecific(s.exit_key, t);
}

/* --- start and stop --- */

const char *sampler_start(uint32_t hz)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (!COMPAT_CAN_SAMPLE)
        return "not on an interpreter without GIL";
    s.pid = getpid();
    uint64_t probe = COOKIE, copy = 0;
    s.safe_reads = read_by_kernel(&copy, (uintptr_t)&probe, sizeof probe) && copy == probe;
    if (!s.safe_reads && !COMPAT_FRAMES_ALWAYS_LINKED)
        return "process_vm_readv is not allowed here, which this Python needs";
    if (take_signal() < 0)
        return "no free real-time signal";
    pthread_once(&once, make_key);
    if (!s.ring_words) /* for a quarter of a second at the highest rate kernels tick with */
        s.ring_words = hz <= 250 ? 8192 : 32768;
    s.hz = hz;
    s.period_ns = 1000000000u / hz;
    s.interp = PyInterpreterState_Get();
    s.refused = 0;
    s.start_tick = clock_tick();
    s.tasks = private_fd_open("/proc/self/task");
    symbols_lock();
    symbols_forget();
    symbols_unlock();
    sampler_forget_codes();
    pthread_mutex_lock(&s.guard);
    for (uint32_t i = 0; i < atomic_load(&s.thread_count); i++) { /* of a former recording */
        sampled *t = atomic_load(&s.threads[i]);
        atomic_store(&t->tail, atomic_load(&t->head));
    }
    atomic_store(&s.active, 1);
    arm((pid_t)syscall(SYS_gettid), 0);
    pthread_mutex_unlock(&s.guard);
    return NULL;
}

/* The handler stays: a signal may still be on its way, and its default is to kill. */
void sampler_give_way(void)
{
    pthread_mutex_lock(&s.guard);
    atomic_store(&s.active, 0);
    for (uint32_t i = 0; i < atomic_load(&s.thread_count); i++)
        disarm(atomic_load(&s.threads[i]));
    pthread_mutex_unlock(&s.guard);
}

void sampler_stop(void)
{
    sampler_give_way();
    private_fd_close(&s.tasks);
}

void sampler_forget(void)
{
    pthread_mutex_init(&s.guard, NULL);
    symbols_reset();
    atomic_store(&s.active, 0);
    s.hz = 0;
    private_fd_close(&s.tasks);
    for (uint32_t i = 0; i < atomic_load(&s.thread_count); i++) {
        sampled *t = atomic_load(&s.threads[i]);
        t->has_timer = 0; /* timers are not inherited */
        atomic_store(&t->serial, 0);
        atomic_store(&t->tail, atomic_load(&t->head));
    }
}

int sampler_signal(void)
{
    return atomic_load(&s.active) ? s.signal : 0;
}

uint32_t sampler_hz(void)
{
    return s.hz;
}

uint32_t sampler_refused(void)
{
    return s.refused;
}

void sampler_close(void)
{
    s.hz = 0;
}

/* --- the writer's side --- */

/* CPU time of a thread that no sample stands for, in periods. */
static uint64_t missing_periods(const sampled *t, uint64_t cpu_ns)
{
    uint64_t due = cpu_ns > t->base_ns ? (cpu_ns - t->base_ns) / s.period_ns : 0;
    return due > t->drained ? due - t->drained : 0;
}

static void tell(sampled *t, uint64_t tick, uint64_t periods, uint32_t flags,
                 void (*each)(void *, const sample *), void *context)
{
    sample one = {.tick = tick, .tid = t->tid, .flags = flags};
    if (!periods)
        return;
    one.periods = periods < UINT32_MAX ? (uint32_t)periods : UINT32_MAX;
    t->drained += one.periods;
    each(context, &one);
}

/* One sample out of the ring; returns its length in words. */
static uint32_t unpack(sampled *t, uint32_t at, void (*each)(void *, const sample *), void *context)
{
    uint32_t mask = s.ring_words - 1;
    uint64_t head = t->words[(at + 2) & mask], cpu_ns = t->words[(at + 1) & mask];
    sample one = {
        .tick = t->words[at & mask],
        .tid = t->tid,
        .cpu = (uint32_t)(head >> 56),
        .periods = (uint32_t)(head >> 32) & 0xffffff,
        .flags = (head >> 8) & 0xff,
        .count = head & 0xff,
    };
    for (uint32_t i = 0; i < one.count; i++)
        one.places[i] = symbols_place(t->words[(at + HEAD_WORDS + 2 * i) & mask],
                                      t->words[(at + HEAD_WORDS + 2 * i + 1) & mask]);
    uint32_t length = HEAD_WORDS + 2 * one.count;
    if (one.tick < s.start_tick)
        return length;
    tell(t, one.tick, head >> 16 & 0xffff, SAMPLE_LOST, each, context);
    /* Signals held back meanwhile count as overruns here, but were told as unsampled. */
    uint64_t due = missing_periods(t, cpu_ns) + 1;
    if (one.periods > due)
        one.periods = (uint32_t)due;
    t->drained += one.periods;
    each(context, &one);
    return length;
}

void sampler_drain(uint64_t horizon_tick, void (*each)(void *context, const sample *s), void *context)
{
    for (uint32_t i = 0; i < atomic_load(&s.thread_count); i++) {
        sampled *t = atomic_load(&s.threads[i]);
        uint32_t tail = atomic_load_explicit(&t->tail, memory_order_relaxed);
        while (tail != atomic_load_explicit(&t->head, memory_order_acquire) &&
               t->words[tail & (s.ring_words - 1)] <= horizon_tick) {
            symbols_lock(); /* for one sample: who destroys a code object waits here with the GIL */
            tail += unpack(t, tail, each, context);
            atomic_store_explicit(&t->tail, tail, memory_order_release);
            symbols_unlock();
        }
    }
}

/* A thread that computes and whose signals do not come: it blocks them, or has no timer. */
static void look_at(sampled *t, void (*each)(void *, const sample *), void *context)
{
    struct timespec now;
    int gone = clock_gettime(t->clock, &now) < 0;
    uint64_t cpu_ns = gone ? t->cpu_ns : (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    uint64_t missing = missing_periods(t, cpu_ns);
    if (t->drained == t->drained_before && missing * s.period_ns > UNSAMPLED_NS)
        tell(t, clock_tick(), missing, SAMPLE_UNSAMPLED, each, context);
    t->drained_before = t->drained;
    t->cpu_ns = cpu_ns > t->cpu_ns ? cpu_ns : t->cpu_ns;
    if (gone || cpu_ns < t->cpu_ns || atomic_load(&t->finished)) /* less: another has its id now */
        disarm(t);
}

static void arm_new_threads(void)
{
    char entries[4096] __attribute__((aligned(8)));
    pid_t own = (pid_t)syscall(SYS_gettid);
    if (!private_fd_is_ours(&s.tasks) || lseek(s.tasks.fd, 0, SEEK_SET) < 0)
        return;
    for (;;) {
        long length = syscall(SYS_getdents64, s.tasks.fd, entries, sizeof entries);
        if (length <= 0)
            return;
        for (long at = 0; at < length;) {
            struct dirent64 *entry = (struct dirent64 *)(void *)(entries + at);
            pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
            if (tid > 0 && tid != own)
                arm(tid, 0);
            at += entry->d_reclen;
        }
    }
}

void sampler_look_for_threads(void (*each)(void *context, const sample *s), void *context)
{
    if (!atomic_load(&s.active))
        return;
    pthread_mutex_lock(&s.guard);
    for (uint32_t i = 0; i < atomic_load(&s.thread_count); i++) {
        sampled *t = atomic_load(&s.threads[i]);
        if (atomic_load(&t->serial))
            look_at(t, each, context);
    }
    arm_new_threads();
    pthread_mutex_unlock(&s.guard);
}

/* --- what dies while samples refer to it --- */

void sampler_replace(uint64_t code, void (*each)(uint64_t frame[2]))
{
    uint32_t mask = s.ring_words - 1;
    for (uint32_t i = 0; i < atomic_load(&s.thread_count); i++) {
        sampled *t = atomic_load(&s.threads[i]);
        uint32_t at = atomic_load_explicit(&t->tail, memory_order_relaxed);
        uint32_t head = atomic_load_explicit(&t->head, memory_order_acquire);
        while (at != head) {
            uint32_t count = t->words[(at + 2) & mask] & 0xff;
            at += HEAD_WORDS;
            for (; count--; at += 2) {
                uint64_t frame[2] = {t->words[at & mask], t->words[(at + 1) & mask]};
                if (frame[0] != code)
                    continue;
                each(frame);
                t->words[at & mask] = frame[0];
                t->words[(at + 1) & mask] = frame[1];
            }
        }
    }
}

int sampler_has_met(const void *code)
{
    return s.hz && atomic_load_explicit(&s.met[met_place((uintptr_t)code)], memory_order_relaxed);
}

void sampler_forget_codes(void)
{
    atomic_fetch_add(&s.codes_epoch, 1);
}
