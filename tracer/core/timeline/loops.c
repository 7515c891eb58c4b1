/* Turns records into slices: loops, their callbacks, and who scheduled these. */
#include "timeline/loops.h"

#include <stdio.h>
#include <stdlib.h>

#include "packets/slices.h"
#include "ring/intern.h"
#include "ring/text.h"
#include "timeline/steps.h"
#include "timeline/user.h"

/* Who scheduled a loop callback, kept from call_soon until it runs. */
typedef struct handle_cause {
    cause because;
    uint64_t ns, flow; /* flow from the slice that scheduled it */
    packet_ref from;   /* that slice's begin … */
    uint8_t has_from;  /* … if there is one */
    uint32_t tid;      /* of the thread that did so */
    struct handle_cause *next; /* spare one */
} handle_cause;

enum { OLD_ROUNDS = 2 }; /* the one that runs, and the next: what was added while it ran */

/* "?": its thread is not known. Returns the length. */
static size_t name_of_loop(uint32_t id, const thread_line *thread, char name[NAME_BYTES])
{
    static const char *const prefixes[LOOP_KINDS] = {SCHEMA_TEXT_TRACK_LOOP_PREFIX,
                                                     SCHEMA_TEXT_TRACK_GREENLETS_PREFIX,
                                                     SCHEMA_TEXT_TRACK_TRIO_PREFIX,
                                                     SCHEMA_TEXT_TRACK_TWISTED_PREFIX};
    const char *prefix = prefixes[id >> LOOP_KIND_SHIFT < LOOP_KINDS ? id >> LOOP_KIND_SHIFT : LOOP_ASYNCIO];
    int length = snprintf(name, NAME_BYTES, "%s%s", prefix, thread ? thread->on.name : "?");
    return text_fit(name, (size_t)length, NAME_BYTES - 1);
}

void loop_place(loop_line *loop, const thread_line *thread)
{
    char name[NAME_BYTES];
    loop->is_astray = 0;
    track_rename(&loop->own, name, name_of_loop(loop->id, thread, name));
    loop->running.chunk = 0; /* with its next event both are described again */
}

loop_line *timeline_other_loop(timeline *t, thread_line *thread, uint32_t id)
{
    uint64_t *slot = map_put(&t->loops, id);
    if (!slot || *slot)
        return slot ? (loop_line *)(uintptr_t)*slot : NULL;
    loop_line *loop = calloc(1, sizeof *loop);
    if (!loop)
        return NULL;
    *slot = (uint64_t)(uintptr_t)loop;
    loop->id = id;
    loop->is_astray = !thread;
    loop->queue_length = -1;
    char name[NAME_BYTES];
    encoder *e = &t->out;
    track_init(e, &loop->own, TRACK_KIND_PLAIN, &t->process, name, name_of_loop(id, thread, name));
    track_init(e, &loop->running, TRACK_KIND_PLAIN, &loop->own, SCHEMA_TEXT_TRACK_RUNNING_TASK,
               sizeof SCHEMA_TEXT_TRACK_RUNNING_TASK - 1);
    track_init(e, &loop->queue, TRACK_KIND_COUNTER, &loop->own, SCHEMA_TEXT_TRACK_READY_QUEUE,
               sizeof SCHEMA_TEXT_TRACK_READY_QUEUE - 1);
    track_init(e, &loop->tasks, TRACK_KIND_PLAIN, &loop->own, SCHEMA_TEXT_TRACK_TASKS,
               sizeof SCHEMA_TEXT_TRACK_TASKS - 1);
    loop->own.child_ordering = SCHEMA_ORDER_EXPLICIT;
    loop->tasks.child_ordering = SCHEMA_ORDER_CHRONOLOGICAL;
    loop->running.rank = 1;
    loop->queue.rank = 2;
    loop->tasks.rank = 3;
    return loop;
}

void loops_forget_causes(timeline *t)
{
    for (handle_cause *next; t->spare_causes; t->spare_causes = next) {
        next = t->spare_causes->next;
        free(t->spare_causes);
    }
}

void loop_free(timeline *t, loop_line *loop)
{
    for (uint32_t i = 0; loop->lanes.slots && i <= loop->lanes.mask; i++) {
        lane *at = loop->lanes.slots[i].key ? (lane *)(uintptr_t)loop->lanes.slots[i].value : NULL;
        while (at) {
            lane *next = at->next_free;
            user_line_free(t, at->user);
            track_free(&at->on);
            free(at);
            at = next;
        }
    }
    map_free(&loop->lanes);
    free(loop->told);
    track *lines[] = {&loop->own, &loop->running, &loop->queue, &loop->tasks};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        track_free(lines[i]);
    free(loop);
}

/* Only where records were dropped does a thread still have a loop that has ended. */
static void take_from(thread_line *thread, const loop_line *loop)
{
    if (thread->loop == loop)
        thread->loop = NULL;
    if (thread->named == loop)
        thread->named = NULL;
    for (uint32_t i = 0; i < thread->depth && i < RUNNING_DEPTH; i++)
        if (thread->steps[i].loop == loop)
            thread->steps[i].loop = NULL;
}

void loop_ends(timeline *t, loop_line *loop)
{
    loop->is_over = 1;
    if (loop->live || t->out.default_track == &loop->running || t->out.next_default == &loop->running)
        return;
    for (uint32_t i = 0; t->threads.slots && i <= t->threads.mask; i++)
        if (t->threads.slots[i].key)
            take_from((thread_line *)(uintptr_t)t->threads.slots[i].value, loop);
    map_remove(&t->loops, loop->id);
    loop_free(t, loop);
}

/* --- records --- */

/* That of a handle, the same as before if it has one; NULL: no memory. */
static handle_cause *put_cause(timeline *t, uint64_t handle)
{
    uint64_t *slot = map_put(&t->handles, handle);
    if (!slot || *slot)
        return slot ? (handle_cause *)(uintptr_t)*slot : NULL;
    handle_cause *made = t->spare_causes;
    if (made)
        t->spare_causes = made->next;
    else
        made = malloc(sizeof *made);
    *slot = (uint64_t)(uintptr_t)made;
    return made;
}

HANDLER(callback_ready)
{
    UNUSED(text);
    handle_cause *made = put_cause(t, r->b);
    if (!made)
        return;
    running_step *by = top_step(thread);
    const packet_ref *from = step_slice(t, by);
    *made = (handle_cause){cause_of(thread, by), ns, flow_from(t, thread, ns, by, SCHEMA_WAKE), .has_from = from != NULL,
                           .tid = thread->tid};
    if (from)
        made->from = *from;
}

/* Without a call_soon a callback comes from a timer or from a file descriptor, unless it was scheduled before the recording
 * began. An entry older than the previous round of the loop belongs to a handle that was cancelled. */
static inline cause callback_cause(timeline *t, const loop_line *loop, const record *r, uint64_t *flow)
{
    uint64_t *slot = map_find(&t->handles, r->b);
    cause found = {loop && loop->old_rounds ? CAUSE_NONE : CAUSE_IO, 0, 0};
    *flow = 0;
    if (slot) {
        handle_cause *known = (handle_cause *)(uintptr_t)*slot;
        if (known && (!loop || known->ns >= loop->previous_poll_end_ns)) {
            found = known->because;
            *flow = known->flow;
        }
        if (known) {
            known->next = t->spare_causes;
            t->spare_causes = known;
        }
        map_remove(&t->handles, r->b);
    }
    if (r->flag == CALLED_BY_NOBODY)
        found.kind = CAUSE_NONE;
    if (r->flag == CALLED_BY_TIMER) {
        found = (cause){CAUSE_TIMER, 0, r->c};
        *flow = 0;
    }
    return found;
}

/* One more arrow from where a callback was scheduled, which wakes more than one; if that slice is written already, from
 * an instant on its thread. */
static uint64_t flow_again(timeline *t, handle_cause *known)
{
    uint64_t flow = encoder_new_flow(&t->out);
    if (known->has_from && encoder_add_flow(&t->out, &known->from, flow) == 0)
        return flow;
    thread_line *thread = timeline_thread_of(t, known->tid);
    if (!thread)
        return 0;
    packet_ref instant = encoder_instant(&t->out, &thread->on, SCHEMA_CAT_THREAD, SCHEMA_WAKE, known->ns);
    return encoder_add_flow(&t->out, &instant, flow) == 0 ? flow : 0;
}

cause resume_cause_of(timeline *t, thread_line *thread, const record *r, uint64_t *ns, uint64_t *flow)
{
    running_step *top = top_step(thread);
    const uint64_t *slot = r->b ? map_find(&t->handles, r->b) : NULL;
    handle_cause *known = slot ? (handle_cause *)(uintptr_t)*slot : NULL;
    if (r->flag == RESUMED_BY_TASK) {
        running_step by = {.task = (uint32_t)r->b};
        task_line *task = timeline_task(t, by.task);
        handle_cause from = {.has_from = task != NULL, .tid = thread->tid, .ns = *ns};
        if (task)
            from.from = task->running;
        *flow = flow_again(t, &from);
        return (cause){CAUSE_TASK, by.task, 0};
    }
    if (r->flag != RESUMED_BY_CALLBACK)
        return (cause){r->flag == RESUMED_BY_TIMER ? CAUSE_TIMER : CAUSE_IO, 0, r->c};
    if (!known) {
        *flow = flow_from(t, thread, *ns, top, SCHEMA_WAKE);
        return cause_of(thread, top);
    }
    *ns = known->ns < *ns ? known->ns : *ns;
    *flow = known->flow ? known->flow : flow_again(t, known);
    known->flow = 0; /* an arrow has one end: it leads to the first that was woken */
    return known->because;
}

HANDLER(callback_begin)
{
    UNUSED(text);
    loop_line *loop = timeline_loop(t, thread, r->flag == CALLED ? (uint32_t)r->c : 0);
    uint64_t flow;
    cause because = callback_cause(t, loop, r, &flow);
    loop_is_seen(loop, thread);
    step_begins(t, thread, loop, ns, 0, r->a, &because, flow);
}

HANDLER(callback_end)
{
    UNUSED(r), UNUSED(text);
    leave_step(t, thread, 0, ns);
}

/* The queue's length is known when the round is over: it is the number of callbacks that ran. Where none did, the loop only
 * polled again (libuv does after each time-out). */
static void end_round(timeline *t, loop_line *loop)
{
    if (loop->poll_end_ns && loop->handled && loop->handled != loop->queue_length) {
        loop->queue_length = loop->handled;
        event ev = {.ns = loop->poll_end_ns, .on = &loop->queue, .type = SCHEMA_TYPE_COUNTER,
                    .counter = loop->queue_length};
        encoder_event(&t->out, &ev);
    }
    loop->handled = 0;
}

HANDLER(poll_begin)
{
    UNUSED(text);
    loop_line *loop = timeline_loop(t, thread, r->a);
    if (!loop)
        return;
    end_round(t, loop);
    end_poll(t, loop, ns);
    encoder_plain(&t->out, &loop->running, ns, SCHEMA_TYPE_SLICE_BEGIN, SCHEMA_CAT_LOOP, SCHEMA_SELECT);
    loop->polling = 1;
    loop->poll_begin_ns = ns;
}

static void poll_is_over(loop_line *loop)
{
    loop->previous_poll_end_ns = loop->poll_end_ns;
    loop->old_rounds -= loop->old_rounds > 0;
}

HANDLER(poll_end)
{
    UNUSED(text);
    loop_line *loop = timeline_loop(t, thread, r->a);
    if (!loop)
        return;
    end_poll(t, loop, ns);
    poll_is_over(loop);
    loop->poll_end_ns = ns;
}

HANDLER(poll_instant)
{
    UNUSED(text);
    loop_line *loop = timeline_loop(t, thread, r->a);
    if (!loop)
        return;
    end_round(t, loop);
    poll_is_over(loop);
    loop->poll_begin_ns = loop->poll_end_ns = ns;
}

HANDLER(loop_run)
{
    UNUSED(text);
    loop_line *loop = timeline_loop(t, thread, r->a);
    *(r->flag ? &thread->named : &thread->loop) = loop;
    if (!loop)
        return;
    loop_is_seen(loop, thread);
    loop->run_since_ns = ns;
    loop->old_rounds = r->c ? OLD_ROUNDS : 0;
    encoder_instant(&t->out, &loop->running, SCHEMA_CAT_LOOP, SCHEMA_LOOP_STARTED, ns);
    loop->poll_end_ns = ns; /* uvloop runs what is ready before it first polls */
    if (t->out.next_default == &t->tracer) /* the busiest line of most programs */
        t->out.next_default = &loop->running;
}

static void stop(timeline *t, loop_line **runs, uint64_t ns)
{
    loop_line *loop = *runs;
    *runs = NULL;
    if (!loop)
        return;
    end_round(t, loop);
    end_poll(t, loop, ns);
    loop->poll_end_ns = 0;
    loop->ran_ns = loop_ran_ns(loop, ns);
    loop->run_since_ns = 0;
    encoder_instant(&t->out, &loop->running, SCHEMA_CAT_LOOP, SCHEMA_LOOP_STOPPED, ns);
}

HANDLER(loop_stop)
{
    UNUSED(text);
    stop(t, r->flag ? &thread->named : &thread->loop, ns);
}

void loops_end_with_thread(timeline *t, thread_line *thread, uint64_t ns)
{
    loop_line *loop = thread->loop;
    stop(t, &thread->named, ns);
    stop(t, &thread->loop, ns);
    if (loop && loop->id >> LOOP_KIND_SHIFT == LOOP_GREENLETS)
        loop_ends(t, loop);
}

const record_handler timeline_loop_handlers[REC_KINDS] = {
    [REC_CB_READY] = callback_ready,
    [REC_CB_BEGIN] = callback_begin,
    [REC_CB_END] = callback_end,
    [REC_POLL_BEGIN] = poll_begin,
    [REC_POLL_END] = poll_end,
    [REC_POLL_INSTANT] = poll_instant,
    [REC_LOOP_RUN] = loop_run,
    [REC_LOOP_STOP] = loop_stop,
};
