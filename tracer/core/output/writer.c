/* Drains the buffers in time order, drives the timeline, and writes the file. */
#define _GNU_SOURCE
#include "output/writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "packets/samples.h"
#include "ring/private_fd.h"
#include "output/control.h"
#include "output/debug.h"
#include "output/file.h"
#include "ring/ring.h"
#include "ring/text.h"
#include "timeline/counters.h"
#include "timeline/lanes.h"
#include "timeline/timeline.h"

/* A killed program loses two periods at most; the documented limit is 250 ms. */
enum { PERIOD_NS = 50 * 1000 * 1000, FLUSH_BYTES = 1 << 20, PAIRS = 4096, COUNTER_PASSES = 2, PREFETCHED = 16 };

typedef struct {
    uint64_t tick;
    thread_buffer *buffer;
} source;

static struct {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    int running, paused;
    int leave; /* the thread shall end */
    int is_known; /* the kernel source knows that this thread is the recorder's own */
    trace_file file;
    private_fd statm;
    uint32_t generation;
    const writer_sources *sources;
    timeline line;
    sample_writer samples;
    clock_pair from, to; /* ticks are converted on the line through these two; `to` is the latest pair */
    double ns_per_tick;
    clock_pair pairs[PAIRS]; /* the latest PAIRS pairs, to convert older ticks */
    uint64_t pair_count;
    uint64_t start_ns, realtime_offset, boottime_offset;
    uint64_t overhead_ns, dropped_by_gone;
    uint64_t kernel_ns; /* time of the kernel source's next state; 0 = ask it again */
    unsigned passes;
    source *heap;
    size_t heap_capacity;
} w = {.mutex = PTHREAD_MUTEX_INITIALIZER, .file = {.fd = {.fd = -1}}, .statm = {.fd = -1}};

static void flush(void)
{
    trace_file_append(&w.file, &w.line.out, &w.line.tracer);
}

/* A chunk's clock starts where the previous events ended. */
static uint64_t now_written(void)
{
    return w.from.ns > w.line.out.last_ns ? w.from.ns : w.line.out.last_ns;
}

static void begin_batch(void)
{
    uint64_t ns = now_written();
    encoder_begin_batch(&w.line.out, ns, ns + w.realtime_offset, ns + w.boottime_offset);
}

static uint64_t convert(uint64_t tick)
{
    return clock_convert(w.from, w.ns_per_tick, tick);
}

static void remember_pair(clock_pair pair)
{
    w.pairs[w.pair_count++ % PAIRS] = pair;
}

/* Converts a tick of any age; 0 stays 0. Once pairs cover a tick, it always converts to the same time. */
static uint64_t convert_past(uint64_t tick)
{
    if (!tick || tick >= w.from.tick)
        return tick ? convert(tick) : 0;
    uint64_t oldest = w.pair_count > PAIRS ? w.pair_count - PAIRS : 0, low = oldest, high = w.pair_count - 1;
    while (high - low > 1) {
        uint64_t middle = (low + high) / 2;
        if (w.pairs[middle % PAIRS].tick <= tick)
            low = middle;
        else
            high = middle;
    }
    clock_pair before = w.pairs[low % PAIRS], after = w.pairs[high % PAIRS];
    if (after.tick <= before.tick)
        return convert(tick);
    return clock_convert(before, (double)(after.ns - before.ns) / (double)(after.tick - before.tick), tick);
}

/* Which of a record's fields are ticks. */
static const struct {
    uint8_t b, c;
} tick_fields[REC_KINDS] = {
    [REC_GAP] = {0, 1},
    [REC_TAKE] = {1, 1},
    [REC_HELD_CALL] = {1, 0},
    [REC_THREAD_EXIT] = {1, 0},
};

static void flush_long(void)
{
    if (w.line.out.length > FLUSH_BYTES) {
        flush();
        begin_batch();
    }
}

static void on_kernel(void *unused, uint32_t tid, uint64_t ns, enum kernel_state state, uint64_t lost)
{
    (void)unused;
    timeline_kernel(&w.line, tid, ns, state, lost);
    flush_long();
}

static void handle(thread_buffer *buffer, const record *r)
{
    uint64_t ns = convert(r->tick);
    if (ns >= w.kernel_ns)
        w.kernel_ns = w.sources->kernel->feed(ns, on_kernel, NULL);
    if (!buffer->timeline)
        buffer->timeline = timeline_thread(&w.line, (uint32_t)buffer->tid, buffer->pthread);
    if (!buffer->timeline || r->kind >= REC_KINDS)
        return;
    if (!tick_fields[r->kind].b && !tick_fields[r->kind].c) {
        timeline_record(&w.line, buffer->timeline, r, ns, (const char *)(r + 1));
        return;
    }
    record converted = *r;
    if (tick_fields[r->kind].b)
        converted.b = convert_past(r->b);
    if (tick_fields[r->kind].c)
        converted.c = convert_past(r->c);
    timeline_record(&w.line, buffer->timeline, &converted, ns, NULL);
}

/* What the thread is doing now, for a thread whose past is written completely. The order of the reads
 * matters: a thread that takes the GIL writes its record, counts it, and clears the tick last. Returns 0
 * if the state was changing meanwhile. */
static int present_of(thread_buffer *b, lane_present *now)
{
    uint64_t released = atomic_load_explicit(&b->released_tick, memory_order_acquire);
    uint64_t held_call = atomic_load_explicit(&b->held_call_tick, memory_order_acquire);
    uint64_t asked = b->asked_tick, out = b->out_tick ? b->out_tick : released;
    now->call = (lane_call){b->call, 0, b->call_serial, b->call_blocks};
    if (!now->call.what && b->libc)
        now->call = (lane_call){b->libc, (uint32_t)(b->libc_fd + 1), 0, b->libc_class};
    if (!now->call.what && (b->forced || (asked && asked - out < gil_threshold_ticks)))
        asked = released;
    now->released_ns = released > w.to.tick ? 0 : convert_past(released);
    now->asked_ns = asked > w.to.tick ? 0 : convert_past(asked);
    now->held_call_ns = held_call > w.to.tick ? 0 : convert_past(held_call);
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&b->released_tick, memory_order_relaxed) == released;
}

/* The same, read from the first record about the GIL beyond the horizon. */
static void present_from(const record *ahead, const record *call, lane_present *now)
{
    if (ahead->kind == REC_HELD_CALL) {
        now->held_call_ns = convert_past(ahead->b);
        return;
    }
    now->released_ns = ahead->b > w.to.tick ? 0 : convert_past(ahead->b);
    now->asked_ns = ahead->c > w.to.tick ? 0 : convert_past(ahead->c);
    now->stack = ahead->a;
    if (call)
        now->call = (lane_call){call->a, (uint32_t)call->b, (uint32_t)call->c, call->flag};
}

/* Writes the state of every thread at the horizon. */
static void tell_present(int last)
{
    for (thread_buffer *b = atomic_load(&ring_threads); b; b = atomic_load(&b->next)) {
        if (b->generation != w.generation || !b->timeline)
            continue;
        if (atomic_load(&b->dropped) != timeline_lost(b->timeline))
            continue; /* records were dropped: what it did since its last record is not known yet, or lost */
        lane_present now = {0};
        const record *call = NULL, *ahead = NULL;
        int steady = present_of(b, &now);
        if (atomic_load_explicit(&b->lane_records, memory_order_acquire) != timeline_lane_records(b->timeline)) {
            steady = (ahead = ring_look_ahead(b, &call)) != NULL;
            now = (lane_present){0};
            if (ahead)
                present_from(ahead, call, &now);
        }
        now.is_last = (uint8_t)last;
        if (steady || last)
            timeline_present(&w.line, b->timeline, &now, w.to.ns);
    }
}

static void sift_down(source *heap, size_t count, size_t at)
{
    source moving = heap[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && heap[child + 1].tick < heap[child].tick)
            child++;
        if (moving.tick <= heap[child].tick)
            break;
        heap[at] = heap[child];
    }
    heap[at] = moving;
}

static size_t collect(uint64_t horizon)
{
    size_t count = 0;
    for (thread_buffer *b = atomic_load(&ring_threads); b; b = atomic_load(&b->next)) {
        record *first = b->generation == w.generation ? ring_peek(b) : NULL;
        if (!first || first->tick > horizon)
            continue;
        if (count == w.heap_capacity) {
            size_t capacity = w.heap_capacity * 2 + 64;
            source *heap = realloc(w.heap, capacity * sizeof *heap);
            if (!heap)
                break; /* the rest is handled in the next pass */
            w.heap = heap;
            w.heap_capacity = capacity;
        }
        w.heap[count++] = (source){first->tick, b};
    }
    for (size_t i = count / 2; i-- > 0;)
        sift_down(w.heap, count, i);
    return count;
}

/* Handles every record up to `horizon`, the earliest first. */
static void drain(uint64_t horizon)
{
    size_t count = collect(horizon);
    while (count) {
        thread_buffer *buffer = w.heap[0].buffer;
        uint64_t limit = horizon;
        for (size_t i = 1; i < count && i < 3; i++)
            if (w.heap[i].tick < limit)
                limit = w.heap[i].tick;
        record *r;
        while ((r = ring_peek(buffer)) && r->tick <= limit) {
            __builtin_prefetch(r + PREFETCHED); /* another processor wrote it */
            handle(buffer, r);
            ring_take(buffer, r->payload + 1u);
            flush_long();
        }
        if (r && r->tick <= horizon)
            w.heap[0].tick = r->tick;
        else
            w.heap[0] = w.heap[--count];
        sift_down(w.heap, count, 0);
    }
}

/* Reports the last losses of a thread that writes no more records and could not report them itself. */
static void tell_last_gap(thread_buffer *b)
{
    record gap = {w.to.tick, REC_GAP, 0, 0, 0, b->gap_records, b->gap_tick};
    if (b->gap_records)
        handle(b, &gap);
    b->gap_records = 0;
}

/* A thread that ends after the ring was closed cannot record it. It is not retired here: the last pass
 * still writes its state at the end of the recording. */
static void retire_finished(void)
{
    thread_buffer *b = atomic_load(&ring_threads);
    while (b) {
        thread_buffer *next = atomic_load(&b->next);
        if (b->generation == w.generation && atomic_load_explicit(&b->finished, memory_order_acquire) &&
            atomic_load(&ring_active) && !ring_peek(b)) {
            tell_last_gap(b);
            w.sources->kernel->forget(b);
            if (b->timeline)
                timeline_thread_gone(&w.line, b->timeline);
            w.dropped_by_gone += atomic_load(&b->dropped);
            ring_release(b);
        }
        b = next;
    }
}

static int64_t resident_bytes(void)
{
    char line[128];
    ssize_t n = private_fd_is_ours(&w.statm) ? pread(w.statm.fd, line, sizeof line - 1, 0) : 0;
    if (n <= 0)
        return 0;
    line[n] = 0;
    long size, resident;
    return sscanf(line, "%ld %ld", &size, &resident) == 2 ? resident * sysconf(_SC_PAGESIZE) : 0;
}

static void note(const char *subject, const char *reason)
{
    char text[256];
    record r = {.kind = REC_NOTE, .flag = NOTE_OTHER, .a = (uint32_t)strlen(subject)};
    r.b = (uint64_t)snprintf(text, sizeof text, "%s%s", subject, reason);
    timeline_record(&w.line, NULL, &r, now_written(), text);
}

static void count_threads(int last)
{
    int limited = 0;
    cpu_times now;
    for (thread_buffer *b = atomic_load(&ring_threads); b; b = atomic_load(&b->next)) {
        if (b->generation != w.generation || !b->timeline)
            continue;
        limited |= w.sources->kernel->count(b, &now);
        timeline_cpu_times(&w.line, b->timeline, &now, last);
    }
    if (limited)
        note("sched", "too many threads: some have no counters or no run delay");
}

static uint64_t dropped_in_all(void)
{
    uint64_t dropped = w.dropped_by_gone + w.line.undrawn;
    for (thread_buffer *b = atomic_load(&ring_threads); b; b = atomic_load(&b->next))
        if (b->generation == w.generation)
            dropped += atomic_load(&b->dropped);
    return dropped;
}

/* One pass. Handles the records up to the previous pair; in the last pass, all of them. */
static void pass(int last)
{
    clock_pair now = clock_take_pair();
    uint64_t horizon = last ? UINT64_MAX : w.to.tick;
    if (w.to.tick > w.from.tick)
        w.ns_per_tick = (double)(w.to.ns - w.from.ns) / (double)(w.to.tick - w.from.tick);
    begin_batch();
    w.kernel_ns = 0;
    drain(horizon);
    samples_write(&w.samples, horizon);
    w.sources->kernel->feed(w.to.ns, on_kernel, NULL); /* in the last pass too: what came later was not recorded */
    w.kernel_ns = UINT64_MAX;
    tell_present(last);
    timeline_settle(&w.line);
    timeline_counters(&w.line, w.to.ns, resident_bytes());
    if (w.sources->kernel->counts() && (last || w.passes++ % COUNTER_PASSES == 0))
        count_threads(last);
    retire_finished();
    flush();
    if (w.line.out.failed && !w.file.error)
        w.file.error = ENOMEM;
    w.from = w.to;
    w.to = now;
    remember_pair(now);
    w.sources->after_pass();
    control_facts facts = {&w.line, w.from.ns, w.start_ns, w.realtime_offset, w.overhead_ns,
                           dropped_in_all(), w.line.out.events, w.file.end.bytes};
    debug_tell(&facts);
    control_serve(&facts);
}

static void *run(void *unused)
{
    (void)unused;
    uint64_t before_ns = w.overhead_ns; /* of the threads before the fork */
    pthread_setname_np(pthread_self(), "tracer-writer");
    w.sources->kernel->ignore((uint32_t)syscall(SYS_gettid));
    pthread_mutex_lock(&w.mutex);
    w.is_known = 1;
    pthread_cond_signal(&w.wake);
    while (!w.leave) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += PERIOD_NS;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        if (pthread_cond_timedwait(&w.wake, &w.mutex, &until) != ETIMEDOUT)
            continue;
        pthread_mutex_unlock(&w.mutex);
        pass(0);
        w.overhead_ns = before_ns + clock_ns_of(CLOCK_THREAD_CPUTIME_ID);
        pthread_mutex_lock(&w.mutex);
    }
    pthread_mutex_unlock(&w.mutex);
    return NULL;
}

/* All signals stay with the program's own threads. */
static int spawn(void)
{
    sigset_t all, before;
    sigfillset(&all);
    w.leave = w.is_known = 0;
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&w.thread, NULL, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

static void join(void)
{
    pthread_mutex_lock(&w.mutex);
    w.leave = 1;
    pthread_cond_signal(&w.wake);
    pthread_mutex_unlock(&w.mutex);
    pthread_join(w.thread, NULL);
}

static void announce(const writer_description *about)
{
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = w.from.ns, .on = &w.line.tracer, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_TRACER, .name = SCHEMA_RECORDING};
    const char *clock = clock_source_now == CLOCK_SOURCE_COUNTER ? "tsc" : "monotonic";
    event_uint(&ev, SCHEMA_ARG_SCHEMA, SCHEMA_VERSION);
    event_text(&ev, SCHEMA_ARG_PYTHON, about->python, strlen(about->python));
    event_text(&ev, SCHEMA_ARG_ARGV, about->argv, strlen(about->argv));
    event_text(&ev, SCHEMA_ARG_SIGNALS, about->signals, strlen(about->signals));
    event_text(&ev, SCHEMA_ARG_CLOCK, clock, strlen(clock));
    event_uint(&ev, SCHEMA_ARG_THRESHOLD, about->threshold_ns);
    event_uint(&ev, SCHEMA_ARG_FAMILY, about->family);
    event_text(&ev, SCHEMA_ARG_ORIGIN, about->origin, strlen(about->origin));
    if (about->parent_pid)
        event_uint(&ev, SCHEMA_ARG_PARENT_PID, about->parent_pid);
    encoder_event(&w.line.out, &ev);
}

static void close_files(void)
{
    trace_file_close(&w.file);
    private_fd_close(&w.statm);
}

int writer_start(int fd, uint32_t pid, const writer_description *about, const writer_sources *sources,
                 const char **what)
{
    *what = NULL;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&w.wake, &attributes);
    pthread_condattr_destroy(&attributes);
    int error = trace_file_take(&w.file, fd);
    if (error) {
        trace_file_close(&w.file);
        return error;
    }
    w.sources = sources;
    w.overhead_ns = w.dropped_by_gone = 0;
    w.generation = atomic_load(&ring_generation);
    w.statm = private_fd_open("/proc/self/statm");
    w.from = w.to = clock_take_pair();
    w.pair_count = 0;
    remember_pair(w.from);
    w.ns_per_tick = 1.0; /* until the second pair is taken, and only for records as old as the first */
    w.start_ns = w.from.ns;
    uint64_t monotonic = clock_ns_of(CLOCK_MONOTONIC);
    w.realtime_offset = clock_ns_of(CLOCK_REALTIME) - monotonic;
    w.boottime_offset = clock_ns_of(CLOCK_BOOTTIME) - monotonic;
    timeline_init(&w.line, pid, about->family, about->member, about->cmdline, about->cmdline_length);
    samples_init(&w.samples, &w.line.out, convert, sources->samples);
    w.line.names_calls = text_has_word(about->signals, "io");
    begin_batch();
    announce(about);
    flush(); /* a valid trace from the first moment */
    error = w.file.error;
    if (!error) {
        *what = "cannot start the writer's thread";
        error = spawn();
    }
    pthread_mutex_lock(&w.mutex);
    while (!error && !w.is_known) /* else it would pass for one of the program's threads */
        pthread_cond_wait(&w.wake, &w.mutex);
    pthread_mutex_unlock(&w.mutex);
    w.running = !error;
    if (error) {
        timeline_free(&w.line);
        close_files();
    }
    return error;
}

static void conclude(uint64_t dropped)
{
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = now_written(), .on = &w.line.tracer, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_TRACER, .name = SCHEMA_RECORDING_ENDED};
    event_uint(&ev, SCHEMA_ARG_EVENTS, w.line.out.events + 1);
    event_uint(&ev, SCHEMA_ARG_DROPPED, dropped);
    event_uint(&ev, SCHEMA_ARG_BYTES, w.file.end.bytes);
    event_uint(&ev, SCHEMA_ARG_OVERHEAD, w.overhead_ns);
    event_uint(&ev, SCHEMA_ARG_LATE, w.line.late);
    encoder_event(&w.line.out, &ev);
    flush();
    trace_file_finish(&w.file, &w.line.out, &w.line.tracer, now_written());
}

static writer_totals totals_now(uint64_t dropped)
{
    uint64_t lost = trace_file_lost(&w.file, &w.line.out);
    return (writer_totals){
        .duration_ns = now_written() - w.start_ns,
        .events = w.line.out.events - lost,
        .bytes = w.file.end.bytes,
        .dropped = dropped,
        .lost = lost,
        .lost_ns = w.file.error ? now_written() - w.file.end.ns : 0,
        .late = w.line.late,
        .overhead_ns = w.overhead_ns,
        .samples = w.samples.count,
        .worst_ready_ns = w.line.worst_ready_ns,
        .worst_ready_func = w.line.worst_ready_func,
        .error = w.file.error,
        .reason = trace_file_reason(&w.file),
    };
}

void writer_stop(writer_totals *totals)
{
    if (!w.paused)
        join();
    w.paused = 0;
    control_close();
    pass(0);
    pass(1);
    uint64_t dropped = dropped_in_all();
    begin_batch();
    for (thread_buffer *b = atomic_load(&ring_threads); b; b = atomic_load(&b->next))
        if (b->generation == w.generation)
            tell_last_gap(b);
    if (w.sources->kernel->finish(on_kernel, NULL))
        note("sched", "the program closed the recorder's descriptors: context switches are missing for threads "
             "older than the recording and for those that they started");
    debug_stop();
    conclude(dropped);
    *totals = totals_now(dropped);
    for (thread_buffer *b = atomic_load(&ring_threads); b; b = atomic_load(&b->next))
        if (b->generation == w.generation && b->timeline) {
            w.sources->kernel->forget(b);
            timeline_thread_gone(&w.line, b->timeline);
            b->timeline = NULL;
        }
    samples_free(&w.samples);
    w.sources->kernel->stop();
    timeline_free(&w.line);
    free(w.heap);
    w.heap = NULL;
    w.heap_capacity = 0;
    close_files();
    w.running = 0;
}

void writer_checkpoint(writer_totals *totals)
{
    writer_pause();
    pass(0);
    pass(0); /* up to the time of the first pair */
    *totals = totals_now(dropped_in_all());
}

void writer_pause(void)
{
    if (!w.running || w.paused)
        return;
    join();
    w.paused = 1;
}

void writer_resume(void)
{
    if (w.running && w.paused)
        w.paused = spawn() != 0; /* no thread could be started: stop() writes what is left */
}

void writer_forget(void)
{
    if (!w.running)
        return;
    control_forget();
    debug_forget();
    close_files();
    w.running = w.paused = 0;
    pthread_mutex_init(&w.mutex, NULL);
}

int writer_running(void)
{
    return w.running;
}
