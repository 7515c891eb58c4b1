/* Counters: of the process, and CPU time and run delay of each thread. */
#include "timeline/counters.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "timeline/heap.h"
#include "timeline/process.h"

/* To read memory and descriptors takes three calls of the kernel. */
enum { READ_NS = 280 * 1000 * 1000, SILENT_NS = 10 * 1000 * 1000 };

static int64_t resident(const private_fd *statm)
{
    char line[128];
    ssize_t n = private_fd_is_ours(statm) ? pread(statm->fd, line, sizeof line - 1, 0) : 0;
    if (n <= 0)
        return 0;
    line[n] = 0;
    const char *second = strchr(line, ' ');
    return second ? strtol(second, NULL, 10) * sysconf(_SC_PAGESIZE) : 0;
}

/* How many descriptors this process has open; -1 when the kernel does not say (before Linux 6.2). */
static int64_t open_files(const private_fd *descriptors)
{
    struct stat about;
    return private_fd_look(descriptors, &about) && about.st_size > 0 ? about.st_size : -1;
}

/* Counters are written when they change. The number of tasks is also written as a sign of life, so that the trace of an idle
 * program that is killed does not seem to end with its last event. */
uint64_t counters_tell(timeline *t, uint64_t ns, const private_fd *statm, const private_fd *descriptors, int at_once)
{
    int64_t rss_bytes = t->told_rss, files = t->told_files;
    if (at_once || rss_bytes < 0 || ns >= t->read_ns + READ_NS) {
        process_look(t, ns);
        rss_bytes = resident(statm);
        files = open_files(descriptors);
        files = files >= 0 ? files : t->told_files;
        t->read_ns = ns;
    }
    if (t->out.last_ns + SILENT_NS < ns)
        t->told_tasks = -1;
    struct {
        track *on;
        int64_t now, *told;
    } counters[] = {
        {&t->count_tasks, t->live_tasks, &t->told_tasks},
        {&t->count_threads, t->live_threads, &t->told_threads},
        {&t->count_rss, rss_bytes, &t->told_rss},
        {&t->count_files, files, &t->told_files},
    };
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++) {
        if (counters[i].now == *counters[i].told)
            continue;
        *counters[i].told = counters[i].now;
        event ev = {.ns = ns, .on = counters[i].on, .type = SCHEMA_TYPE_COUNTER, .counter = counters[i].now};
        encoder_event(&t->out, &ev);
    }
    heap_counters(t, ns);
    return rss_bytes > 0 ? (uint64_t)rss_bytes : 0;
}

static void tell(timeline *t, thread_line *thread, counter_line *counter, const char *name, uint64_t value)
{
    if (counter->is_told && counter->told == value)
        return;
    if (!counter->is_told)
        track_init(&t->out, &counter->on, TRACK_KIND_COUNTER, &thread->on, name, strlen(name));
    counter->is_told = 1;
    counter->told = value;
    event ev = {.ns = thread->times.ns, .on = &counter->on, .type = SCHEMA_TYPE_COUNTER, .counter = (int64_t)value};
    encoder_event(&t->out, &ev);
}

static void tell_times(timeline *t, thread_line *thread)
{
    const cpu_times *times = &thread->times;
    if (times->ns && times->has_cpu)
        tell(t, thread, &thread->cpu, SCHEMA_TEXT_COUNTER_CPU, times->cpu_ns);
    if (times->ns && times->has_delay)
        tell(t, thread, &thread->delay, SCHEMA_TEXT_COUNTER_RUN_DELAY, times->delay_ns);
    thread->times.ns = 0;
}

void timeline_cpu_times(timeline *t, thread_line *thread, const cpu_times *now, int is_last)
{
    tell_times(t, thread);
    thread->times = *now;
    if (is_last)
        tell_times(t, thread);
}

void counters_close(timeline *t, thread_line *thread)
{
    tell_times(t, thread);
    track_free(&thread->cpu.on);
    track_free(&thread->delay.on);
}
