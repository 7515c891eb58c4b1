/* What a live recording shows of its program, as JSON. Only when somebody asks: it goes through all lines. */
#include "timeline/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ring/intern.h"
#include "ring/stack_names.h"
#include "ring/text.h"
#include "timeline/counts.h"
#include "timeline/holds.h"

enum { MOST_ROWS = 500, LONG_WAIT_NS = 1000 * 1000 * 1000, PREFETCHED = 8 };

/* for (each value of a map) */
#define EACH(type, name, m)                                                                        \
    for (uint32_t at_ = 0; (m).slots && at_ <= (m).mask; at_++)                                    \
        for (type *name = (m).slots[at_].key ? (type *)(uintptr_t)(m).slots[at_].value : NULL; name; name = NULL)

const char *tally_state_name(enum tally_state state)
{
    static const char *const names[] = {
        [TALLY_RUNNING] = "running", [TALLY_GIL_WAIT] = "GIL wait", [TALLY_LOCK] = "lock", [TALLY_IO] = "io",
        [TALLY_SLEEP] = "sleep", [TALLY_NATIVE] = "native", [TALLY_PREEMPTED] = "preempted",
        [TALLY_OFF_CPU] = "off cpu",
    };
    return state < TALLY_STATES ? names[state] : "unknown";
}

/* --- how many --- */

static void add_task(tally_tasks *now, const task_line *task)
{
    now->tasks++;
    now->ready += task->state == STATE_READY;
    now->running += task->state == STATE_RUNNING;
    now->awaiting += task->state == STATE_AWAIT;
    if (task->state == STATE_READY && (!now->oldest_ready_ns || task->since_ns < now->oldest_ready_ns))
        now->oldest_ready_ns = task->since_ns;
}

/* The longest come first. */
static void add_wait(status_now *now, uint64_t now_ns, status_wait one)
{
    status_wait *waits = now->waits;
    if (now_ns - one.since_ns < LONG_WAIT_NS)
        return;
    now->long_waits++;
    if (now->wait_count == STATUS_WAITS && waits[STATUS_WAITS - 1].since_ns <= one.since_ns)
        return;
    uint32_t at = now->wait_count < STATUS_WAITS ? now->wait_count++ : STATUS_WAITS - 1;
    for (; at && waits[at - 1].since_ns > one.since_ns; at--)
        waits[at] = waits[at - 1];
    waits[at] = one;
}

/* There may be a hundred thousand tasks, each somewhere else in memory. */
static void add_tasks(const timeline *t, status_now *now, uint64_t now_ns)
{
    const map *all = &t->tasks;
    for (uint32_t i = 0; all->slots && i <= all->mask; i++) {
        const task_line *task = (task_line *)(uintptr_t)all->slots[i].value;
        __builtin_prefetch((void *)(uintptr_t)all->slots[(i + PREFETCHED) & all->mask].value);
        if (!all->slots[i].key)
            continue;
        add_task(&now->tasks, task);
        if (task->loop)
            add_task(&task->loop->now, task);
        if (task->state == STATE_AWAIT)
            add_wait(now, now_ns, (status_wait){task->since_ns, task, NULL});
    }
}

status_now timeline_status_now(const timeline *t, uint64_t now_ns)
{
    status_now now = {0};
    EACH(loop_line, loop, t->loops)
        loop->now = (tally_tasks){0};
    add_tasks(t, &now, now_ns);
    EACH(thread_line, thread, t->threads)
    {
        const lane_line *lane = &thread->lane;
        enum tally_state state = count_state_of(lane);
        ++*(state == TALLY_STATES ? &now.unknown_threads : &now.threads[state]);
        if (lane->state == LANE_CALL || lane->state == LANE_GIL_WAIT || lane->state == LANE_OFF_CPU)
            add_wait(&now, now_ns, (status_wait){lane->boundary_ns, NULL, thread});
    }
    return now;
}

tally_thread timeline_status_of_thread(const thread_line *thread)
{
    tally_thread counts = thread->counts;
    const lane_line *lane = &thread->lane;
    enum tally_state state = count_state_of(lane);
    if (state == TALLY_STATES || lane->upto_ns <= lane->boundary_ns)
        return counts;
    counts.ns[state] += lane->upto_ns - lane->boundary_ns;
    if (count_holds_gil(lane))
        counts.held_ns += lane->upto_ns - lane->boundary_ns;
    return counts;
}

tally_thread timeline_status_threads(const timeline *t)
{
    tally_thread all = t->ended_counts;
    EACH(thread_line, thread, t->threads)
    {
        tally_thread counts = timeline_status_of_thread(thread);
        tally_add(&all, &counts);
    }
    return all;
}

/* --- JSON --- */

static void put_spans(json_text *out, const char *name, const tally_spans *spans)
{
    json_put(out, "\"%s\":{\"count\":%" PRIu64 ",\"total\":%" PRIu64 ",\"max\":%" PRIu64 "}", name, spans->count, spans->ns, spans->longest_ns);
}

/* Of a function: name and place. */
static void put_function(json_text *out, uint32_t func)
{
    intern_func function = intern_function_of(func);
    json_put(out, "\"coro\":");
    json_interned(out, function.name);
    json_put(out, ",\"site\":");
    json_interned(out, function.site);
}

static void put_tally(json_text *out, const tally_thread *counts)
{
    json_put(out, "{");
    for (int i = 0; i < TALLY_STATES; i++)
        json_put(out, "%s\"%s\":%" PRIu64, i ? "," : "", tally_state_name(i), counts->ns[i]);
    json_put(out, "}");
}

static void put_process(const timeline *t, const tally_tasks *now, json_text *out)
{
    tally_thread all = timeline_status_threads(t);
    json_put(out, ",\"tasks\":{\"live\":%u,\"ready\":%u,\"running\":%u,\"awaiting\":%u}", now->tasks, now->ready,
             now->running, now->awaiting);
    json_put(out, ",\"memory\":{\"rss_bytes\":%" PRId64 "}", t->told_rss > 0 ? t->told_rss : 0);
    json_put(out, ",\"thread_states_ns\":");
    put_tally(out, &all);
    if (!t->take_count || t->attached || t->gil_distrusted) {
        json_put(out, ",\"gil\":null");
        return;
    }
    const thread_line *holder = timeline_thread_of(t, t->gil_holder);
    int holds = holder && count_holds_gil(&holder->lane);
    json_put(out, ",\"gil\":{\"held_ns\":%" PRIu64 ",\"waited_ns\":%" PRIu64 ",\"holder\":%u}", all.held_ns, all.ns[TALLY_GIL_WAIT],
             holds ? holder->tid : 0);
}

static void put_collections(const timeline *t, json_text *out)
{
    const tally_gc *gc = &t->collections;
    json_put(out, ",\"gc\":[");
    for (int i = 0; i < TALLY_GENERATIONS; i++) {
        json_put(out, "%s{\"generation\":%d,", i ? "," : "", i);
        put_spans(out, "pause_ns", &gc->spans[i]);
        json_put(out, ",\"collected\":%" PRIu64 ",\"uncollectable\":%" PRIu64 "}", gc->collected[i], gc->uncollectable[i]);
    }
    json_put(out, "]");
}

/* What the loop runs now, if it is a step or callback. */
static const running_step *step_of(const timeline *t, const loop_line *loop)
{
    EACH(thread_line, thread, t->threads)
    {
        running_step *top = top_step(thread);
        if (top && top->loop == loop)
            return top;
    }
    return NULL;
}

static void put_loop(const timeline *t, const loop_line *loop, uint64_t now_ns, json_text *out)
{
    const tally_tasks *now = &loop->now;
    json_put(out, "{\"loop\":%u,\"name\":", loop->id);
    json_string(out, loop->own.name, loop->own.name_length);
    json_put(out, ",\"runs\":%s,\"ran_ns\":%" PRIu64 ",\"idle_ns\":%" PRIu64 ",\"steps\":%" PRIu64 ",\"callbacks\":%" PRIu64,
             loop->run_since_ns ? "true" : "false", loop_ran_ns(loop, now_ns), loop_idle_ns(loop, now_ns), loop->steps,
             loop->callbacks);
    json_put(out, ",\"tasks\":%u,\"ready\":%u,\"ready_longest_ns\":%" PRIu64, now->tasks, now->ready,
             now->oldest_ready_ns ? now_ns - now->oldest_ready_ns : 0);
    const running_step *step = step_of(t, loop);
    json_put(out, ",\"now\":");
    if (step) {
        json_put(out, "{");
        put_function(out, step->func);
        json_put(out, ",\"ns\":%" PRIu64 "}", now_ns - step->since_ns);
    } else {
        json_put(out, "null");
    }
    json_put(out, ",");
    put_spans(out, "lag_ns", &loop->lag.all);
    json_put(out, ",\"lag_buckets\":[");
    for (uint32_t i = 0, first = 1; i < TALLY_BUCKETS; i++) {
        if (!loop->lag.buckets[i])
            continue;
        json_put(out, "%s[%" PRIu64 ",%" PRIu64 "]", first ? "" : ",", tally_limit(i), loop->lag.buckets[i]);
        first = 0;
    }
    json_put(out, "]}");
}

static void put_loops(const timeline *t, uint64_t now_ns, json_text *out)
{
    const char *separator = "";
    json_put(out, ",\"loops\":[");
    EACH(loop_line, loop, t->loops)
    {
        json_put(out, "%s", separator);
        put_loop(t, loop, now_ns, out);
        separator = ",";
    }
    json_put(out, "]");
}

static void put_coroutine(const tally_coroutine *counts, json_text *out)
{
    json_put(out, "{");
    put_function(out, counts->func);
    json_put(out, ",\"live\":%u,\"made\":%" PRIu64 ",", counts->live, counts->made);
    put_spans(out, "running_ns", &counts->running);
    json_put(out, ",");
    put_spans(out, "ready_ns", &counts->ready);
    json_put(out, ",");
    put_spans(out, "await_ns", &counts->await);
    json_put(out, "}");
}

static int busier(const void *one, const void *other)
{
    const tally_coroutine *a = *(tally_coroutine *const *)one, *b = *(tally_coroutine *const *)other;
    uint64_t cost_a = a->running.ns + a->ready.ns, cost_b = b->running.ns + b->ready.ns;
    return cost_a < cost_b ? 1 : cost_a > cost_b ? -1 : (a->func > b->func) - (a->func < b->func);
}

/* Those that ran and were ready longest, if there are many. */
static void put_coroutines(const timeline *t, json_text *out)
{
    uint32_t count = 0;
    const tally_coroutine **rows = malloc((t->coroutines.used + 1) * sizeof *rows);
    EACH(tally_coroutine, counts, t->coroutines)
        if (rows)
            rows[count++] = counts;
    if (rows)
        qsort(rows, count, sizeof *rows, busier);
    json_put(out, ",\"coroutines\":[");
    for (uint32_t i = 0; i < count && i < MOST_ROWS; i++) {
        json_put(out, "%s", i ? "," : "");
        put_coroutine(rows[i], out);
    }
    json_put(out, "],\"coroutines_omitted\":%u", count > MOST_ROWS ? count - MOST_ROWS : 0);
    free(rows);
}

const char *timeline_status_state(const thread_line *thread, size_t *length)
{
    const lane_line *lane = &thread->lane;
    if (lane->state == LANE_CALL)
        return intern_text(lane->what, length);
    const char *name = tally_state_name(count_state_of(lane));
    *length = strlen(name);
    return name;
}

static void put_thread_state(const thread_line *thread, json_text *out)
{
    size_t length;
    const char *state = timeline_status_state(thread, &length);
    json_string(out, state, length);
}

static void put_threads(const timeline *t, json_text *out)
{
    uint32_t rows = 0, omitted = 0;
    json_put(out, ",\"threads\":[");
    EACH(thread_line, thread, t->threads)
    {
        if (rows == MOST_ROWS) {
            omitted++;
            continue;
        }
        const lane_line *lane = &thread->lane;
        tally_thread counts = timeline_status_of_thread(thread);
        json_put(out, "%s{\"tid\":%u,\"name\":", rows++ ? "," : "", thread->tid);
        json_string(out, thread->on.name, thread->on.name_length);
        json_put(out, ",\"state\":");
        put_thread_state(thread, out);
        json_put(out, ",\"state_ns\":%" PRIu64 ",\"states_ns\":",
                 lane->state && lane->upto_ns > lane->boundary_ns ? lane->upto_ns - lane->boundary_ns : 0);
        put_tally(out, &counts);
        json_put(out, "}");
    }
    json_put(out, "],\"threads_omitted\":%u", omitted);
}

static void put_owner(const timeline *t, const lock_line *lock, json_text *out)
{
    const task_line *task = lock->held && lock->owner_task ? timeline_task(t, lock->owner_task) : NULL;
    const thread_line *thread = lock->held && !lock->owner_task ? timeline_thread_of(t, lock->owner) : NULL;
    json_put(out, ",\"owner\":");
    if (task)
        json_string(out, task->name, task->name_length);
    else if (thread)
        json_string(out, thread->on.name, thread->on.name_length);
    else
        json_put(out, "null");
    json_put(out, ",\"owner_site\":");
    json_interned(out, lock->held ? lock->owner_site : 0);
}

static void put_locks(const timeline *t, uint64_t now_ns, json_text *out)
{
    uint32_t rows = 0, omitted = 0;
    json_put(out, ",\"locks\":[");
    EACH(lock_line, lock, t->locks)
    {
        if (!lock->kind || rows == MOST_ROWS) {
            omitted += lock->kind != 0;
            continue;
        }
        uint64_t since_ns = now_ns;
        for (const lock_wait *wait = lock->first; wait; wait = wait->next)
            since_ns = wait->since_ns < since_ns ? wait->since_ns : since_ns;
        json_put(out, "%s{\"lock\":%u,\"kind\":", rows++ ? "," : "", lock->id);
        json_interned(out, lock->kind);
        json_put(out, ",\"site\":");
        json_interned(out, lock->site);
        json_put(out, ",\"waiters\":%" PRId64 ",\"waits_since_ns\":%" PRIu64, lock->waiters, now_ns - since_ns);
        put_owner(t, lock, out);
        json_put(out, ",");
        put_spans(out, "waited_ns", &lock->waited);
        json_put(out, "}");
    }
    json_put(out, "],\"locks_omitted\":%u", omitted);
}

/* --- waits that last --- */

static void put_await(const timeline *t, const task_line *task, json_text *out)
{
    const task_line *awaited = task->awaited ? timeline_task(t, task->awaited) : NULL;
    if (awaited || !task->await_name) {
        char what[256];
        int length = awaited ? snprintf(what, sizeof what, "await task %.*s", (int)awaited->name_length, awaited->name)
                             : snprintf(what, sizeof what, task->awaited ? "await task" : "await");
        json_string(out, what, text_fit(what, (size_t)length, sizeof what - 1));
    } else {
        json_interned(out, task->await_name);
    }
    json_put(out, ",\"site\":");
    json_interned(out, task->await_site);
}

static void put_wait(const timeline *t, const status_wait *wait, uint64_t now_ns, json_text *out)
{
    const thread_line *thread = wait->thread;
    const char *name = wait->task ? wait->task->name : thread->on.name;
    json_put(out, "{\"%s\":", wait->task ? "task" : "thread");
    json_string(out, name, wait->task ? wait->task->name_length : thread->on.name_length);
    json_put(out, ",\"ns\":%" PRIu64 ",\"what\":", now_ns - wait->since_ns);
    if (wait->task) {
        put_await(t, wait->task, out);
    } else {
        const stack_facts *stack = stack_names_of(thread->lane.state == LANE_CALL ? thread->lane.stack
                                                                                  : thread->lane.release_stack);
        put_thread_state(thread, out);
        json_put(out, ",\"site\":");
        json_interned(out, stack ? stack->site : 0);
    }
    json_put(out, "}");
}

static void put_waits(const timeline *t, const status_now *now, uint64_t now_ns, json_text *out)
{
    json_put(out, ",\"waits\":[");
    for (uint32_t i = 0; i < now->wait_count; i++) {
        json_put(out, "%s", i ? "," : "");
        put_wait(t, &now->waits[i], now_ns, out);
    }
    json_put(out, "],\"waits_omitted\":%u", now->long_waits - now->wait_count);
}

void timeline_status_write(const timeline *t, uint64_t now_ns, json_text *out)
{
    status_now now = timeline_status_now(t, now_ns);
    json_put(out, "\"now_ns\":%" PRIu64, now_ns);
    put_process(t, &now.tasks, out);
    put_collections(t, out);
    put_loops(t, now_ns, out);
    put_coroutines(t, out);
    put_threads(t, out);
    put_locks(t, now_ns, out);
    put_waits(t, &now, now_ns, out);
}
