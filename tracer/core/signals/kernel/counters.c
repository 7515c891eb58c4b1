/* Reading the counters, from the kernel's clocks and /proc. */
#include "signals/kernel/counters.h"

#include <stdio.h>
#include <unistd.h>

#include "ring/clock.h"
#include "ring/private_fd.h"

enum { MOST_THREADS = 256 };

typedef struct thread_counters {
    cpu_times last;
    private_fd schedstat;
    uint8_t used;
} thread_counters;

static thread_counters table[MOST_THREADS];
static uint8_t limit_told;

static private_fd open_schedstat(pid_t tid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/schedstat", (int)tid);
    return private_fd_open(path);
}

static thread_counters *begin(const thread_buffer *thread)
{
    thread_counters *c = table;
    while (c < table + MOST_THREADS && c->used)
        c++;
    if (c == table + MOST_THREADS)
        return NULL;
    *c = (thread_counters){.used = 1};
    c->schedstat = open_schedstat(thread->tid);
    return c;
}

/* The thread's id may belong to another thread by now, whose clock reads less. */
static void take(uint64_t *last_ns, uint8_t *known, uint64_t ns)
{
    if (*known && ns < *last_ns)
        return;
    *last_ns = ns;
    *known = 1;
}

static void read_all(thread_counters *c, pid_t tid)
{
    /* The CPU clock of any thread of the process: Linux builds its id so. */
    clockid_t clock = (clockid_t)(~(uint32_t)tid << 3 | 6);
    struct timespec cpu;
    if (clock_gettime(clock, &cpu) == 0)
        take(&c->last.cpu_ns, &c->last.has_cpu, (uint64_t)cpu.tv_sec * 1000000000u + (uint64_t)cpu.tv_nsec);
    char line[96];
    if (c->schedstat.is_in_own_table && !private_fd_is_ours(&c->schedstat))
        c->schedstat = open_schedstat(tid); /* that table has ended */
    ssize_t n = private_fd_is_ours(&c->schedstat) ? pread(c->schedstat.fd, line, sizeof line - 1, 0) : 0;
    unsigned long long run_ns, delay_ns;
    if (n > 0) {
        line[n] = 0;
        /* All zeros mean that the kernel does not count. */
        if (sscanf(line, "%llu %llu", &run_ns, &delay_ns) == 2 && run_ns + delay_ns)
            take(&c->last.delay_ns, &c->last.has_delay, delay_ns);
    }
    c->last.ns = clock_ns_of(CLOCK_MONOTONIC);
}

int kernel_count(thread_buffer *thread, cpu_times *now)
{
    if (!thread->counters)
        thread->counters = begin(thread);
    thread_counters *c = thread->counters;
    int limited = !c || (c->schedstat.fd < 0 && !c->last.has_delay);
    *now = (cpu_times){0};
    if (c) {
        read_all(c, thread->tid);
        *now = c->last;
    }
    if (!limited || limit_told)
        return 0;
    limit_told = 1;
    return 1;
}

static void end(thread_counters *c)
{
    private_fd_close(&c->schedstat);
    c->used = 0;
}

void kernel_count_gone(thread_buffer *thread)
{
    thread_counters *c = thread->counters;
    thread->counters = NULL;
    if (c)
        end(c);
}

void kernel_count_forget(void)
{
    for (thread_counters *c = table; c < table + MOST_THREADS; c++)
        if (c->used)
            end(c);
    limit_told = 0;
}
