/* Drains the buffers in time order, drives the timeline, and writes the file. */
#define _GNU_SOURCE
#include "output/writer.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output/control.h"
#include "output/debug.h"
#include "output/file.h"
#include "output/flight.h"
#include "output/held.h"
#include "output/pace.h"
#include "output/places.h"
#include "output/present.h"
#include "output/thread.h"
#include "output/ticks.h"
#include "packets/samples.h"
#include "ring/hot.h"
#include "ring/own_table.h"
#include "ring/private_fd.h"
#include "ring/ring.h"
#include "timeline/counters.h"
#include "timeline/cuts.h"
#include "timeline/filelocks.h"
#include "timeline/lanes.h"
#include "timeline/timeline.h"
#include "timeline/unreaped.h"

enum { FLUSH_BYTES = 1 << 20, PREFETCHED = 32, COPYING_NS = 1000 * 1000 };

/* What a pass handles: what is not young, what was there at the pass before, or all. */
enum upto { THE_OLD, THE_LAST_PASS, THE_END };

typedef struct {
    uint64_t tick;
    thread_buffer *buffer;
} source;

static struct {
    int running, is_turning; /* … on the writer's thread */
    uint64_t next_ns; /* when the next pass begins */
    struct {
        writer_totals *totals;
        snapshot *last;
        int keeps_ring;
    } ending;
    trace_file file;   /* of a flight recording, the newest body */
    flight flight;     /* its other files */
    private_fd statm, descriptors; /* /proc/self/statm, /proc/self/fd */
    uint32_t generation;
    const writer_sources *sources;
    timeline line;
    sample_writer samples;
    tick_line ticks;
    uint64_t start_ns, realtime_offset, boottime_offset;
    uint64_t overhead_ns, overhead_before_ns; /* … of the threads before the fork */
    uint64_t dropped_by_gone;
    uint64_t kernel_ns; /* time of the kernel source's next state; 0 = ask it again */
    uint64_t period_ns; /* from the pass before to the next one */
    uint64_t switches;  /* that the kernel has told of, or lost */
    source *heap;
    size_t heap_capacity;
} w = {.file = {.fd = {.fd = -1}}, .statm = {.fd = -1},
     .descriptors = {.fd = -1}};

static void flush(void)
{
    trace_file_append(&w.file, &w.line.out, &w.line.tracer);
}

/* A chunk's clock starts where the previous events ended. */
static uint64_t now_written(void)
{
    return w.ticks.from.ns > w.line.out.last_ns ? w.ticks.from.ns : w.line.out.last_ns;
}

static void begin_batch(void)
{
    uint64_t ns = now_written();
    encoder_begin_batch(&w.line.out, ns, ns + w.realtime_offset, ns + w.boottime_offset);
}

static uint64_t convert(uint64_t tick)
{
    return ticks_convert(&w.ticks, tick);
}

/* Which of a record's fields are ticks. */
enum { TICK_IN_B = 1, TICK_IN_C = 2, IS_SHORT = 4 };
static const uint8_t tick_fields[UINT8_MAX + 1] = {
    [REC_GAP] = TICK_IN_C,
    [REC_TAKE] = TICK_IN_B | TICK_IN_C,
    [REC_HELD_CALL] = TICK_IN_B,
    [REC_THREAD_EXIT] = TICK_IN_B,
    [REC_STEP_SHORT] = IS_SHORT, [REC_CB_SHORT] = IS_SHORT,
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
    w.switches += lost + 1;
    timeline_kernel(&w.line, tid, ns, state, lost);
    flush_long();
}

static ALONE void handle_with_ticks(thread_line *thread, const record *r, uint64_t ns)
{
    record converted = *r;
    if (tick_fields[r->kind] & TICK_IN_B)
        converted.b = ticks_convert_past(&w.ticks, r->b);
    if (tick_fields[r->kind] & TICK_IN_C)
        converted.c = ticks_convert_past(&w.ticks, r->c);
    timeline_record(&w.line, thread, &converted, ns, NULL);
}

static inline void handle(thread_buffer *buffer, const record *r)
{
    uint64_t ns = convert(r->tick);
    if (ns >= w.kernel_ns)
        w.kernel_ns = w.sources->kernel->feed(ns, on_kernel, NULL);
    if (!buffer->timeline && !(buffer->timeline = timeline_thread(&w.line, (uint32_t)buffer->tid, buffer->pthread)))
        return;
    if (tick_fields[r->kind] == IS_SHORT)
        held_handle(&w.line, &w.ticks, buffer, r, ns);
    else if (tick_fields[r->kind])
        handle_with_ticks(buffer->timeline, r, ns);
    else
        timeline_record(&w.line, buffer->timeline, r, ns, (const char *)(r + 1));
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
        const record *first = b->generation == w.generation ? ring_peek(b) : NULL;
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

/* Handles the records of a thread up to `limit`. Returns the next one, or NULL. */
static const record *drain_thread(thread_buffer *buffer, uint64_t limit)
{
    for (unread_records unread; (unread = ring_unread(buffer)).next;) {
        const record *r = buffer->shown ? held_pass(buffer, unread.next) : unread.next;
        while (r < unread.end && r->tick <= limit) {
            __builtin_prefetch(r + PREFETCHED); /* another processor wrote it */
            handle(buffer, r);
            r += r->payload + 1u;
            flush_long();
        }
        ring_take(buffer, r);
        if (r < unread.end)
            return r;
    }
    return NULL;
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
        const record *r = drain_thread(buffer, limit);
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
    record gap = {w.ticks.to.tick, REC_GAP, 0, 0, 0, b->gap_records, b->gap_tick};
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
        remarks_note(&w.line, now_written(), "sched", "too many threads: some have no counters or no run delay");
}

/* --- a flight recording's files --- */

static uint64_t bytes_written(void)
{
    return w.flight.bytes_before + w.file.end.bytes;
}

static int rotate(void)
{
    encoder_end_chunk(&w.line.out);
    begin_batch();
    return flight_rotate(&w.flight, now_written(), w.start_ns);
}

static int begin_segment(void)
{
    return w.flight.ring.folder[0] && segments_may_begin(&w.flight.ring, now_written()) && rotate() == 0;
}

static uint64_t dropped_in_all(void)
{
    uint64_t dropped = w.dropped_by_gone + w.line.undrawn;
    for (thread_buffer *b = atomic_load(&ring_threads); b; b = atomic_load(&b->next))
        if (b->generation == w.generation)
            dropped += atomic_load(&b->dropped);
    return dropped;
}

static uint64_t overhead_now(void)
{
    return w.is_turning ? w.overhead_before_ns + clock_ns_of(CLOCK_THREAD_CPUTIME_ID) : w.overhead_ns;
}

static void pass(enum upto upto)
{
    uint64_t events_before = w.line.out.events, switches_before = w.switches;
    int last = upto == THE_END;
    clock_pair now = clock_take_pair();
    if (upto == THE_OLD)
        ticks_go_before(&w.ticks, now, PACE_YOUNG_NS);
    else
        ticks_go_to_reading(&w.ticks);
    uint64_t horizon = last ? UINT64_MAX : w.ticks.to.tick;
    begin_batch();
    w.kernel_ns = 0;
    drain(horizon);
    samples_write(&w.samples, w.ticks.to.tick, w.ticks.to.ns); /* threads go on: no sample is later than the end */
    w.sources->kernel->feed(w.ticks.to.ns, on_kernel, NULL); /* in the last pass too: what came later was not recorded */
    w.kernel_ns = UINT64_MAX;
    present_tell(&w.line, &w.ticks, w.generation, last);
    filelocks_look(&w.line);
    unreaped_look(&w.line, w.ticks.to.ns);
    timeline_settle(&w.line);
    uint64_t rss_bytes = counters_tell(&w.line, w.ticks.to.ns, &w.statm, &w.descriptors, last);
    if (w.sources->kernel->counts())
        count_threads(last);
    retire_finished();
    if (!last)
        flight_look_for_triggers(&w.flight, w.ticks.to.ns, rss_bytes);
    snapshot *wanted = last ? NULL : flight_snapshot_told(&w.flight, w.ticks.to.ns, now_written());
    flush();
    if (wanted)
        flight_copy(&w.flight, now_written());
    if (w.flight.ring.folder[0] && segments_are_due(&w.flight.ring, w.ticks.to.ns, w.file.end.bytes, w.file.error))
        rotate();
    if (w.line.out.failed && !w.file.error)
        w.file.error = ENOMEM;
    ticks_advance(&w.ticks, now);
    w.sources->after_pass();
    control_facts facts = {&w.line, w.ticks.from.ns, w.start_ns, w.realtime_offset,
                           dropped_in_all(), w.line.out.events, bytes_written(), overhead_now,
                           w.sources->ask_stacks, begin_segment, w.sources->keeper};
    debug_tell(&facts);
    int is_asked = control_serve(&facts);
    w.period_ns = pace_ns(w.ticks.from.ns, w.line.out.events - events_before, w.switches - switches_before, is_asked);
}

static void conclude(uint64_t dropped)
{
    remarks_conclude(&w.line, now_written(), dropped, bytes_written(), w.overhead_ns);
    flush();
    trace_file_finish(&w.file, &w.line.out, &w.line.tracer, now_written());
}

/* --- its thread --- */

/* The next pass stays due when it was: a thread may last for less than a period, where the program forks all the time. */
static void begin_turns(void)
{
    w.overhead_before_ns = w.overhead_ns;
}

static uint64_t pause_ns(void)
{
    uint64_t now_ns = clock_ns_of(CLOCK_MONOTONIC);
    if (w.flight.ring.is_pinned || snapshots_are_copying())
        return COPYING_NS;
    return w.next_ns > now_ns ? w.next_ns - now_ns : 0;
}

static void turn(void)
{
    if (snapshots_are_copying())
        w.flight.ring.is_pinned = snapshots_go_on();
    uint64_t now_ns = clock_ns_of(CLOCK_MONOTONIC);
    w.is_turning = 1;
    if (now_ns >= w.next_ns) {
        pass(THE_OLD);
        w.next_ns = pace_next_ns(now_ns, clock_ns_of(CLOCK_MONOTONIC), w.period_ns);
    }
}

static void rest(void)
{
    w.overhead_ns = w.overhead_before_ns + clock_ns_of(CLOCK_THREAD_CPUTIME_ID);
    w.is_turning = 0;
}

static void finish_at_once(int is_signal, int value)
{
    pass(THE_OLD);
    pass(THE_END);
    rest();
    begin_batch();
    remarks_ends(is_signal, value);
    conclude(dropped_in_all());
}

static void finish_killed(void)
{
    finish_at_once(1, SIGTERM);
}

static void finish_alone(void)
{
    finish_at_once(0, 0);
}

static const thread_work work = {&w.descriptors, begin_turns, pause_ns, turn, rest, finish_killed, finish_alone};

static void close_files(void)
{
    trace_file_close(&w.file);
    private_fd_close(&w.statm);
    private_fd_close(&w.descriptors);
}

int writer_start(int fd, uint32_t pid, const writer_description *about, const writer_sources *sources,
                 const char **what)
{
    *what = NULL;
    w.flight = (flight){.line = &w.line, .file = &w.file, .ask_place = sources->ask_place, .on_moment = sources->on_moment};
    int error = about->ring ? segments_open(&w.flight.ring, about->ring, about->window_ns, about->ring_bytes)
                            : trace_file_take(&w.file, fd, 0, clock_ns_of(CLOCK_MONOTONIC));
    if (error) {
        trace_file_close(&w.file);
        return error;
    }
    remarks_keep(about);
    w.sources = sources;
    own_table_keep(&w.file.fd);
    own_table_keep(&w.statm);
    own_table_keep(&w.descriptors);
    w.overhead_ns = w.dropped_by_gone = 0;
    w.period_ns = PACE_NS;
    w.next_ns = clock_ns_of(CLOCK_MONOTONIC) + w.period_ns;
    w.generation = atomic_load(&ring_generation);
    w.statm = private_fd_open("/proc/self/statm");
    w.descriptors = private_fd_open("/proc/self/fd");
    ticks_begin(&w.ticks);
    w.start_ns = w.ticks.from.ns;
    uint64_t monotonic = clock_ns_of(CLOCK_MONOTONIC);
    w.realtime_offset = clock_ns_of(CLOCK_REALTIME) - monotonic;
    w.boottime_offset = clock_ns_of(CLOCK_BOOTTIME) - monotonic;
    timeline_init(&w.line, pid, about->family, about->member, about->cmdline, about->cmdline_length);
    samples_init(&w.samples, &w.line.out, convert, sources->samples);
    w.line.names_calls = remarks_record("io");
    if (about->ring) {
        encoder_keep(&w.line.out, 1);
        triggers_begin(&w.line);
        w.samples.seen = triggers_are_set() ? places_sampled : NULL;
        error = rotate();
    } else {
        begin_batch();
        remarks_announce(&w.line, w.ticks.from.ns, 0);
        flush(); /* a valid trace from the first moment */
        error = w.file.error;
    }
    if (!error) {
        *what = "cannot start the writer's thread";
        error = thread_start(&work, sources->kernel);
    }
    w.running = !error;
    if (!error)
        snapshots_begin(about->snapshots);
    if (error) {
        triggers_end();
        segments_remove(&w.flight.ring);
        timeline_free(&w.line);
        close_files();
    }
    return error;
}

static writer_totals totals_now(uint64_t dropped)
{
    uint64_t lost = w.flight.lost_before + trace_file_lost(&w.file, &w.line.out);
    return (writer_totals){
        .duration_ns = now_written() - w.start_ns,
        .events = w.line.out.events - lost,
        .bytes = bytes_written(),
        .dropped = dropped,
        .lost = lost,
        .lost_ns = w.file.error ? now_written() - w.file.end.ns : 0,
        .late = w.line.late,
        .overhead_ns = w.overhead_ns,
        .samples = w.samples.count,
        .worst_ready_ns = w.line.worst_ready_ns,
        .worst_ready_func = w.line.worst_ready_func,
        .suppressed = w.line.out.kept.is_on ? triggers_suppressed() : 0,
        .snapshots = snapshots_count(),
        .snapshot = snapshots_last(),
        .error = w.file.error,
        .reason = trace_file_reason(&w.file),
    };
}

/* What was asked for before gets a trace of its own. The last one has the end of the recording. */
static void take_last_snapshots(snapshot *last, uint64_t dropped)
{
    flight_finish_copying(&w.flight);
    if (flight_snapshot_told(&w.flight, UINT64_MAX, now_written())) {
        flush();
        begin_batch();
        flight_copy(&w.flight, now_written());
        flight_finish_copying(&w.flight);
    }
    flight_ask_last(&w.flight, now_written(), last);
    snapshot *wanted = flight_snapshot_told(&w.flight, UINT64_MAX, now_written());
    conclude(dropped);
    if (wanted)
        flight_copy(&w.flight, now_written());
    snapshots_end();
}

static void finish(void)
{
    control_close();
    pass(THE_OLD);
    pass(THE_END);
    uint64_t dropped = dropped_in_all();
    begin_batch();
    for (thread_buffer *b = atomic_load(&ring_threads); b; b = atomic_load(&b->next))
        if (b->generation == w.generation)
            tell_last_gap(b);
    if (w.sources->kernel->finish(on_kernel, NULL))
        remarks_note(&w.line, now_written(), "sched",
                     "the program closed the recorder's descriptors: context switches are missing for threads older than "
                     "the recording and for those that they started");
    debug_stop();
    take_last_snapshots(w.ending.last, dropped);
    triggers_end();
    *w.ending.totals = totals_now(dropped);
    if (!w.ending.keeps_ring)
        segments_remove(&w.flight.ring);
    w.flight.ring.folder[0] = 0;
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
    trace_file_unlock(&w.file);
    close_files();
    w.running = 0;
}

void writer_stop(writer_totals *totals, snapshot *last, int keeps_ring)
{
    w.ending.totals = totals;
    w.ending.last = last;
    w.ending.keeps_ring = keeps_ring;
    thread_end(finish, 1);
}

static void write_all(void)
{
    pass(THE_OLD);
    pass(THE_LAST_PASS);
    *w.ending.totals = totals_now(dropped_in_all());
}

void writer_checkpoint(writer_totals *totals)
{
    w.ending.totals = totals;
    thread_end(write_all, 0);
}

void writer_pause(void)
{
    if (w.running)
        thread_pause();
}

void writer_resume(void)
{
    if (w.running)
        thread_resume();
}

/* Threads that the writer starts have its table: those that tell of what a trigger has seen run the program's own code. */
void writer_hide(void)
{
    if (w.running && !debug_is_on() && !triggers_are_set())
        thread_hide();
    else
        writer_resume();
}

void writer_forget(void)
{
    if (!w.running)
        return;
    control_forget();
    debug_forget();
    close_files();
    snapshots_forget();
    w.flight.ring.folder[0] = 0;
    w.running = 0;
    thread_forget();
}

int writer_running(void)
{
    return w.running;
}
