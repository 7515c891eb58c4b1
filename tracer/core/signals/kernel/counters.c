/* Without perf events: per thread, how long it was on a CPU and how long it waited for one. */
#include "signals/kernel/kernel.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ring/private_fd.h"

enum { MOST_THREADS = 256, COUNTERS = 2 };

typedef struct {
    track on;
    uint64_t now_ns, told_ns;
    uint8_t known, told;
} counter;

typedef struct thread_counters {
    counter cpu, delay; /* cumulative */
    private_fd schedstat;
    uint64_t read_ns; /* when; 0 = all is told */
    uint8_t used;
} thread_counters;

static thread_counters table[MOST_THREADS];
static uint8_t limit_told;

static thread_counters *begin(timeline *t, thread_buffer *thread)
{
    thread_counters *c = table;
    while (c < table + MOST_THREADS && c->used)
        c++;
    if (c == table + MOST_THREADS)
        return NULL;
    *c = (thread_counters){.used = 1};
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/schedstat", (int)thread->tid);
    c->schedstat = private_fd_open(path);
    const track *line = &((thread_line *)thread->timeline)->on;
    track_init(&t->out, &c->cpu.on, TRACK_KIND_COUNTER, line, SCHEMA_TEXT_COUNTER_CPU,
               strlen(SCHEMA_TEXT_COUNTER_CPU));
    track_init(&t->out, &c->delay.on, TRACK_KIND_COUNTER, line, SCHEMA_TEXT_COUNTER_RUN_DELAY,
               strlen(SCHEMA_TEXT_COUNTER_RUN_DELAY));
    return c;
}

/* A thread's id may name another by now, whose clock says less. */
static void take(counter *c, uint64_t ns)
{
    if (c->known && ns < c->now_ns)
        return;
    c->now_ns = ns;
    c->known = 1;
}

static void read_all(thread_counters *c, pid_t tid)
{
    /* The CPU clock of any thread of the process: Linux builds its id so. */
    clockid_t clock = (clockid_t)(~(uint32_t)tid << 3 | 6);
    struct timespec cpu;
    if (clock_gettime(clock, &cpu) == 0)
        take(&c->cpu, (uint64_t)cpu.tv_sec * 1000000000u + (uint64_t)cpu.tv_nsec);
    char line[96];
    ssize_t n = private_fd_is_ours(&c->schedstat) ? pread(c->schedstat.fd, line, sizeof line - 1, 0) : 0;
    unsigned long long run_ns, delay_ns;
    if (n > 0) {
        line[n] = 0;
        /* All zero: the kernel does not count. */
        if (sscanf(line, "%llu %llu", &run_ns, &delay_ns) == 2 && run_ns + delay_ns)
            take(&c->delay, delay_ns);
    }
    c->read_ns = clock_ns_of(CLOCK_MONOTONIC);
}

static void tell(timeline *t, thread_counters *c)
{
    counter *counters[COUNTERS] = {&c->cpu, &c->delay};
    for (int i = 0; i < COUNTERS && c->read_ns; i++) {
        counter *at = counters[i];
        if (!at->known || (at->told && at->told_ns == at->now_ns))
            continue;
        at->told = 1;
        at->told_ns = at->now_ns;
        event ev = {.ns = c->read_ns, .on = &at->on, .type = SCHEMA_TYPE_COUNTER,
                    .counter = (int64_t)at->now_ns};
        encoder_event(&t->out, &ev);
    }
    c->read_ns = 0;
}

int kernel_count(timeline *t, thread_buffer *thread, int last)
{
    if (!thread->counters)
        thread->counters = begin(t, thread);
    thread_counters *c = thread->counters;
    int limited = !c || (c->schedstat.fd < 0 && !c->delay.known);
    if (c) {
        tell(t, c);
        read_all(c, thread->tid);
        if (last)
            tell(t, c);
    }
    if (!limited || limit_told)
        return 0;
    limit_told = 1;
    return 1;
}

static void end(thread_counters *c)
{
    private_fd_close(&c->schedstat);
    track_free(&c->cpu.on);
    track_free(&c->delay.on);
    c->used = 0;
}

void kernel_count_gone(timeline *t, thread_buffer *thread)
{
    thread_counters *c = thread->counters;
    thread->counters = NULL;
    if (!c)
        return;
    tell(t, c);
    end(c);
}

void kernel_count_forget(void)
{
    for (thread_counters *c = table; c < table + MOST_THREADS; c++)
        if (c->used)
            end(c);
    limit_told = 0;
}
