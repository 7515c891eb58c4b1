/* Turns records into slices: the life of tasks, what loops run, and who woke whom. */
#include "timeline/tasks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packets/slices.h"
#include "ring/hot.h"
#include "ring/intern.h"
#include "ring/stack_names.h"
#include "ring/text.h"
#include "timeline/counts.h"
#include "timeline/loops.h"
#include "timeline/steps.h"
#include "timeline/task_lines.h"
#include "timeline/user.h"
#include "timeline/waits.h"

/* --- showing a task: its first slice --- */

static void add_identity(event *ev, const task_line *task)
{
    intern_func func = intern_function_of(task->func);
    event_uint(ev, SCHEMA_ARG_TASK, task->id);
    event_text(ev, SCHEMA_ARG_NAME, task->name, task->name_length);
    event_interned(ev, SCHEMA_ARG_CORO, func.name);
    event_interned(ev, SCHEMA_ARG_SITE, func.site);
    if (task->has_parent)
        event_uint(ev, SCHEMA_ARG_PARENT, task->parent);
}

/* A task is named last. */
static void add_waker(event *ev, const task_line *task)
{
    switch (task->woken.kind) {
    case CAUSE_THREAD:
        event_uint(ev, SCHEMA_ARG_WAKER_THREAD, task->woken.id);
        break;
    case CAUSE_TIMER:
        event_text(ev, SCHEMA_ARG_WAKER, "timer", 5);
        break;
    case CAUSE_IO:
        event_text(ev, SCHEMA_ARG_WAKER, "io", 2);
        break;
    }
    event_interned(ev, SCHEMA_ARG_VIA, intern_function_of(task->via).name);
}

static void add_stack(event *ev, uint32_t id)
{
    const stack_facts *stack = stack_names_of(id);
    if (stack)
        event_interned(ev, SCHEMA_ARG_STACK, stack->text);
}

/* BEGIN of the state the task is in, at since_ns. `what` is for STATE_AWAIT: its name and site. */
typedef struct {
    uint32_t name_id, site, stack;
    const char *text;
    size_t length;
    const thread_line *thread;
    const await_lock *lock; /* NULL: it is for none */
} await_what;

/* What was known about the state to come is told. */
static void begun(task_line *task)
{
    task->flow_in = 0;
    task->woken = (cause){0};
    task->via = task->stack = 0;
}

/* The shape of what begin_state() says where that is the same again and again; NULL: it is not. */
static inline shape *shape_of(encoder *e, const task_line *task, enum task_state state, const await_what *what)
{
    if (task->renamed)
        return NULL;
    if (state == STATE_READY)
        return encoder_shape(e, SHAPE_READY, task->woken.kind, task->woken.kind == CAUSE_TASK ? 0 : task->woken.id, task->via,
                             task->stack);
    return state != STATE_AWAIT || what->lock || !what->name_id ? NULL
        : encoder_shape(e, SHAPE_AWAIT, 0, what->name_id, what->site, what->stack);
}

/* Whether the text of its stack may still come: then it is no shape yet. */
static int is_to_come(const task_line *task, const await_what *what)
{
    uint32_t stack = task->state == STATE_AWAIT ? what->stack : task->stack;
    return stack && !stack_names_of(stack);
}

static void begin_state(timeline *t, task_line *task, const await_what *what, int first)
{
    encoder *e = &t->out;
    shape *as = first ? NULL : shape_of(e, task, task->state, what);
    if (as && encoder_knows(e, as)) {
        packet_ref at;
        encoder_shaped_with_care(e, as, task->woken.id, &task->on->on, task->since_ns, task->flow_in, &at);
        begun(task);
        return;
    }
    if (as && is_to_come(task, what))
        as = NULL;
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = task->since_ns, .on = &task->on->on, .type = SCHEMA_TYPE_SLICE_BEGIN,
                .category = SCHEMA_CAT_TASK, .flow_in = task->flow_in};
    if (task->state == STATE_RUNNING) {
        ev.name = SCHEMA_RUNNING;
    } else if (task->state == STATE_READY) {
        ev.name = SCHEMA_READY;
        add_waker(&ev, task);
        add_stack(&ev, task->stack);
        if (task->woken.kind == CAUSE_TASK)
            event_own(&ev, SCHEMA_ARG_WAKER_TASK, task->woken.id);
    } else {
        ev.name_id = what->name_id;
        ev.text = what->text;
        ev.text_length = (uint32_t)what->length;
        event_interned(&ev, SCHEMA_ARG_SITE, what->site);
        add_stack(&ev, what->stack);
    }
    if (first && !task->merged) {
        if (task->state == STATE_AWAIT) /* adopted while waiting: `site` is the task's own then */
            ev.arg_count = 0;
        add_identity(&ev, task);
    } else if (task->renamed) {
        event_text(&ev, SCHEMA_ARG_NAME, task->name, task->name_length);
        task->renamed = 0;
    }
    if (task->state == STATE_AWAIT && what->lock)
        locks_task_waits(t, what->thread, task, what->lock, what->site, &ev);
    packet_ref at = encoder_event_as(e, &ev, as);
    if (task->state == STATE_RUNNING)
        task->running = at;
    begun(task);
}

static void show_with(timeline *t, task_line *task, const await_what *what)
{
    if (task->shown || task->state < STATE_READY)
        return;
    task->shown = 1;
    if (!task->merged)
        task_line_show_name(task);
    if (task->merged) {
        arg life_args[EVENT_ARGS];
        event life = {.args = life_args, .ns = task->since_ns, .on = &task->on->on, .type = SCHEMA_TYPE_SLICE_BEGIN,
                      .category = SCHEMA_CAT_LIFETIME, .text = task->name, .text_length = task->name_length};
        add_identity(&life, task);
        encoder_event(&t->out, &life);
    }
    task->renamed = 0;
    begin_state(t, task, what, 1);
}

void task_show(timeline *t, task_line *task)
{
    static const await_what nothing;
    if (task->state != STATE_AWAIT)
        show_with(t, task, &nothing);
}

static void end_lock_wait(timeline *t, task_line *task, uint64_t ns)
{
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .on = &task->on->on, .type = SCHEMA_TYPE_SLICE_END};
    locks_task_woken(t, task, &ev);
    encoder_event(&t->out, &ev);
}

static void end_state(timeline *t, task_line *task, uint64_t ns)
{
    if (task->state < STATE_READY)
        return;
    if (task->awaits_lock)
        end_lock_wait(t, task, ns);
    else
        encoder_end(&t->out, &task->on->on, ns);
    count_state(t, task, ns);
    task->state = STATE_UNKNOWN;
}

/* Ends its state and begins the next one at once, where that says nothing, or what others have said. Returns whether it
 * could. */
static WITHIN int turn(timeline *t, task_line *task, uint64_t ns, enum task_state next, const await_what *what)
{
    encoder *e = &t->out;
    if (!task->shown || task->state < STATE_READY || task->awaits_lock || ns < task->since_ns)
        return 0;
    int is_plain = !task->renamed && !task->flow_in &&
                   (next == STATE_RUNNING || (next == STATE_READY && !task->woken.kind && !task->via && !task->stack));
    const shape *as = is_plain ? NULL : shape_of(e, task, next, what);
    if (!is_plain && (!as || !encoder_knows(e, as)))
        return 0;
    count_state(t, task, ns);
    task->state = (uint8_t)next;
    task->since_ns = ns;
    if (is_plain) {
        encoder_turn(e, &task->on->on, ns, SCHEMA_CAT_TASK, next == STATE_RUNNING ? SCHEMA_RUNNING : SCHEMA_READY,
                     &task->running);
        return 1;
    }
    encoder_turn_to(e, as, task->woken.id, &task->on->on, ns, task->flow_in);
    begun(task);
    return 1;
}

static ALONE void enter_with_care(timeline *t, task_line *task, uint64_t ns, enum task_state state, const await_what *what)
{
    task_show(t, task);
    ns = task_line_not_before(t, task->since_ns, ns);
    if (turn(t, task, ns, state, what))
        return;
    end_state(t, task, ns);
    task->state = (uint8_t)state;
    task->since_ns = ns;
    if (task->shown)
        begin_state(t, task, what, 0);
    else if (state != STATE_READY) /* a new task's first `ready` waits for its name */
        show_with(t, task, what);
}

/* For the states that tasks enter again and again: the compiler makes a way of its own of each. */
static WITHIN void enter(timeline *t, task_line *task, uint64_t ns, enum task_state state, const await_what *what)
{
    if (!turn(t, task, ns, state, what))
        enter_with_care(t, task, ns, state, what);
}

static void finish(timeline *t, task_line *task, uint64_t ns, uint8_t instant, const char *text, size_t length)
{
    static const await_what nothing;
    task_show(t, task);
    if (!task->shown) { /* never seen in any state */
        task->state = STATE_READY;
        show_with(t, task, &nothing);
    }
    ns = task_line_not_before(t, task->since_ns, ns);
    end_state(t, task, ns);
    task->since_ns = ns;
    user_close(t, task->on->user, ns);
    if (instant && !task->renamed) {
        encoder_instant(&t->out, &task->on->on, SCHEMA_CAT_TASK, instant, ns);
    } else {
        arg ev_args[EVENT_ARGS];
        event ev = {.args = ev_args, .ns = ns, .on = &task->on->on, .type = SCHEMA_TYPE_INSTANT,
                    .category = SCHEMA_CAT_TASK, .name = instant, .text = text, .text_length = (uint32_t)length};
        if (task->renamed)
            event_text(&ev, SCHEMA_ARG_NAME, task->name, task->name_length);
        encoder_event(&t->out, &ev);
    }
    if (task->merged)
        encoder_end(&t->out, &task->on->on, ns);
    task_line_free(t, task);
}

/* --- records --- */

HANDLER(task_new)
{
    UNUSED(text);
    if (timeline_task(t, r->a))
        return;
    uint32_t id = (uint32_t)r->c;
    int is_elsewhere = r->flag == ORIGIN_ADOPTED && id >> LOOP_KIND_SHIFT == LOOP_ASYNCIO && !thread->loop;
    loop_line *loop = timeline_loop(t, is_elsewhere ? NULL : thread, id); /* whoever adopts it need not run its loop */
    task_line *task = task_line_add(t, r->a, (uint32_t)r->b, loop, ns);
    uint32_t parent = (uint32_t)(r->b >> 32);
    if (task && parent) {
        task->parent = parent;
        task->has_parent = 1;
        return;
    }
    running_step *creator = top_step(thread);
    if (!task || !creator || !creator->task || r->flag == ORIGIN_ADOPTED)
        return;
    task->parent = creator->task;
    task->has_parent = 1;
    if (r->flag == ORIGIN_EAGER)
        task->flow_in = flow_from(t, thread, ns, creator, SCHEMA_WAKE);
}

HANDLER(task_name)
{
    UNUSED(thread), UNUSED(ns);
    task_line *task = timeline_task(t, r->a);
    if (!task || task_line_name(task, text, r->b) < 0 || !task->shown)
        return;
    task->renamed = 1;
    if (!task->merged)
        task_line_show_name(task);
}

/* A timer's task is ready since the timer was due if the loop was busy then, else since the
 * poll ended in which it fell due: NOTES.md, "Ready since when". */
static uint64_t due_since(const loop_line *loop, uint64_t due_ns, uint64_t ns)
{
    if (!loop || !due_ns || due_ns > ns)
        return ns;
    if (due_ns <= loop->poll_begin_ns)
        return due_ns;
    return due_ns <= loop->poll_end_ns ? loop->poll_end_ns : due_ns;
}

enum { NO_WAKER = READY_BY_TIMER | READY_BY_IO | READY_BY_NOBODY };

static cause ready_cause(const record *r, const thread_line *thread, const running_step *waker)
{
    if (!(r->flag & NO_WAKER))
        return cause_of(thread, waker);
    return (cause){r->flag & READY_BY_TIMER ? CAUSE_TIMER : r->flag & READY_BY_IO ? CAUSE_IO : CAUSE_NONE, 0, r->c};
}

HANDLER(task_ready)
{
    UNUSED(text);
    static const await_what nothing;
    task_line *task = timeline_task(t, r->a);
    if (!task)
        task = task_line_add(t, r->a, 0, thread->loop, ns); /* its creation was dropped */
    if (!task || task->state == STATE_READY)
        return;
    running_step *waker = top_step(thread);
    if (task->state == STATE_RUNNING) {
        task->readied_itself = 1;
        return;
    }
    cause because = ready_cause(r, thread, waker);
    uint64_t since_ns = ns, flow = 0;
    if (r->flag & NO_WAKER)
        waker = NULL;
    if (because.kind == CAUSE_TIMER)
        since_ns = due_since(waker ? waker->loop : task->loop, because.due_ns, ns);
    else if (!(r->flag & NO_WAKER))
        flow = flow_from(t, thread, ns, waker, SCHEMA_WAKE);
    if (since_ns < task->since_ns)
        since_ns = task->since_ns; /* due before the wait began: neither out of order nor late */
    /* The open slice ends before the details of the new one are set. */
    task_show(t, task);
    task->outcome = r->flag & READY_CANCELLED ? LOCK_TIMED_OUT : LOCK_ACQUIRED;
    task->woken = because;
    task->stack = (uint32_t)r->b;
    task->via = waker && !waker->task ? waker->func : 0;
    task->flow_in = flow;
    enter(t, task, since_ns, STATE_READY, &nothing);
}

/* A greenlet's hub is about to go on with it. */
HANDLER(task_resumed)
{
    UNUSED(text);
    static const await_what nothing;
    task_line *task = timeline_task(t, r->a);
    if (!task || task->state == STATE_READY || task->state == STATE_RUNNING)
        return;
    uint64_t since_ns = ns, flow = 0;
    cause because = resume_cause_of(t, thread, r, &since_ns, &flow);
    if (because.kind == CAUSE_TIMER && because.due_ns)
        since_ns = due_since(thread->loop, because.due_ns, ns);
    if (since_ns < task->since_ns)
        since_ns = task->since_ns;
    task_show(t, task);
    task->outcome = because.kind == CAUSE_TIMER ? LOCK_TIMED_OUT : LOCK_ACQUIRED;
    task->woken = because;
    task->flow_in = flow;
    enter(t, task, since_ns, STATE_READY, &nothing);
}

HANDLER(step_begin)
{
    UNUSED(text);
    static const await_what nothing;
    static const cause none;
    task_line *task = timeline_task(t, r->a);
    if (!task)
        task = task_line_add(t, r->a, 0, thread->loop, ns);
    if (!task)
        return;
    if (task->state == STATE_AWAIT || task->state == STATE_RUNNING) /* woken past call_soon */
        enter_with_care(t, task, ns, STATE_READY, &nothing);
    loop_line *loop = r->b ? timeline_loop(t, thread, (uint32_t)r->b) : thread->loop ? thread->loop : task->loop;
    loop_is_seen(loop, thread);
    step_begins(t, thread, loop, ns, task->id, task->func, &none, 0);
    enter(t, task, ns, STATE_RUNNING, &nothing);
}

HANDLER(step_yield)
{
    UNUSED(text);
    static const await_what nothing;
    leave_step(t, thread, r->a, ns);
    task_line *task = timeline_task(t, r->a);
    if (!task)
        return;
    task->readied_itself = 0;
    if (task->state != STATE_READY) /* its step began before the recording: the task was adopted */
        enter(t, task, ns, STATE_READY, &nothing);
}

HANDLER(step_await)
{
    leave_step(t, thread, r->a, ns);
    task_line *task = timeline_task(t, r->a);
    if (!task)
        return;
    if (task->readied_itself) {
        step_yield(t, thread, r, ns, text);
        return;
    }
    await_what what = {.name_id = (uint32_t)(r->b >> 32), .site = (uint32_t)r->b, .stack = (uint32_t)(r->c >> 32),
                       .thread = thread};
    await_lock lock[2]; /* or the second are await_holders */
    if (r->payload) {
        memcpy(lock, text, r->payload * sizeof *lock);
        what.lock = lock;
    }
    char name[NAME_BYTES];
    if ((uint32_t)r->c) {
        task_line *awaited = timeline_task(t, (uint32_t)r->c);
        const char *prefix = task_line_is_greenlet(task) ? SCHEMA_TEXT_AWAIT_GREENLET_PREFIX : SCHEMA_TEXT_AWAIT_TASK_PREFIX;
        int length = awaited
            ? snprintf(name, sizeof name, "%s%.*s", prefix, (int)awaited->name_length, awaited->name)
            : snprintf(name, sizeof name, "%s#%u", prefix, (uint32_t)r->c);
        what.name_id = 0;
        what.text = name;
        what.length = text_fit(name, (size_t)length, sizeof name - 1);
    }
    task->await_name = what.name_id;
    task->await_site = what.site;
    task->awaited = (uint32_t)r->c;
    enter(t, task, ns, STATE_AWAIT, &what);
}

size_t tasks_failed_name(char name[NAME_BYTES], uint32_t exception)
{
    size_t length;
    const char *class = intern_text(exception, &length);
    int written = snprintf(name, NAME_BYTES, "%s%.*s", SCHEMA_TEXT_FAILED_PREFIX, (int)length, class);
    return text_fit(name, (size_t)written, NAME_BYTES - 1);
}

HANDLER(step_done)
{
    UNUSED(text);
    leave_step(t, thread, r->a, ns);
    task_line *task = timeline_task(t, r->a);
    if (!task)
        return;
    if (r->flag != OUTCOME_FAILED) {
        finish(t, task, ns, r->flag == OUTCOME_DONE ? SCHEMA_DONE : SCHEMA_CANCELLED, NULL, 0);
        return;
    }
    char name[NAME_BYTES];
    size_t length = tasks_failed_name(name, (uint32_t)r->b);
    finish(t, task, ns, 0, name, length);
}

void tasks_end_with_thread(timeline *t, thread_line *thread, uint64_t ns)
{
    for (uint32_t depth = thread->depth < RUNNING_DEPTH ? thread->depth : RUNNING_DEPTH; depth--;) {
        task_line *task = thread->steps[depth].task ? timeline_task(t, thread->steps[depth].task) : NULL;
        if (!task || !task_line_is_greenlet(task))
            return;
        pop_step(t, thread, ns);
        if (task->state == STATE_RUNNING)
            finish(t, task, ns, SCHEMA_DONE, NULL, 0);
    }
}

HANDLER(task_destroyed)
{
    UNUSED(thread), UNUSED(text);
    task_line *task = timeline_task(t, r->a);
    if (task)
        finish(t, task, ns, SCHEMA_DESTROYED, NULL, 0);
}

HANDLER(task_told)
{
    UNUSED(text);
    arg args[EVENT_ARGS];
    event ev = {.args = args, .ns = ns, .on = &thread->on, .type = SCHEMA_TYPE_INSTANT, .category = SCHEMA_CAT_THREAD,
                .name = r->flag == TOLD_UNASKED ? SCHEMA_UNASKED : SCHEMA_REFUSED};
    event_uint(&ev, SCHEMA_ARG_TASK, r->a);
    event_interned(&ev, SCHEMA_ARG_EXCEPTION, (uint32_t)r->b);
    encoder_event(&t->out, &ev);
}

void timeline_close_unknown(timeline *t, thread_line *thread, uint64_t since_ns)
{
    while (thread->depth)
        pop_step(t, thread, since_ns);
    end_poll(t, thread->loop, since_ns);
    end_poll(t, thread->named, since_ns);
    for (uint32_t i = 0; t->tasks.slots && i <= t->tasks.mask; i++) {
        task_line *task = (task_line *)(uintptr_t)t->tasks.slots[i].value;
        if (!t->tasks.slots[i].key || (task->loop != thread->loop && task->loop != thread->named))
            continue;
        task_show(t, task);
        uint64_t ns = since_ns > task->since_ns ? since_ns : task->since_ns;
        end_state(t, task, ns);
        user_close(t, task->on->user, ns);
        task->since_ns = ns;
        task->readied_itself = 0;
    }
}

/* They are collected first: finishing one moves others in the map. */
HANDLER(loop_closed)
{
    UNUSED(thread), UNUSED(text);
    uint64_t *slot = map_find(&t->loops, r->a);
    loop_line *loop = slot ? (loop_line *)(uintptr_t)*slot : NULL;
    task_line **found = loop && loop->live ? malloc(loop->live * sizeof(task_line *)) : NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; found && i <= t->tasks.mask && count < loop->live; i++) {
        task_line *task = (task_line *)(uintptr_t)t->tasks.slots[i].value;
        if (t->tasks.slots[i].key && task->loop == loop)
            found[count++] = task;
    }
    while (count)
        finish(t, found[--count], ns, SCHEMA_LOOP_CLOSED, NULL, 0);
    free(found);
    if (loop && map_find(&t->loops, r->a)) /* not gone with its last task */
        loop_ends(t, loop);
}

const record_handler timeline_task_handlers[REC_KINDS] = {
    [REC_TASK_NEW] = task_new,
    [REC_TASK_NAME] = task_name,
    [REC_TASK_DESTROYED] = task_destroyed,
    [REC_TASK_TOLD] = task_told,
    [REC_READY] = task_ready,
    [REC_RESUMED] = task_resumed,
    [REC_STEP_BEGIN] = step_begin,
    [REC_STEP_YIELD] = step_yield,
    [REC_STEP_AWAIT] = step_await,
    [REC_STEP_DONE] = step_done,
    [REC_LOOP_CLOSED] = loop_closed,
};
