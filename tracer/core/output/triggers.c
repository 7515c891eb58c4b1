/* Evaluates conditions on what is open, and on what has just ended. */
#define _GNU_SOURCE
#include "output/triggers.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output/places.h"
#include "ring/intern.h"
#include "ring/text.h"

enum { MOST_KEPT = 1000, MOST_LOOKS = 4 };
enum { AHEAD_NS = 300 * 1000 * 1000 }; /* longer than it is until the next look */

static struct {
    trigger list[TRIGGERS];
    uint8_t is_above[TRIGGERS]; /* of a number: it was beyond its limit at the last look */
    uint32_t count, keep;
    timeline *line;
    uint64_t cooldown_ns, told_ns, now_ns;
    uint64_t due_ns; /* when the first of what is open becomes as long as its trigger says */
    uint64_t suppressed, untold; /* in all; since the last one that was told */
    moment found;
    int has_found, is_open; /* … and lasts */
    long_spans calls; /* on the states of threads of loops: lines */
    long_spans steps; /* on loops: names */
    long_spans gil_waits; /* on the states of those threads: who had it */
    const track *lane; /* the states of the thread that the moment's step is on; NULL: it is no step */
    const track *loop; /* of a task that is ready, what runs there; else NULL */
    char behind[SNAPSHOT_TEXT]; /* who is in the moment's way */
    uint32_t at_tid, behind_tid; /* of whose thread the samples say where it was: the moment's; who is in its way */
    uint8_t serial;         /* `is_told` of its slice */
    char (*kept)[SEGMENT_PATH]; /* the snapshots on the disk, a ring of `keep` */
    uint64_t written;
    struct sigaction before[NSIG];
} g;
static _Atomic uint64_t place_now, place_ns; /* of the thread of the moment: site << 32 | stack; when it was there */
static atomic_int seen[NSIG]; /* how often each signal has come */

void triggers_set(const trigger *list, uint32_t count, uint32_t keep, uint64_t cooldown_ns)
{
    g.cooldown_ns = cooldown_ns;
    g.count = count < TRIGGERS ? count : TRIGGERS;
    memcpy(g.list, list, g.count * sizeof *list);
    g.keep = keep < MOST_KEPT ? keep : MOST_KEPT;
}

/* --- signals: ours is called first, then the one that was there --- */

static void note_signal(int number, siginfo_t *about, void *context)
{
    atomic_fetch_add(&seen[number], 1);
    const struct sigaction *before = &g.before[number];
    if (before->sa_flags & SA_SIGINFO)
        before->sa_sigaction(number, about, context);
    else if (before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN)
        before->sa_handler(number);
}

static void watch_signals(int begins)
{
    for (uint32_t i = 0; i < g.count; i++) {
        int number = (int)g.list[i].limit;
        struct sigaction now;
        if (g.list[i].kind != TRIGGER_SIGNAL || sigaction(number, NULL, &now) < 0)
            continue;
        int is_ours = now.sa_flags & SA_SIGINFO && now.sa_sigaction == note_signal;
        if (begins && !is_ours) {
            struct sigaction ours = {.sa_sigaction = note_signal, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
            atomic_store(&seen[number], 0);
            sigaction(number, &ours, &g.before[number]);
        } else if (!begins && is_ours) {
            sigaction(number, &g.before[number], NULL);
        }
    }
}

/* --- which slice a trigger is about --- */

static int ends_with_any(const char *text, size_t length, const char *const *names)
{
    for (; *names; names++) {
        size_t size = strlen(*names);
        if (length > size && !memcmp(text + length - size, *names, size) &&
            (text[length - size - 1] == ' ' || text[length - size - 1] == '.'))
            return 1;
    }
    return 0;
}

/* What somebody holds while others wait; nobody holds what the other kinds wait for. */
static int waits_for_holder(const open_slice *slice)
{
    static const char *const held[] = {"Lock", "RLock", "Semaphore", "BoundedSemaphore", "import", NULL};
    size_t length = slice->text_length;
    const char *name = slice->name_id ? intern_text(slice->name_id, &length) : slice->text;
    return name && ends_with_any(name, length, held);
}

static int is_named(const open_slice *slice, const char *name)
{
    size_t length = slice->text_length;
    const char *own = slice->name_id ? intern_text(slice->name_id, &length) : slice->text;
    return own && length == strlen(name) && !memcmp(own, name, length);
}

static int is_step(const open_slice *slice)
{
    return slice->category == SCHEMA_CAT_LOOP && slice->name != SCHEMA_SELECT;
}

static int is_about(const trigger *t, const track *on, const open_slice *slice)
{
    int is_await = slice->category == SCHEMA_CAT_TASK && !slice->name;
    switch (t->kind) {
    case TRIGGER_LOOP: return is_step(slice);
    case TRIGGER_LOCK: return (slice->category == SCHEMA_CAT_LOCK || is_await) && waits_for_holder(slice);
    case TRIGGER_GIL: return slice->category == SCHEMA_CAT_GIL;
    case TRIGGER_GC: return slice->category == SCHEMA_CAT_GC && on->kind == TRACK_KIND_PLAIN;
    case TRIGGER_READY: return slice->category == SCHEMA_CAT_TASK && slice->name == SCHEMA_READY;
    case TRIGGER_TASK: return is_await;
    case TRIGGER_REGION: return slice->category == SCHEMA_CAT_USER && is_named(slice, t->name);
    default: return 0;
    }
}

static int is_of_time(const trigger *t)
{
    return t->kind <= TRIGGER_REGION;
}

/* --- what it was, in words --- */

static void set_text(char *to, size_t size, const char *text, size_t length)
{
    snprintf(to, size, "%.*s", (int)text_fit(text, length, size - 1), text ? text : "");
}

/* The text of an argument, of a stack the line that counts; "" without. */
static void text_among(char *to, size_t size, const arg *args, uint32_t count, enum schema_arg name)
{
    to[0] = 0;
    for (uint32_t i = 0; i < count; i++) {
        const arg *a = &args[i];
        size_t length = a->length;
        if (a->name != name)
            continue;
        const char *text = a->type == ARG_INTERNED ? intern_text((uint32_t)a->value, &length) : a->text;
        if (a->type == ARG_INTERNED || a->type == ARG_TEXT)
            places_in_stack(text, length, to, size);
        else
            set_text(to, size, text, length);
    }
}

static void text_of(char *to, size_t size, const open_slice *slice, enum schema_arg name)
{
    text_among(to, size, open_slice_args(slice), slice->arg_count, name);
}

static uint32_t number_of(const open_slice *slice, enum schema_arg name)
{
    for (uint32_t i = 0; i < slice->arg_count; i++)
        if (open_slice_arg(slice, i).name == name)
            return (uint32_t)open_slice_arg(slice, i).value;
    return 0;
}

static void place(char *to, size_t size, const open_slice *slice)
{
    text_of(to, size, slice, SCHEMA_ARG_SITE);
    if (!to[0])
        text_of(to, size, slice, SCHEMA_ARG_STACK);
}

/* The thread that runs the loop of this track, or has it itself. */
static thread_line *thread_at(const timeline *line, const track *on)
{
    for (uint32_t i = 0; line->threads.slots && i <= line->threads.mask; i++) {
        thread_line *thread = (thread_line *)(uintptr_t)line->threads.slots[i].value;
        if (!line->threads.slots[i].key)
            continue;
        if (&thread->on == on || (thread->loop && &thread->loop->running == on) ||
            (thread->named && &thread->named->running == on))
            return thread;
    }
    return NULL;
}

static task_line *task_at(const timeline *line, const track *on)
{
    for (uint32_t i = 0; line->tasks.slots && i <= line->tasks.mask; i++) {
        task_line *task = (task_line *)(uintptr_t)line->tasks.slots[i].value;
        if (line->tasks.slots[i].key && &task->on->on == on)
            return task;
    }
    return NULL;
}

/* The thread on which the task runs now; NULL: on none. */
static thread_line *runner_of(const timeline *line, const task_line *task)
{
    for (uint32_t i = 0; line->threads.slots && i <= line->threads.mask; i++) {
        thread_line *thread = (thread_line *)(uintptr_t)line->threads.slots[i].value;
        const running_step *step = line->threads.slots[i].key ? top_step(thread) : NULL;
        if (step && step->task == task->id)
            return thread;
    }
    return NULL;
}

/* Of a region, which does not say it: where its thread is now, or what its task awaits. */
static void place_region(moment *m, const timeline *line, const thread_line *thread, const task_line *task)
{
    size_t length;
    if (task && task->state == STATE_AWAIT) {
        const char *site = intern_text(task->await_site, &length);
        set_text(m->site, sizeof m->site, site, length);
        return;
    }
    const thread_line *runs = task ? runner_of(line, task) : thread;
    if (runs)
        m->pthread = runs->pthread;
}

static void name_of(char *to, size_t size, const open_slice *slice)
{
    static const char *const names[] = {NULL,
#define NAME(name, text) text,
        SCHEMA_NAMES(NAME)
#undef NAME
    };
    size_t length = slice->text_length;
    const char *name = slice->name ? NULL : slice->name_id ? intern_text(slice->name_id, &length) : slice->text;
    if (slice->name && slice->name < sizeof names / sizeof *names)
        name = names[slice->name], length = strlen(name);
    set_text(to, size, name, length);
}

/* Of a task that is ready: where it waits, and what its loop does meanwhile. */
static void blame_loop(moment *m, const timeline *line, const task_line *task, const open_slice *ready)
{
    size_t length;
    const track *running = &task->loop->running;
    const char *site = intern_text(task->await_site, &length);
    if (task->await_site)
        set_text(m->site, sizeof m->site, site, length);
    else
        place(m->site, sizeof m->site, ready);
    const thread_line *thread = thread_at(line, running);
    g.loop = running;
    g.behind_tid = thread ? thread->tid : 0;
    if (thread && !m->taken.moment_end_ns)
        m->pthread = thread->pthread;
    const open_slice *runs = running->kept && running->kept->depth ? &running->kept->open[0] : NULL;
    if (runs && is_step(runs) && number_of(runs, SCHEMA_ARG_TASK) != task->id) /* its own step ends the wait */
        name_of(g.behind, sizeof g.behind, runs);
}

static void describe(moment *m, const timeline *line, const track *on, const open_slice *slice)
{
    int is_region = slice->category == SCHEMA_CAT_USER;
    g.lane = g.loop = NULL;
    g.at_tid = g.behind_tid = g.behind[0] = 0;
    const track *owner = is_region ? on->parent : on;
    thread_line *thread = thread_at(line, owner);
    task_line *task = thread ? NULL : task_at(line, owner);
    name_of(m->what, sizeof m->what, slice);
    m->taken.tid = thread ? thread->tid : number_of(slice, SCHEMA_ARG_TID);
    m->taken.task = task ? task->id : number_of(slice, SCHEMA_ARG_TASK);
    if (task) {
        char what[SNAPSHOT_TEXT];
        memcpy(what, m->what, sizeof what);
        intern_func func = intern_function_of(task->func);
        size_t length = 0;
        const char *function = task->name_length && task->name[0] == '#' && func.name ? intern_text(func.name, &length) : "";
        snprintf(m->what, sizeof m->what, "%.*s%s%.*s: %.*s", (int)text_fit(function, length, 80), function,
                 length ? " " : "", (int)text_fit(task->name, task->name_length, 80), task->name, TEXT_AT_MOST(150, what));
    }
    /* Where the thread of a loop is right now says more than which function the loop has called. */
    if (is_region && thread)
        g.at_tid = thread->tid;
    if (is_region && !m->taken.moment_end_ns) {
        place_region(m, line, thread, task);
        return;
    }
    if (slice->name == SCHEMA_READY && task && task->loop) {
        blame_loop(m, line, task, slice);
        return;
    }
    if (slice->category == SCHEMA_CAT_LOOP || slice->category == SCHEMA_CAT_GC)
        g.at_tid = m->taken.tid;
    g.behind_tid = slice->category == SCHEMA_CAT_GIL ? number_of(slice, SCHEMA_ARG_HOLDER) : 0;
    kept_track *lane = thread && on != &thread->on ? thread->on.kept : NULL;
    if (lane && lane->depth && !m->taken.moment_end_ns)
        place(m->site, sizeof m->site, &lane->open[0]);
    if (thread && !m->site[0] && !m->taken.moment_end_ns)
        m->pthread = thread->pthread;
    if (thread && on != &thread->on)
        g.lane = &thread->on;
    if (!m->site[0])
        place(m->site, sizeof m->site, slice);
    text_of(g.behind, sizeof g.behind, slice, SCHEMA_ARG_OWNER_NAME);
    if (!g.behind[0])
        text_of(g.behind, sizeof g.behind, slice, SCHEMA_ARG_HOLDER_NAME);
}

/* --- firing --- */

/* Returns the moment to be filled in, or NULL if nobody is to be told of it. */
static moment *fire(const trigger *t, uint64_t since_ns, uint64_t until_ns)
{
    int rests = g.told_ns && g.now_ns < g.told_ns + g.cooldown_ns;
    if (g.has_found || rests || snapshots_are_copying()) {
        triggers_suppress();
        return NULL;
    }
    g.has_found = 1;
    g.told_ns = g.now_ns;
    g.found = (moment){.taken = {.moment_ns = since_ns, .moment_end_ns = until_ns, .suppressed = g.untold}, .kind = t->kind};
    g.untold = 0;
    memcpy(g.found.trigger, t->text, sizeof g.found.trigger);
    g.found.taken.trigger = g.found.trigger;
    return &g.found;
}

static void look_at(const track *on, open_slice *slice, uint64_t ns, uint64_t until_ns)
{
    int may_last_longer = ns < slice->ns;
    for (uint32_t i = 0; i < g.count && !slice->is_told; i++) {
        const trigger *t = &g.list[i];
        if (!is_of_time(t) || ns < slice->ns || !is_about(t, on, slice))
            continue;
        if (ns - slice->ns < t->limit) {
            may_last_longer = 1;
            g.due_ns = slice->ns + t->limit < g.due_ns ? slice->ns + t->limit : g.due_ns;
            continue;
        }
        slice->is_told = 1;
        moment *m = fire(t, slice->ns, until_ns);
        if (!m)
            continue;
        g.serial = g.serial == UINT8_MAX ? 2 : (uint8_t)(g.serial + 1);
        slice->is_told = g.serial;
        g.is_open = !until_ns;
        atomic_store(&place_now, 0);
        describe(m, g.line, on, slice);
    }
    if (!slice->is_told && !may_last_longer)
        slice->is_told = 1; /* whatever comes: thousands of tasks that wait are not looked at in each pass */
}

/* What keeps a loop: its long steps, and the long calls of its thread. */
static void remember(const track *on, const open_slice *slice, uint64_t end_ns, const arg *args, uint32_t count)
{
    if (is_step(slice)) {
        long_span *step = spans_add(&g.steps, on, slice->ns, end_ns);
        step->of = number_of(slice, SCHEMA_ARG_TASK);
        name_of(step->text, sizeof step->text, slice);
        return;
    }
    int is_gil = slice->category == SCHEMA_CAT_GIL;
    int is_call = slice->category == SCHEMA_CAT_IO || slice->category == SCHEMA_CAT_SLEEP || slice->category == SCHEMA_CAT_LOCK;
    const thread_line *thread = is_gil || is_call ? thread_at(g.line, on) : NULL;
    if (!thread || (!thread->loop && !thread->named))
        return;
    if (is_gil) {
        long_span *wait = spans_add(&g.gil_waits, on, slice->ns, end_ns);
        wait->of = number_of(slice, SCHEMA_ARG_HOLDER);
        text_of(wait->text, sizeof wait->text, slice, SCHEMA_ARG_HOLDER_NAME);
        return;
    }
    long_span *call = spans_add(&g.calls, on, slice->ns, end_ns);
    place(call->text, sizeof call->text, slice);
    if (!call->text[0]) /* the stack's names came after the call */
        text_among(call->text, sizeof call->text, args, count, SCHEMA_ARG_SITE);
}

static void ended(void *unused, const track *on, open_slice *slice, uint64_t end_ns, const arg *args, uint32_t count)
{
    (void)unused;
    g.now_ns = end_ns > g.now_ns ? end_ns : g.now_ns;
    if (g.has_found && slice->is_told == g.serial) { /* found while it went on, and not told yet */
        g.found.taken.moment_end_ns = end_ns;
        g.is_open = 0;
    }
    look_at(on, slice, end_ns, end_ns);
    remember(on, slice, end_ns, args, count);
}

void triggers_begin(timeline *line)
{
    kept_list *kept = &line->out.kept;
    memset(g.is_above, 0, sizeof g.is_above);
    g.line = line;
    g.told_ns = g.suppressed = g.untold = g.now_ns = g.written = 0;
    g.has_found = g.is_open = 0;
    g.serial = 1;
    g.lane = g.loop = NULL;
    g.calls = g.steps = g.gil_waits = (long_spans){0};
    places_begin();
    g.kept = g.count ? calloc(g.keep, sizeof *g.kept) : NULL;
    kept->notable_ns = UINT64_MAX;
    for (uint32_t i = 0; i < g.count; i++)
        if (is_of_time(&g.list[i]) && g.list[i].limit < kept->notable_ns)
            kept->notable_ns = g.list[i].limit;
    kept->ended = g.count ? ended : NULL;
    watch_signals(1);
}

int triggers_are_set(void)
{
    return g.count > 0;
}

void triggers_end(void)
{
    watch_signals(0);
    free(g.kept);
    g.kept = NULL;
    g.count = 0;
}

/* Where its thread was while it lasted, which is known until `upto_ns`; 0: nobody has told. */
static uint64_t place_of(const moment *m, uint64_t upto_ns)
{
    uint64_t place = atomic_load(&place_now), ns = atomic_load(&place_ns), end_ns = m->taken.moment_end_ns;
    return m->pthread && ns >= m->taken.moment_ns && ns <= (end_ns ? end_ns : g.is_open ? upto_ns : 0) ? place : 0;
}

/* Of a step that has ended, and was mostly one call, the line of that; else where its thread computed. */
static void place_late(moment *m, uint64_t until_ns)
{
    const long_span *call = m->taken.moment_end_ns ? spans_most_of(&g.calls, g.lane, m->taken.moment_ns, until_ns) : NULL;
    if (call && !m->site[0])
        memcpy(m->site, call->text, sizeof m->site);
    if (!m->site[0] && g.at_tid)
        places_of(g.at_tid, m->taken.moment_ns, until_ns, m->site, sizeof m->site);
    m->taken.site = m->site[0] ? intern_string(m->site, strlen(m->site)) : 0;
}

/* Who was in the way, and where that was: `name (line)`. */
static void place_behind(moment *m, uint64_t until_ns, const char *answer, size_t length)
{
    char at[SNAPSHOT_TEXT];
    set_text(at, sizeof at, answer, length);
    const long_span *step = spans_most_of(&g.steps, g.loop, m->taken.moment_ns, until_ns);
    const thread_line *thread = g.loop ? thread_at(g.line, g.loop) : NULL;
    const track *lane = thread ? &thread->on : NULL;
    const long_span *wait = spans_most_of(&g.gil_waits, lane, m->taken.moment_ns, until_ns);
    const long_span *call = spans_most_of(&g.calls, lane, m->taken.moment_ns, until_ns);
    const char *who = wait ? wait->text : step && step->of != m->taken.task ? step->text : g.behind;
    uint32_t tid = wait ? wait->of : g.behind_tid;
    if (call)
        memcpy(at, call->text, sizeof at);
    else if (tid && (wait || !at[0]))
        places_of(tid, m->taken.moment_ns, until_ns, at, sizeof at);
    snprintf(m->behind, sizeof m->behind, who[0] && at[0] ? "%.*s (%s)" : "%.*s%s", TEXT_AT_MOST(200, who), at);
    text_mend(m->behind, sizeof m->behind);
}

/* In one line; of bytes, signals and counts, only what was counted. */
static void say(moment *m, uint64_t ns)
{
    char *to = m->taken.reason;
    size_t length = 0, size = sizeof m->taken.reason;
    if (m->kind > TRIGGER_REGION) {
        const char *unit = m->kind == TRIGGER_RSS ? " bytes" : "";
        snprintf(to, size, m->kind == TRIGGER_SIGNAL ? "%s" : "%s (%llu%s)", m->trigger, (unsigned long long)m->value, unit);
        return;
    }
    uint64_t found = place_of(m, ns), until_ns = m->taken.moment_end_ns ? m->taken.moment_end_ns : ns;
    const char *answer = found ? intern_text((uint32_t)(found >> 32), &length) : "";
    m->is_placed |= found != 0;
    if (found && !g.loop) {
        m->taken.site = (uint32_t)(found >> 32);
        m->taken.stack = (uint32_t)found;
        set_text(m->site, sizeof m->site, answer, length);
    } else {
        place_late(m, until_ns);
    }
    place_behind(m, until_ns, answer, g.loop ? length : 0);
    m->ns = until_ns - m->taken.moment_ns;
    double ms = (double)m->ns / 1e6;
    snprintf(to, size, "%s (%.*s, %.1f ms%s%s%.*s%s%.*s)", m->trigger, TEXT_AT_MOST(80, m->what), ms,
             m->taken.moment_end_ns ? "" : " so far", m->site[0] ? ", at " : "", TEXT_AT_MOST(120, m->site),
             m->behind[0] ? ", behind " : "", TEXT_AT_MOST(160, m->behind));
    text_mend(to, size);
}

static void look_at_number(uint32_t i, uint64_t value)
{
    int above = value > g.list[i].limit;
    moment *m = above && !g.is_above[i] ? fire(&g.list[i], g.now_ns, g.now_ns) : NULL;
    g.is_above[i] = (uint8_t)above;
    if (m)
        m->value = value;
}

moment *triggers_look(timeline *line, uint64_t ns, uint64_t rss_bytes)
{
    int was_found = g.has_found;
    g.now_ns = ns;
    g.due_ns = UINT64_MAX;
    g.is_open = was_found ? 0 : g.is_open;
    for (kept_track *k = line->out.kept.watched, *next; k; k = next) {
        int goes_on = 0;
        next = k->watched_next;
        for (uint32_t i = 0; i < k->depth; i++) {
            open_slice *slice = &k->open[i];
            if (was_found && slice->is_told == g.serial)
                g.is_open = 1;
            else if (!slice->is_told && ns > slice->ns && ns + AHEAD_NS - slice->ns >= line->out.kept.notable_ns)
                look_at(k->of, slice, ns, 0);
            goes_on |= !slice->is_told || slice->is_told == g.serial;
        }
        if (!goes_on)
            kept_unwatch(k);
    }
    for (uint32_t i = 0; i < g.count; i++) {
        const trigger *t = &g.list[i];
        if (t->kind == TRIGGER_TASKS)
            look_at_number(i, (uint64_t)line->live_tasks);
        else if (t->kind == TRIGGER_THREADS)
            look_at_number(i, (uint64_t)line->live_threads);
        else if (t->kind == TRIGGER_RSS)
            look_at_number(i, rss_bytes);
        else if (t->kind == TRIGGER_SIGNAL && atomic_exchange(&seen[t->limit], 0))
            fire(t, ns, ns);
    }
    if (!g.has_found)
        return NULL;
    g.has_found = 0;
    g.found.looks++;
    say(&g.found, ns);
    return &g.found;
}

uint64_t triggers_due_ns(void)
{
    return g.has_found ? 0 : g.due_ns;
}

int triggers_are_sure(const moment *of)
{
    return of->looks > MOST_LOOKS || !of->pthread || of->is_placed || !g.is_open;
}

void triggers_place(uint32_t site, uint32_t stack, uint64_t ns)
{
    atomic_store(&place_ns, ns);
    atomic_store(&place_now, (uint64_t)site << 32 | stack);
}

void triggers_postpone(void)
{
    g.has_found = 1;
}

moment *triggers_left(uint64_t ns)
{
    if (!g.has_found)
        return NULL;
    g.has_found = 0;
    say(&g.found, ns); /* as it still lasts: where it was asked is true of it */
    g.is_open = 0;
    return &g.found;
}

void triggers_suppress(void)
{
    g.suppressed++;
    g.untold++;
}

uint64_t triggers_suppressed(void)
{
    return g.suppressed;
}

uint64_t triggers_untold(void)
{
    return g.untold;
}

void triggers_written(const moment *of)
{
    if (!g.kept || of->taken.error)
        return;
    char *place = g.kept[g.written++ % g.keep];
    if (place[0])
        unlink(place);
    memcpy(place, of->taken.target, SEGMENT_PATH);
}
