/* TRACER_DEBUG: lines on stderr, which are easy to search and keep their form: `tracer: sched …`, `tracer: gc …`.
 *
 * A line is written if stderr has room for it, and left out otherwise: the writer never waits for a reader. */
#include "output/debug.h"

#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ring/intern.h"
#include "ring/private_fd.h"
#include "timeline/status.h"

enum { LINE_BYTES = PIPE_BUF < 4096 ? PIPE_BUF : 4096, MS = 1000 * 1000, P99 = 990, ALL = 1000 };

/* What a loop's counters were when they were told last. */
typedef struct loop_told {
    uint64_t ran_ns, idle_ns, steps;
    tally_sizes lag;
} loop_told;

static struct {
    pthread_mutex_t mutex;
    debug_wishes wishes;
    private_fd out; /* stderr, as long as it is still what it was */
    uint64_t told_ns, collections;
    tally_thread threads;
} d = {.mutex = PTHREAD_MUTEX_INITIALIZER};

typedef struct {
    char text[LINE_BYTES];
    size_t length;
} line;

__attribute__((format(printf, 2, 3))) static void put(line *to, const char *format, ...)
{
    size_t room = sizeof to->text - 1 - to->length; /* for the line's end */
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(to->text + to->length, room, format, arguments);
    va_end(arguments);
    if (length > 0)
        to->length += (size_t)length < room ? (size_t)length : room - 1;
}

static void say(line *one)
{
    struct pollfd out = {.fd = d.out.fd, .events = POLLOUT};
    one->text[one->length++] = '\n';
    if (!private_fd_is_ours(&d.out) || poll(&out, 1, 0) != 1 || !(out.revents & POLLOUT))
        return;
    ssize_t written = write(d.out.fd, one->text, one->length);
    (void)written; /* what cannot be said is left out */
}

void debug_start(debug_wishes wishes)
{
    struct stat about;
    pthread_mutex_lock(&d.mutex);
    d.wishes = wishes;
    d.out = fstat(STDERR_FILENO, &about) == 0 ? (private_fd){STDERR_FILENO, about.st_dev, about.st_ino, 0} : PRIVATE_FD_NONE;
    d.told_ns = d.collections = 0;
    d.threads = (tally_thread){0};
    pthread_mutex_unlock(&d.mutex);
}

void debug_stop(void)
{
    pthread_mutex_lock(&d.mutex);
    d.wishes = (debug_wishes){0};
    pthread_mutex_unlock(&d.mutex);
}

int debug_is_on(void)
{
    return d.wishes.schedule_ms || d.wishes.collections;
}

void debug_forget(void)
{
    pthread_mutex_init(&d.mutex, NULL);
    d.wishes = (debug_wishes){0};
}

/* --- sched --- */

static uint32_t percent(uint64_t part, uint64_t whole)
{
    return whole ? (uint32_t)((part * 100 + whole / 2) / whole) : 0;
}

static void begin(line *one, const control_facts *facts)
{
    one->length = 0;
    put(one, "tracer: sched %" PRIu64 "ms: pid=%u", (facts->now_ns - facts->start_ns) / MS, facts->line->main_tid);
}

static loop_told current(const loop_line *loop, uint64_t now_ns)
{
    return (loop_told){loop_ran_ns(loop, now_ns), loop_idle_ns(loop, now_ns), loop->steps, loop->lag};
}

static void put_lag(line *one, const tally_sizes *now, const tally_sizes *before)
{
    put(one, "lag_p99=%" PRIu64 "us lag_max=%" PRIu64 "us", tally_quantile(now, before, P99) / 1000,
        tally_quantile(now, before, ALL) / 1000);
}

static const loop_told *told_of(const loop_line *loop)
{
    static const loop_told nothing;
    return loop->told ? loop->told : &nothing;
}

static uint32_t busy_of(const loop_told *now, const loop_told *before)
{
    uint64_t ran_ns = now->ran_ns - before->ran_ns, idle_ns = now->idle_ns - before->idle_ns;
    return percent(ran_ns > idle_ns ? ran_ns - idle_ns : 0, ran_ns);
}

/* for (each loop that runs or has tasks) */
#define EACH_LOOP(loop, t)                                                                         \
    for (uint32_t at_ = 0; (t)->loops.slots && at_ <= (t)->loops.mask; at_++)                      \
        for (loop_line *loop = (t)->loops.slots[at_].key                                           \
                 ? (loop_line *)(uintptr_t)(t)->loops.slots[at_].value : NULL;                     \
             loop && (loop->run_since_ns || loop->live); loop = NULL)

static void remember(loop_line *loop, uint64_t now_ns)
{
    if (!loop->told)
        loop->told = malloc(sizeof *loop->told);
    if (loop->told)
        *loop->told = current(loop, now_ns);
}

static void tell_process(const control_facts *facts, uint64_t interval_ns)
{
    const timeline *t = facts->line;
    status_now now = timeline_status_now(t, facts->now_ns);
    tally_thread threads = timeline_status_threads(t);
    line one;
    begin(&one, facts);
    put(&one, " tasks=%u ready=%u running=%u awaiting=%u threads=%u", now.tasks.tasks, now.tasks.ready,
        now.tasks.running, now.tasks.awaiting, t->threads.used);
    for (int i = 0; i < TALLY_STATES; i++)
        if (now.threads[i])
            put(&one, " %s=%u", i == TALLY_GIL_WAIT ? "gil_wait" : i == TALLY_OFF_CPU ? "off_cpu" : i == TALLY_RUNNING
                ? "holds_gil" : tally_state_name(i), now.threads[i]);
    if (t->take_count && !t->attached && !t->gil_distrusted)
        put(&one, " gil_held=%u%% gil_waited=%u%%", percent(threads.held_ns - d.threads.held_ns, interval_ns),
            percent(threads.ns[TALLY_GIL_WAIT] - d.threads.ns[TALLY_GIL_WAIT], interval_ns));
    put(&one, " rss=%" PRId64 " loops=[", t->told_rss);
    const char *separator = "";
    EACH_LOOP(loop, t)
    {
        loop_told told = current(loop, facts->now_ns);
        put(&one, "%s%u: ready=%u busy=%u%% ", separator, loop->id, loop->now.ready,
            busy_of(&told, told_of(loop)));
        put_lag(&one, &told.lag, &told_of(loop)->lag);
        separator = ", ";
    }
    put(&one, "]");
    say(&one);
    d.threads = threads;
}

static void tell_loops(const control_facts *facts)
{
    line one;
    EACH_LOOP(loop, facts->line)
    {
        loop_told now = current(loop, facts->now_ns);
        begin(&one, facts);
        put(&one, " loop=%u tasks=%u steps=%" PRIu64 " name=\"%.*s\"", loop->id, loop->live,
            now.steps - told_of(loop)->steps, (int)loop->own.name_length, loop->own.name);
        say(&one);
    }
}

static void tell_threads(const control_facts *facts)
{
    line one;
    for (uint32_t i = 0; facts->line->threads.slots && i <= facts->line->threads.mask; i++) {
        const thread_line *thread = (thread_line *)(uintptr_t)facts->line->threads.slots[i].value;
        if (!facts->line->threads.slots[i].key)
            continue;
        const lane_line *lane = &thread->lane;
        uint64_t for_ns = lane->state && lane->upto_ns > lane->boundary_ns ? lane->upto_ns - lane->boundary_ns : 0;
        size_t length;
        const char *state = timeline_status_state(thread, &length);
        begin(&one, facts);
        put(&one, " thread=%u for=%" PRIu64 "us state=\"%.*s\" name=\"%.*s\"", thread->tid, for_ns / 1000, (int)length,
            state, (int)thread->on.name_length, thread->on.name);
        say(&one);
    }
}

/* --- gc --- */

static void tell_collection(const control_facts *facts, const tally_collection *gc, uint64_t paused_ns)
{
    line one = {.length = 0};
    uint64_t since_ns = gc->end_ns - facts->start_ns, pause_ns = gc->end_ns - gc->begin_ns;
    put(&one, "tracer: gc %" PRIu64 " @%.3fs %.1f%%: pid=%u gen=%u pause=%" PRIu64 "us collected=%" PRIu64
        " uncollectable=%" PRIu64, gc->number, (double)(gc->begin_ns - facts->start_ns) / 1e9,
        since_ns ? (double)paused_ns * 100 / (double)since_ns : 0.0, facts->line->main_tid, gc->generation, pause_ns / 1000,
        gc->collected, gc->uncollectable);
    if (gc->heap_before >= 0 && gc->heap_after >= 0)
        put(&one, " heap=%" PRId64 "->%" PRId64, gc->heap_before, gc->heap_after);
    say(&one);
}

static void tell_collections(const control_facts *facts)
{
    const tally_gc *gc = &facts->line->collections;
    uint64_t paused_ns = 0, first = d.collections + 1;
    for (int i = 0; i < TALLY_GENERATIONS; i++)
        paused_ns += gc->spans[i].ns;
    if (gc->count > first + TALLY_COLLECTIONS - 1) {
        line one = {.length = 0};
        first = gc->count - TALLY_COLLECTIONS + 1;
        put(&one, "tracer: gc %" PRIu64 "-%" PRIu64 ": pid=%u too many at once, not shown", d.collections + 1, first - 1,
            facts->line->main_tid);
        say(&one);
    }
    for (uint64_t number = first; number <= gc->count; number++)
        paused_ns -= gc->last[number % TALLY_COLLECTIONS].end_ns - gc->last[number % TALLY_COLLECTIONS].begin_ns;
    for (uint64_t number = first; number <= gc->count; number++) {
        const tally_collection *one = &gc->last[number % TALLY_COLLECTIONS];
        paused_ns += one->end_ns - one->begin_ns;
        tell_collection(facts, one, paused_ns);
    }
    d.collections = gc->count;
}

void debug_tell(const control_facts *facts)
{
    pthread_mutex_lock(&d.mutex);
    if (d.wishes.collections && facts->line->collections.count > d.collections)
        tell_collections(facts);
    uint64_t since_ns = d.told_ns ? d.told_ns : facts->start_ns;
    if (d.wishes.schedule_ms && facts->now_ns >= since_ns + (uint64_t)d.wishes.schedule_ms * MS) {
        tell_process(facts, facts->now_ns - since_ns);
        if (d.wishes.details) {
            tell_loops(facts);
            tell_threads(facts);
        }
        EACH_LOOP(loop, facts->line)
            remember(loop, facts->now_ns);
        d.told_ns = facts->now_ns;
    }
    pthread_mutex_unlock(&d.mutex);
}
