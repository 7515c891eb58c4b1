/* Turns records into slices: dispatch, threads, GC, notes. Tasks: timeline/tasks.c. */
#define _GNU_SOURCE
#include "timeline/timeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packets/slices.h"
#include "ring/stack_names.h"
#include "timeline/counters.h"
#include "timeline/gc.h"
#include "timeline/heap.h"
#include "timeline/jobs.h"
#include "timeline/lanes.h"
#include "timeline/locks.h"
#include "timeline/loops.h"
#include "timeline/process.h"
#include "timeline/switches.h"
#include "timeline/tasks.h"
#include "timeline/unreaped.h"
#include "timeline/user.h"
#include "timeline/waits.h"

static void gather_handlers(void);

void timeline_init(timeline *t, uint32_t pid, uint64_t seed, uint32_t member, const char *cmdline, size_t length)
{
    *t = (timeline){.main_tid = pid, .seed = seed, .told_tasks = -1, .told_threads = -1, .told_rss = -1,
                    .told_files = -1};
    gather_handlers();
    encoder *e = &t->out;
    encoder_init(e, pid, seed, member);
    track_init(e, &t->process, TRACK_KIND_PROCESS, NULL, cmdline, length);
    struct {
        track *at;
        enum track_kind kind;
        const char *name;
    } lines[] = {
        {&t->tracer, TRACK_KIND_PLAIN, SCHEMA_TEXT_TRACK_TRACER},
        {&t->gc, TRACK_KIND_PLAIN, SCHEMA_TEXT_TRACK_GC},
        {&t->count_tasks, TRACK_KIND_COUNTER, SCHEMA_TEXT_COUNTER_TASKS},
        {&t->count_threads, TRACK_KIND_COUNTER, SCHEMA_TEXT_COUNTER_THREADS},
        {&t->count_rss, TRACK_KIND_COUNTER, SCHEMA_TEXT_COUNTER_RSS},
        {&t->count_files, TRACK_KIND_COUNTER, SCHEMA_TEXT_COUNTER_FILES},
        {&t->all_locks, TRACK_KIND_PLAIN, SCHEMA_TEXT_TRACK_LOCKS},
        {&t->all_operations, TRACK_KIND_PLAIN, SCHEMA_TEXT_TRACK_OPERATIONS},
        {&t->all_user_counters, TRACK_KIND_PLAIN, SCHEMA_TEXT_TRACK_USER_COUNTERS},
        {&t->all_queues, TRACK_KIND_PLAIN, SCHEMA_TEXT_TRACK_QUEUES},
        {&t->pool_jobs, TRACK_KIND_PLAIN, SCHEMA_TEXT_TRACK_JOBS},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        track_init(e, lines[i].at, lines[i].kind, &t->process, lines[i].name, strlen(lines[i].name));
    e->next_default = &t->tracer;
    if (!member)
        process_call_by_program(t);
}

static void free_values(map *m, void (*release)(void *))
{
    for (uint32_t i = 0; m->slots && i <= m->mask; i++)
        if (m->slots[i].key)
            release((void *)(uintptr_t)m->slots[i].value);
    map_free(m);
}

static void release_task(void *task)
{
    task_line *line = task;
    user_line_free(NULL, line->on->user);
    track_free(&line->on->on);
    free(line->on);
    free(line->waits);
    free(line->name);
    free(line);
}

static void release_loop(void *loop)
{
    loop_free(NULL, loop);
}

static void release_silent(void *thread)
{
    thread_line *line = thread;
    line->is_gone |= line->is_silent;
    thread_line_settle(line);
}

void timeline_free(timeline *t)
{
    free_values(&t->tasks, release_task);
    free_values(&t->loops, release_loop);
    free_values(&t->handles, free);
    loops_forget_causes(t);
    free_values(&t->coroutines, free);
    free_values(&t->names, free);
    free_values(&t->threads, release_silent);
    map_free(&t->spawned);
    map_free(&t->jobs);
    free(t->switches);
    for (int i = 0; i < ENDED; i++)
        thread_line_let_go(t->ended[i]);
    free(t->unshown);
    locks_free(t);
    user_free(t);
    heap_free(t);
    track *lines[] = {&t->process, &t->tracer, &t->gc, &t->count_tasks, &t->count_threads, &t->count_rss,
                      &t->count_files, &t->all_locks, &t->pool_jobs};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        track_free(lines[i]);
    encoder_free(&t->out);
}

/* Calls a thread without a name by its number. */
static void name_thread(const timeline *t, thread_line *thread, const char *given, size_t length)
{
    char number[32];
    if (!length) {
        length = (size_t)(thread->tid == t->main_tid ? snprintf(number, sizeof number, "MainThread")
                                                     : snprintf(number, sizeof number, "thread %u", thread->tid));
        given = number;
    }
    track_rename(&thread->on, given, length);
}

thread_line *timeline_thread(timeline *t, uint32_t tid, uint64_t pthread)
{
    thread_line *silent = timeline_thread_of(t, tid);
    if (silent && silent->is_silent) {
        silent->is_silent = 0;
        silent->pthread = pthread;
        return silent;
    }
    thread_line *thread = calloc(1, sizeof *thread);
    if (!thread)
        return NULL;
    uint64_t *slot = map_put(&t->threads, tid);
    if (slot)
        *slot = (uint64_t)(uintptr_t)thread;
    track_init(&t->out, &thread->on, TRACK_KIND_THREAD, NULL, "", 0);
    thread->on.tid = thread->tid = tid;
    thread->pthread = pthread;
    t->live_threads++;
    uint64_t *known = map_find(&t->names, tid);
    char *given = known ? (char *)(uintptr_t)*known : NULL;
    name_thread(t, thread, given, given ? strlen(given) : 0);
    free(given);
    map_remove(&t->names, tid);
    return thread;
}

void timeline_thread_gone(timeline *t, thread_line *thread)
{
    t->live_threads--;
    uint64_t *slot = map_find(&t->threads, thread->tid);
    if (slot && *slot == (uint64_t)(uintptr_t)thread) /* the kernel may have reused the id already */
        map_remove(&t->threads, thread->tid);
    locks_lose(t, thread, 0);
    counters_close(t, thread);
    user_line_free(t, thread->user);
    lane_free(&thread->lane);
    tally_add(&t->ended_counts, &thread->counts);
    thread->is_gone = 1;
    thread_line **last = &t->ended[t->ended_count++ % ENDED];
    thread_line *before = *last;
    *last = thread_line_keep(thread);
    thread_line_let_go(before);
}

/* Where a thread or process was started. */
static void add_stack(event *ev, uint32_t number)
{
    const stack_facts *stack = stack_names_of(number);
    if (!stack)
        return;
    event_interned(ev, SCHEMA_ARG_SITE, stack->site);
    event_interned(ev, SCHEMA_ARG_STACK, stack->text);
}

/* --- threads --- */

HANDLER(thread_spawn)
{
    UNUSED(text);
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .on = &thread->on, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_THREAD, .name = SCHEMA_THREAD_START};
    add_stack(&ev, r->a);
    packet_ref at = encoder_event(&t->out, &ev);
    uint64_t flow = encoder_new_flow(&t->out);
    uint64_t *known = map_put(&t->spawned, r->b);
    if (known && encoder_add_flow(&t->out, &at, flow) == 0)
        *known = flow;
}

HANDLER(stack_of_thread)
{
    UNUSED(thread && text);
    thread_line *of = timeline_thread_of(t, (uint32_t)r->b);
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .type = SCHEMA_TYPE_INSTANT, .category = SCHEMA_CAT_THREAD,
                .name = SCHEMA_THREAD_STACK};
    if (!of) { /* it has done nothing since the recording began */
        of = timeline_thread(t, (uint32_t)r->b, 0);
        if (!of)
            return;
        of->is_silent = 1;
    }
    ev.on = &of->on;
    add_stack(&ev, r->a);
    encoder_event(&t->out, &ev);
}

HANDLER(stacks_marked)
{
    UNUSED(thread && text);
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .on = &t->tracer, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_TRACER, .name = SCHEMA_STACKS_MARKED};
    event_uint(&ev, SCHEMA_ARG_COUNT, r->b);
    encoder_event(&t->out, &ev);
}

HANDLER(thread_begin)
{
    UNUSED(text);
    uint64_t *spawned = map_find(&t->spawned, r->b);
    uint64_t flow = spawned ? *spawned : 0;
    lane_line *lane = &thread->lane;
    if (lane->pending && !lane->take.drop_ns) { /* the flow ends in its first `running` */
        lane->take.flow_in = flow;
        lane_flush(t, thread);
        flow = 0;
    }
    event ev = {.ns = ns, .on = &thread->on, .type = SCHEMA_TYPE_INSTANT, .category = SCHEMA_CAT_THREAD,
                .name = SCHEMA_THREAD_STARTED, .flow_in = flow};
    encoder_event(&t->out, &ev);
    map_remove(&t->spawned, r->b);
}

HANDLER(thread_name)
{
    UNUSED(thread), UNUSED(ns);
    uint64_t *slot = map_find(&t->threads, r->a);
    if (slot) {
        name_thread(t, (thread_line *)(uintptr_t)*slot, text, r->b);
        return;
    }
    slot = map_put(&t->names, r->a);
    if (!slot)
        return;
    free((void *)(uintptr_t)*slot);
    *slot = (uint64_t)(uintptr_t)strndup(text, r->b);
}

HANDLER(thread_failed)
{
    UNUSED(text);
    char name[NAME_BYTES];
    size_t length = tasks_failed_name(name, (uint32_t)r->b);
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .on = &thread->on, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_THREAD, .text = name,
                .text_length = (uint32_t)length};
    add_stack(&ev, r->a);
    encoder_event(&t->out, &ev);
}

HANDLER(thread_ends)
{
    UNUSED(t), UNUSED(r), UNUSED(text);
    thread->end_ns = ns;
}

HANDLER(thread_exit)
{
    UNUSED(text);
    if (!thread->end_ns)
        thread->end_ns = r->b && r->b < ns ? r->b : ns;
    tasks_end_with_thread(t, thread, ns);
    loops_end_with_thread(t, thread, ns);
    lane_close(t, thread, r->b, ns);
    user_close(t, thread->user, ns);
    encoder_instant(&t->out, &thread->on, SCHEMA_CAT_THREAD, SCHEMA_THREAD_EXIT, ns);
}

/* --- GC --- */

HANDLER(gc_begin)
{
    UNUSED(text);
    if (thread->gc_open)
        return;
    lane_reach(t, thread, ns);
    thread->gc_open = 1;
    thread->gc_since_ns = ns;
    thread->gc_heap = heap_live(t);
    thread->gc_freed = 0;
    thread->gc_generation = r->a;
    thread->gc_is_called = r->flag;
    thread->gc_stack = (uint32_t)r->b;
    gc_slice(t, thread, &thread->on, ns, SCHEMA_TYPE_SLICE_BEGIN);
    gc_slice(t, thread, &t->gc, ns, SCHEMA_TYPE_SLICE_BEGIN);
}

HANDLER(gc_end)
{
    UNUSED(text);
    if (!thread->gc_open)
        return;
    lane_reach(t, thread, ns);
    gc_finish(t, thread, ns, r->b, r->c);
}

/* --- children --- */

HANDLER(followed)
{
    UNUSED(t), UNUSED(text);
    child_start *start = &thread->starts[r->c];
    *start = (child_start){.ns = r->flag && start->flow ? start->ns : ns, .flow = r->b, .reason = r->a};
}

/* Writes the start of a child, whose trace has the other end of the flow. */
static void write_start(timeline *t, child_start *start, event *ev)
{
    if (start->flow) {
        event_bool(ev, SCHEMA_ARG_FOLLOWED, 1);
        ev->ns = start->ns;
    }
    event_interned(ev, SCHEMA_ARG_REASON, start->reason);
    packet_ref at = encoder_event(&t->out, ev);
    if (start->flow)
        encoder_add_flow(&t->out, &at, start->flow);
    *start = (child_start){0};
}

HANDLER(child)
{
    arg ev_args[EVENT_ARGS];
    uint8_t kind = r->flag & ((1 << CHILD_DEPTH_SHIFT) - 1), depth = r->flag >> CHILD_DEPTH_SHIFT;
    event ev = {.args = ev_args, .ns = ns, .on = &thread->on, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_THREAD, .name = kind == CHILD_FORK ? SCHEMA_FORK : SCHEMA_SPAWN};
    if (r->c)
        event_uint(&ev, SCHEMA_ARG_CHILD, r->c);
    unreaped_begins(t, r->c);
    if (r->b)
        event_text(&ev, SCHEMA_ARG_COMMAND, text, r->b);
    add_stack(&ev, r->a);
    write_start(t, &thread->starts[depth], &ev);
}

HANDLER(process_started)
{
    UNUSED(text);
    event ev = {.ns = ns, .on = &thread->on, .type = SCHEMA_TYPE_INSTANT, .category = SCHEMA_CAT_THREAD,
                .name = SCHEMA_PROCESS_STARTED, .flow_in = r->b};
    encoder_event(&t->out, &ev);
}

HANDLER(process_named)
{
    UNUSED(thread);
    process_call(t, text, r->b);
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .on = &t->tracer, .type = SCHEMA_TYPE_INSTANT, .category = SCHEMA_CAT_TRACER,
                .name = SCHEMA_PROCESS_NAMED, .lasts = 1};
    event_text(&ev, SCHEMA_ARG_NAME, text, r->b);
    encoder_event(&t->out, &ev);
}

HANDLER(child_ended)
{
    UNUSED(text);
    unreaped_ends(t, r->b);
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .on = &thread->on, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_THREAD, .name = SCHEMA_CHILD_ENDED};
    event_uint(&ev, SCHEMA_ARG_CHILD, r->b);
    event_uint(&ev, r->flag ? SCHEMA_ARG_SIGNAL : SCHEMA_ARG_STATUS, r->a);
    encoder_event(&t->out, &ev);
}

HANDLER(raised)
{
    UNUSED(text);
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .on = &thread->on, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_THREAD, .name = r->flag ? SCHEMA_ERROR_RESPONSE : SCHEMA_RAISED};
    if (r->flag)
        event_uint(&ev, SCHEMA_ARG_STATUS, (uint32_t)r->b);
    else
        event_interned(&ev, SCHEMA_ARG_EXCEPTION, (uint32_t)r->b);
    if (r->c)
        event_uint(&ev, SCHEMA_ARG_OMITTED, r->c);
    if (r->b >> 32)
        event_uint(&ev, SCHEMA_ARG_SINCE, ns - (r->b >> 32) * 1000000);
    add_stack(&ev, r->a);
    encoder_event(&t->out, &ev);
}

HANDLER(signal_sent)
{
    UNUSED(text);
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .on = &thread->on, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_THREAD, .name = SCHEMA_SIGNAL_SENT};
    event_uint(&ev, SCHEMA_ARG_CHILD, r->b);
    event_uint(&ev, SCHEMA_ARG_SIGNAL, r->flag);
    const stack_facts *stack = stack_names_of(r->a);
    if (stack) {
        event_interned(&ev, SCHEMA_ARG_SITE, stack->site);
        event_interned(&ev, SCHEMA_ARG_STACK, stack->text);
    }
    encoder_event(&t->out, &ev);
}

/* --- notes, loss --- */

HANDLER(note)
{
    static const uint8_t names[] = {[NOTE_HOOK_DISABLED] = SCHEMA_HOOK_DISABLED, [NOTE_OTHER] = SCHEMA_NOTE,
                                    [NOTE_EXEC] = SCHEMA_EXEC, [NOTE_EXEC_FAILED] = SCHEMA_EXEC_FAILED};
    uint32_t subject = r->a < r->b ? r->a : (uint32_t)r->b;
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .on = &t->tracer, .type = SCHEMA_TYPE_INSTANT, .category = SCHEMA_CAT_TRACER,
                .name = names[r->flag], .lasts = r->flag == NOTE_HOOK_DISABLED || r->flag == NOTE_OTHER};
    if (r->flag == NOTE_EXEC) {
        event_text(&ev, SCHEMA_ARG_PATH, text, subject);
        write_start(t, &thread->starts[CHILD_EXEC], &ev);
        return;
    } else if (r->flag != NOTE_EXEC_FAILED) {
        event_text(&ev, SCHEMA_ARG_HOOK, text, subject);
        event_text(&ev, SCHEMA_ARG_REASON, text + subject, r->b - subject);
    }
    encoder_event(&t->out, &ev);
}

/* The writer has converted `c`, the time of the first loss, to the trace clock. */
HANDLER(gap)
{
    UNUSED(text);
    uint64_t count = r->b, since_ns = r->c;
    t->dropped += count;
    thread->lost += count;
    if (since_ns > ns)
        since_ns = ns;
    lane_reach(t, thread, since_ns);
    if (thread->gc_open)
        gc_finish(t, thread, since_ns, 0, 0);
    lane_close(t, thread, 0, since_ns);
    locks_lose(t, thread, since_ns);
    user_close(t, thread->user, since_ns);
    timeline_close_unknown(t, thread, since_ns);
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .on = &t->tracer, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_TRACER, .name = SCHEMA_EVENTS_DROPPED};
    event_uint(&ev, SCHEMA_ARG_COUNT, count);
    event_uint(&ev, SCHEMA_ARG_SINCE, since_ns);
    event_uint(&ev, SCHEMA_ARG_TID, thread->tid);
    encoder_event(&t->out, &ev);
}

/* --- dispatch --- */

static const record_handler handlers[REC_KINDS] = {
    [REC_GAP] = gap,
    [REC_THREAD_SPAWN] = thread_spawn,
    [REC_THREAD_BEGIN] = thread_begin,
    [REC_THREAD_NAME] = thread_name,
    [REC_THREAD_FAILED] = thread_failed,
    [REC_THREAD_ENDS] = thread_ends,
    [REC_STACK] = stack_of_thread,
    [REC_STACKS] = stacks_marked,
    [REC_THREAD_EXIT] = thread_exit,
    [REC_GC_BEGIN] = gc_begin,
    [REC_GC_END] = gc_end,
    [REC_FOLLOWED] = followed,
    [REC_CHILD] = child,
    [REC_PROCESS_NAMED] = process_named,
    [REC_PROCESS_STARTED] = process_started,
    [REC_CHILD_ENDED] = child_ended,
    [REC_SIGNAL_SENT] = signal_sent,
    [REC_RAISED] = raised,
    [REC_NOTE] = note,
};

record_handler timeline_handlers[UINT8_MAX + 1];

static void gather_handlers(void)
{
    static const record_handler *const tables[] = {timeline_task_handlers, timeline_loop_handlers,
                                                   timeline_lane_handlers, timeline_lock_handlers,
                                                   timeline_user_handlers, timeline_job_handlers,
                                                   timeline_heap_handlers, timeline_switch_handlers, handlers};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (int kind = 0; kind < REC_KINDS; kind++)
            if (tables[i][kind])
                timeline_handlers[kind] = tables[i][kind];
}

void timeline_settle(timeline *t)
{
    for (uint32_t i = 0; i < t->unshown_count; i++) {
        task_line *task = timeline_task(t, t->unshown[i]);
        if (task)
            task_show(t, task);
    }
    t->unshown_count = 0;
    heap_settle(t);
}
