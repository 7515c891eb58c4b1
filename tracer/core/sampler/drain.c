/* The writer's side of the sampler: turns rings into samples and looks for new threads. */
#define _GNU_SOURCE
#include "sampler/drain.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ring/clock.h"
#include "sampler/rings.h"
#include "sampler/sampler.h"
#include "sampler/symbols.h"

/* As many threads as at the look before: mostly they are the same ones. */
enum { TRUSTED_LOOKS = 3 };

static const uint64_t UNSAMPLED_NS = 100 * 1000 * 1000; /* samples for less CPU time may still be on their way */

/* CPU time of a thread that no sample covers, in periods. */
static uint64_t missing_periods(const sampled *t, uint64_t cpu_ns)
{
    uint64_t due = cpu_ns > t->base_ns ? (cpu_ns - t->base_ns) / sampler.period_ns : 0;
    return due > t->drained ? due - t->drained : 0;
}

static void tell(sampled *t, uint64_t tick, uint64_t periods, uint32_t flags,
                 sample_handler *each, void *context)
{
    sample one = {.tick = tick, .tid = t->tid, .flags = flags};
    if (!periods)
        return;
    one.periods = periods < UINT32_MAX ? (uint32_t)periods : UINT32_MAX;
    t->drained += one.periods;
    each(context, &one);
}

/* Takes one sample out of the ring; returns its length in words. */
static uint32_t unpack(sampled *t, uint32_t at, sample_handler *each, void *context)
{
    uint32_t mask = sampler.ring_words - 1;
    uint64_t head = t->words[(at + 2) & mask], cpu_ns = t->words[(at + 1) & mask];
    sample one = {
        .tick = t->words[at & mask],
        .tid = t->tid,
        .periods = (uint32_t)(head >> 32),
        .flags = (head >> 8) & 0xff,
        .call = (uint32_t)t->words[(at + 3) & mask],
    };
    uint32_t frames = head & 0xff, length = HEAD_WORDS + 2 * frames;
    for (uint32_t i = 0; i < frames; i++) {
        uint64_t code = t->words[(at + HEAD_WORDS + 2 * i) & mask];
        if (!symbols_is_hidden(code))
            one.places[one.count++] = symbols_place(code, t->words[(at + HEAD_WORDS + 2 * i + 1) & mask]);
    }
    if (one.tick < sampler.start_tick)
        return length;
    tell(t, one.tick, head >> 16 & 0xffff, SAMPLE_LOST, each, context);
    /* Signals blocked meanwhile count as overruns here, but were already reported as unsampled. */
    uint64_t due = missing_periods(t, cpu_ns) + 1;
    if (one.periods > due)
        one.periods = (uint32_t)due;
    t->drained += one.periods;
    each(context, &one);
    return length;
}

static int has_none_on_their_way(sampled *t)
{
    return atomic_load(&t->head) == atomic_load(&t->tail);
}

/* Reports CPU time for which no signal was delivered, if it is more than what may still arrive. */
static void tell_unsampled(sampled *t, uint64_t tick, uint64_t cpu_ns, sample_handler *each,
                           void *context)
{
    uint64_t missing = missing_periods(t, cpu_ns);
    if (missing * sampler.period_ns > UNSAMPLED_NS)
        tell(t, tick, missing, SAMPLE_UNSAMPLED, each, context);
}

/* Reports the rest of a thread that has ended: the CPU time that it noted at its end counts. */
static void tell_end(sampled *t, uint64_t horizon_tick, sample_handler *each, void *context)
{
    uint64_t final_ns = atomic_load(&t->final_ns);
    if (!final_ns || t->final_tick > horizon_tick || !has_none_on_their_way(t))
        return;
    tell_unsampled(t, t->final_tick, final_ns, each, context);
    atomic_store(&t->final_ns, 0);
}

static void drain(uint64_t horizon_tick, sample_handler *each, void *context)
{
    for (uint32_t i = 0; i < atomic_load(&sampler.thread_count); i++) {
        sampled *t = atomic_load(&sampler.threads[i]);
        uint32_t tail = atomic_load_explicit(&t->tail, memory_order_relaxed);
        while (tail != atomic_load_explicit(&t->head, memory_order_acquire) &&
               t->words[tail & (sampler.ring_words - 1)] <= horizon_tick) {
            /* For one sample only: a thread that destroys a code object waits here with the GIL held. */
            symbols_lock();
            tail += unpack(t, tail, each, context);
            atomic_store_explicit(&t->tail, tail, memory_order_release);
            symbols_unlock();
        }
        tell_end(t, horizon_tick, each, context);
    }
}

/* Reports the time of a thread that computes but gets no signals, because it blocks them or has no timer. */
static void look_at(sampled *t, uint64_t tick, sample_handler *each, void *context)
{
    struct timespec now;
    int gone = clock_gettime(t->clock, &now) < 0;
    uint64_t cpu_ns = gone ? t->cpu_ns : (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    if (t->drained == t->drained_before && has_none_on_their_way(t))
        tell_unsampled(t, tick, cpu_ns, each, context);
    t->drained_before = t->drained;
    t->cpu_ns = cpu_ns > t->cpu_ns ? cpu_ns : t->cpu_ns;
    if (gone || cpu_ns < t->cpu_ns || atomic_load(&t->finished)) /* less: another thread has its id now */
        sampler_disarm(t);
}

static void arm_new_threads(void)
{
    char entries[4096] __attribute__((aligned(8)));
    struct stat about; /* its links are the threads, and two */
    if (!private_fd_look(&sampler.tasks, &about))
        return;
    int is_same = about.st_nlink == sampler.task_links && ++sampler.task_looks % TRUSTED_LOOKS;
    sampler.task_links = about.st_nlink;
    if (is_same || lseek(sampler.tasks.fd, 0, SEEK_SET) < 0)
        return;
    pid_t own = (pid_t)syscall(SYS_gettid);
    for (;;) {
        long length = syscall(SYS_getdents64, sampler.tasks.fd, entries, sizeof entries);
        if (length <= 0)
            return;
        for (long at = 0; at < length;) {
            struct dirent64 *entry = (struct dirent64 *)(void *)(entries + at);
            pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
            if (tid > 0 && tid != own)
                sampler_arm(tid, 0);
            at += entry->d_reclen;
        }
    }
}

static void look_for_threads(uint64_t tick, sample_handler *each, void *context)
{
    if (!atomic_load(&sampler.active))
        return;
    if (!sampler_has_handler()) { /* C code handles the signal now: it would disturb or kill the program */
        atomic_store(&sampler.ousted, 1);
        sampler_give_way();
        return;
    }
    pthread_mutex_lock(&sampler.guard);
    for (uint32_t i = 0; i < atomic_load(&sampler.thread_count); i++) {
        sampled *t = atomic_load(&sampler.threads[i]);
        if (atomic_load(&t->serial))
            look_at(t, tick, each, context);
    }
    arm_new_threads();
    pthread_mutex_unlock(&sampler.guard);
}

const sample_source_table sampler_source = {
    .hz = sampler_hz,
    .drain = drain,
    .look_for_threads = look_for_threads,
    .close = sampler_close,
};
