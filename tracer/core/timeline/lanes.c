/* Turns records into slices: the state of a thread at every moment.
 *
 * A lane is a chain of slices without gap or overlap, by construction: setting a state ends the one
 * before. What a thread did since it released the GIL is known once it holds it again (or, if that takes
 * long, from the fields of its buffer), so a lane is written up to `upto` and no further. The kernel's
 * switches wait in `cuts` until the lane gets there. */
#include "timeline/lanes.h"

#include <stdlib.h>
#include <string.h>

#include "packets/slices.h"
#include "ring/intern.h"
#include "ring/stack_names.h"
#include "timeline/counts.h"
#include "timeline/filelocks.h"
#include "timeline/gc.h"
#include "timeline/waits.h"

enum { PASSES_FOR_DETAILS = 4 };
/* A call is shown in pieces where the kernel took the processor for so long. */
enum { TAKEN_NS = 1000 * 1000 };

static const struct {
    uint8_t category, name, holds_gil, has_stack;
} states[] = {
    [LANE_RUNNING] = {SCHEMA_CAT_THREAD, SCHEMA_RUNNING, 0, 0},
    [LANE_NATIVE] = {SCHEMA_CAT_THREAD, SCHEMA_NATIVE, 0, 0},
    [LANE_PREEMPTED] = {SCHEMA_CAT_THREAD, SCHEMA_PREEMPTED, 0, 0},
    [LANE_PREEMPTED_WITH_GIL] = {SCHEMA_CAT_THREAD, SCHEMA_PREEMPTED, 1, 0},
    [LANE_OFF_CPU] = {SCHEMA_CAT_THREAD, SCHEMA_OFF_CPU, 0, 1},
    [LANE_OFF_CPU_WITH_GIL] = {SCHEMA_CAT_THREAD, SCHEMA_OFF_CPU, 1, 0},
    [LANE_GIL_WAIT] = {SCHEMA_CAT_GIL, SCHEMA_GIL_WAIT, 0, 1},
    [LANE_CALL] = {0, 0, 0, 0},
};

static const uint8_t call_categories[] = {
    [CLASS_NONE] = SCHEMA_CAT_IO,
    [CLASS_IO] = SCHEMA_CAT_IO,
    [CLASS_SLEEP] = SCHEMA_CAT_SLEEP,
    [CLASS_LOCK] = SCHEMA_CAT_LOCK,
};

/* --- slices --- */

static void edge_gc(timeline *t, thread_line *thread, uint64_t ns, uint8_t type)
{
    if (thread->gc_open)
        gc_slice(t, thread, &thread->on, ns, type);
}

/* A lane never goes back. */
static uint64_t forward(const lane_line *lane, uint64_t ns)
{
    return ns > lane->boundary_ns ? ns : lane->boundary_ns;
}

/* Where the thread was, once: with the begin if it is known then, else with the end. */
static void tell_release_stack(lane_line *lane, event *ev)
{
    const stack_facts *stack = lane->told_stack ? NULL : stack_names_of(lane->release_stack);
    if (!stack)
        return;
    event_interned(ev, SCHEMA_ARG_STACK, stack->text);
    lane->told_stack = 1;
}

static void end_state(timeline *t, thread_line *thread, uint64_t ns)
{
    lane_line *lane = &thread->lane;
    if (!lane->state)
        return;
    count_lane(thread, ns);
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .on = &thread->on, .type = SCHEMA_TYPE_SLICE_END};
    if (lane->state == LANE_CALL) {
        if (lane->class == CLASS_LOCK)
            locks_end_wait(t, thread, &ev);
        if (lane->bytes)
            event_uint(&ev, SCHEMA_ARG_BYTES, lane->bytes - 1);
        if (lane->failed)
            event_interned(&ev, SCHEMA_ARG_EXCEPTION, lane->failed);
        if (lane->said & SAID_OWN_PEER)
            event_bool(&ev, SCHEMA_ARG_OWN_PEER, 1);
        if (lane->said & SAID_TIMED_OUT)
            event_bool(&ev, SCHEMA_ARG_TIMED_OUT, 1);
        if (lane->lock_pid)
            filelocks_tell(lane, &ev);
        const stack_facts *stack = lane->told_stack ? NULL : stack_names_of(lane->stack);
        if (stack) {
            event_interned(&ev, SCHEMA_ARG_SITE, stack->site);
            event_interned(&ev, SCHEMA_ARG_STACK, stack->text);
        }
    } else if (states[lane->state].has_stack) {
        tell_release_stack(lane, &ev);
    }
    encoder_event(&t->out, &ev);
    lane->state = LANE_NONE;
}

static int continues(const lane_line *lane)
{
    return lane->resumed || (lane->serial && lane->serial == lane->serial_before);
}

static void describe_call(timeline *t, thread_line *thread, event *ev)
{
    lane_line *lane = &thread->lane;
    const stack_facts *stack = stack_names_of(lane->stack);
    ev->category = call_categories[lane->class];
    ev->name_id = lane->what;
    if (lane->class == CLASS_LOCK)
        locks_begin_wait(t, thread, ev);
    lane->told_stack = stack != NULL;
    if (stack) {
        event_interned(ev, SCHEMA_ARG_SITE, stack->site);
        event_interned(ev, SCHEMA_ARG_STACK, stack->text);
    }
    if (lane->fd)
        event_uint(ev, SCHEMA_ARG_FD, lane->fd - 1);
    if (lane->holding_gil)
        event_bool(ev, SCHEMA_ARG_HOLDING_GIL, 1);
    if (continues(lane))
        event_bool(ev, SCHEMA_ARG_CONTINUES, 1);
    lane->serial_before = lane->serial;
}

static void describe_gil_wait(timeline *t, thread_line *thread, event *ev)
{
    uint32_t tid = thread->lane.holder;
    if (!tid)
        return;
    event_uint(ev, SCHEMA_ARG_HOLDER, tid);
    const thread_line *holder = timeline_thread_of(t, tid);
    if (holder)
        event_text(ev, SCHEMA_ARG_HOLDER_NAME, holder->on.name, holder->on.name_length);
}

static uint8_t name_of(const timeline *t, uint8_t state)
{
    return t->attached && state == LANE_RUNNING ? SCHEMA_ATTACHED : states[state].name;
}

/* Whether there is nothing to tell when the open slice ends … */
static int ends_plainly(const lane_line *lane)
{
    if (lane->state == LANE_CALL)
        return lane->class != CLASS_LOCK && !lane->bytes && !lane->failed && !lane->said &&
               !lane->lock_pid && (lane->told_stack || !stack_names_of(lane->stack));
    return !states[lane->state].has_stack || lane->told_stack || !stack_names_of(lane->release_stack);
}

/* … or when one of this state begins. */
static int begins_plainly(const timeline *t, const lane_line *lane, uint8_t state)
{
    return state != LANE_CALL && state != LANE_GIL_WAIT && !lane->flow_in && (t->attached || !states[state].holds_gil) &&
           !(states[state].has_stack && stack_names_of(lane->release_stack));
}

/* The shape of what describe_call() says; NULL: a lock is waited for, or the names of the stack may still come. */
static shape *shape_of_call(encoder *e, const lane_line *lane)
{
    if (lane->class == CLASS_LOCK || (lane->stack && !stack_names_of(lane->stack)))
        return NULL;
    return encoder_shape(e, SHAPE_CALL, lane->what, lane->stack, lane->fd,
                         lane->class | (uint32_t)lane->holding_gil << 8 | (uint32_t)continues(lane) << 9);
}

static void begin_state(timeline *t, thread_line *thread, uint8_t state, uint64_t ns, shape *as)
{
    lane_line *lane = &thread->lane;
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .on = &thread->on, .type = SCHEMA_TYPE_SLICE_BEGIN,
                .category = states[state].category, .name = name_of(t, state)};
    if (states[state].holds_gil && !t->attached)
        event_bool(&ev, SCHEMA_ARG_HOLDING_GIL, 1);
    if (state == LANE_GIL_WAIT)
        describe_gil_wait(t, thread, &ev);
    lane->told_stack = 0;
    if (states[state].has_stack)
        tell_release_stack(lane, &ev);
    if (state == LANE_CALL) {
        describe_call(t, thread, &ev);
    } else {
        ev.flow_in = lane->flow_in;
        lane->flow_in = 0;
    }
    encoder_event_as(&t->out, &ev, as);
}

static void put_state(timeline *t, thread_line *thread, uint8_t state, uint64_t ns)
{
    lane_line *lane = &thread->lane;
    encoder *e = &t->out;
    if (state == lane->state && state != LANE_CALL && !lane->flow_in)
        return;
    ns = forward(lane, ns);
    edge_gc(t, thread, ns, SCHEMA_TYPE_SLICE_END);
    packet_ref at;
    shape *as = state == LANE_CALL ? shape_of_call(e, lane) : NULL;
    int is_known = as && encoder_knows(e, as), is_plain = state && begins_plainly(t, lane, state);
    int is_turn = (is_known || is_plain) && lane->state && ends_plainly(lane);
    if (is_turn)
        count_lane(thread, ns);
    else
        end_state(t, thread, ns);
    lane->boundary_ns = ns;
    if (is_plain) {
        lane->told_stack = 0;
        if (is_turn)
            encoder_turn(e, &thread->on, ns, states[state].category, name_of(t, state), &at);
        else
            encoder_plain(e, &thread->on, ns, SCHEMA_TYPE_SLICE_BEGIN, states[state].category, name_of(t, state));
    } else if (is_known) {
        lane->told_stack = lane->stack != 0;
        lane->serial_before = lane->serial;
        if (is_turn)
            encoder_turn_to(e, as, 0, &thread->on, ns, 0);
        else
            encoder_shaped_with_care(e, as, 0, &thread->on, ns, 0, &at);
    } else if (state) {
        begin_state(t, thread, state, ns, as);
    }
    lane->state = state;
    edge_gc(t, thread, ns, SCHEMA_TYPE_SLICE_BEGIN);
}

/* --- the kernel's states --- */

static uint8_t state_of(const timeline *t, int has_gil, uint8_t kernel)
{
    switch (kernel) {
    case KERNEL_PREEMPTED: return has_gil ? LANE_PREEMPTED_WITH_GIL : LANE_PREEMPTED;
    case KERNEL_OFF: return has_gil ? LANE_OFF_CPU_WITH_GIL : LANE_OFF_CPU;
    case KERNEL_ON: return has_gil ? LANE_RUNNING : LANE_NATIVE;
    default: return has_gil ? LANE_RUNNING : t->names_calls ? LANE_NATIVE : LANE_OFF_CPU;
    }
}

/* Forgets the switches up to `to`: the state that they happened in says more than they do. */
static void pass_cuts(lane_line *lane, uint64_t to)
{
    uint32_t gone = 0;
    while (gone < lane->cut_count && lane->cuts[gone].ns <= to)
        lane->kernel = lane->cuts[gone++].state;
    if (gone)
        memmove(lane->cuts, lane->cuts + gone, (lane->cut_count - gone) * sizeof *lane->cuts);
    lane->cut_count -= gone;
}

/* The thread computed, with or without the GIL, as far as the kernel let it. */
static void put_computing(timeline *t, thread_line *thread, int has_gil, uint64_t from, uint64_t to)
{
    lane_line *lane = &thread->lane;
    if (from >= to)
        return;
    pass_cuts(lane, from);
    put_state(t, thread, state_of(t, has_gil, lane->kernel), from);
    for (uint32_t i = 0; i < lane->cut_count && lane->cuts[i].ns < to; i++)
        put_state(t, thread, state_of(t, has_gil, lane->cuts[i].state), lane->cuts[i].ns);
    pass_cuts(lane, to);
}

/* Whether the thread was more often kept from running than blocked. */
static int mostly_taken(const lane_line *lane, uint64_t from, uint64_t to)
{
    uint64_t taken = 0, blocked = 0;
    for (uint32_t i = 0; i + 1 < lane->cut_count && lane->cuts[i + 1].ns < to; i++) {
        uint64_t ns = lane->cuts[i].ns > from ? lane->cuts[i + 1].ns - lane->cuts[i].ns : 0;
        taken += lane->cuts[i].state == KERNEL_PREEMPTED ? ns : 0;
        blocked += lane->cuts[i].state == KERNEL_OFF ? ns : 0;
    }
    return taken > blocked;
}

/* The open call goes on up to `to`, but for the times in which it could have run and another thread did. A call that mostly
 * blocks is one slice, as is a wait for a lock: it has nothing to do then. */
static void put_taken(timeline *t, thread_line *thread, uint64_t to)
{
    lane_line *lane = &thread->lane;
    uint64_t from = lane->boundary_ns;
    if (lane->state != LANE_CALL || lane->class == CLASS_LOCK || lane->class == CLASS_SLEEP || !mostly_taken(lane, from, to))
        return;
    for (uint32_t i = 0; i + 1 < lane->cut_count && lane->cuts[i + 1].ns < to; i++) {
        const lane_cut *cut = &lane->cuts[i], *back = cut + 1;
        if (cut->state != KERNEL_PREEMPTED || back->state != KERNEL_ON || cut->ns <= from ||
            back->ns - cut->ns < TAKEN_NS)
            continue;
        put_state(t, thread, lane->holding_gil ? LANE_PREEMPTED_WITH_GIL : LANE_PREEMPTED, cut->ns);
        lane->resumed = 1;
        put_state(t, thread, LANE_CALL, back->ns);
    }
}

/* --- takes and releases --- */

/* Who held the GIL when a wait for it began; after a forced release, who took it next. */
static uint32_t holder_at(const timeline *t, uint32_t own, uint64_t ns, uint64_t until)
{
    uint64_t oldest = t->take_count > TAKES ? t->take_count - TAKES : 0;
    uint32_t next = 0;
    for (uint64_t i = t->take_count; i-- > oldest;) {
        const gil_take *at = &t->takes[i % TAKES];
        if (at->ns <= ns)
            return at->tid != own ? at->tid : next;
        if (at->tid != own && at->ns <= until)
            next = at->tid;
    }
    return 0;
}

static void call_begins(lane_line *lane, const lane_call *call, uint32_t stack)
{
    lane->what = call->what;
    lane->class = call->class;
    lane->fd = call->fd;
    lane->serial = call->serial;
    lane->holding_gil = lane->resumed = 0;
    lane->stack = stack;
    lane->told_stack = lane->said = lane->looked = 0;
    lane->bytes = 0;
    lane->failed = lane->lock_pid = 0;
}

static void put_released(timeline *t, thread_line *thread, const lane_take *take, uint64_t end_ns)
{
    lane_line *lane = &thread->lane;
    if (lane->base == LANE_HAS_GIL)
        put_computing(t, thread, 1, lane->upto_ns, take->drop_ns);
    if (lane->early && lane->state == LANE_CALL) {
        lane->stack = take->stack;
        put_taken(t, thread, end_ns);
        lane->bytes = take->bytes;
        lane->failed = take->failed;
        lane->said = take->call.said;
    }
    if (lane->early && (lane->state == LANE_CALL || lane->state == LANE_GIL_WAIT))
        return;
    if (take->call.what && take->drop_ns < end_ns) {
        call_begins(lane, &take->call, take->stack);
        put_state(t, thread, LANE_CALL, take->drop_ns);
        put_taken(t, thread, end_ns);
        lane->bytes = take->bytes;
        lane->failed = take->failed;
        lane->said = take->call.said;
    } else {
        put_computing(t, thread, 0, lane->early ? lane->upto_ns : take->drop_ns, end_ns);
    }
}

/* Writes the take that waited for details. */
void lane_flush(timeline *t, thread_line *thread)
{
    lane_line *lane = &thread->lane;
    if (!lane->pending)
        return;
    lane->pending = 0;
    const lane_take *take = &lane->take;
    uint64_t back = take->wait_ns ? take->wait_ns : take->take_ns;
    lane->release_stack = take->stack;
    if (take->drop_ns)
        put_released(t, thread, take, back);
    int was_lock = lane->state == LANE_CALL && lane->class == CLASS_LOCK && !take->unwatched;
    uint64_t freed_ns = 0, flow = was_lock ? locks_flow(t, thread, take->take_ns, &freed_ns) : 0;
    if (take->wait_ns) {
        lane->holder = holder_at(t, thread->tid, take->wait_ns, take->take_ns);
        if (freed_ns <= take->wait_ns) { /* else a signal had ended the wait before */
            lane->flow_in = flow;
            flow = 0;
        }
        put_state(t, thread, LANE_GIL_WAIT, take->wait_ns);
    }
    if (flow)
        lane->flow_in = flow;
    if (!take->drop_ns)
        lane->flow_in = take->flow_in;
    lane->early = 0;
    if (take->unwatched) {
        put_state(t, thread, LANE_NONE, take->take_ns);
        return;
    }
    lane->base = LANE_HAS_GIL;
    lane->upto_ns = take->take_ns;
    pass_cuts(lane, take->take_ns);
    put_state(t, thread, state_of(t, 1, KERNEL_ON), take->take_ns);
    if (lane->kernel != KERNEL_UNKNOWN)
        lane->kernel = KERNEL_ON;
}

/* From here on the GIL hooks are not believed; lanes end here, or where another thread took the GIL. */
static void distrust(timeline *t, uint64_t ns)
{
    static const char hook[] = "gil", reason[] = "two threads seemed to hold the GIL at once";
    if (t->gil_distrusted)
        return;
    t->gil_distrusted = 1;
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .on = &t->tracer, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_TRACER, .name = SCHEMA_HOOK_DISABLED, .lasts = 1};
    event_text(&ev, SCHEMA_ARG_HOOK, hook, sizeof hook - 1);
    event_text(&ev, SCHEMA_ARG_REASON, reason, sizeof reason - 1);
    encoder_event(&t->out, &ev);
    for (uint32_t i = 0; t->threads.slots && i <= t->threads.mask; i++) {
        if (!t->threads.slots[i].key)
            continue;
        thread_line *thread = (thread_line *)(uintptr_t)t->threads.slots[i].value;
        uint64_t gave_ns = thread->lane.gave_by_ns;
        lane_close(t, thread, 0, gave_ns && gave_ns < ns ? gave_ns : ns);
    }
}

/* Mutual exclusion, checked by the clock: the previous holder of the GIL must have released it by now. */
static void check_exclusion(timeline *t, thread_line *thread, uint64_t drop_ns, uint64_t take_ns)
{
    if (thread->lane.gave_by_ns && drop_ns > thread->lane.gave_by_ns)
        distrust(t, take_ns);
    thread->lane.gave_by_ns = 0;
    thread_line *before = t->gil_holder ? timeline_thread_of(t, t->gil_holder) : NULL;
    if (before && before != thread && before->lane.counted && !before->lane.gave_by_ns)
        before->lane.gave_by_ns = take_ns;
    t->gil_holder = thread->tid;
}

HANDLER(call)
{
    UNUSED(t), UNUSED(ns), UNUSED(text);
    lane_flush(t, thread);
    uint8_t said = r->b & CALL_TIMED_OUT ? SAID_TIMED_OUT : 0;
    thread->lane.next_call = (lane_call){r->a, (uint32_t)r->b & CALL_FD, (uint32_t)r->c, r->flag, said};
}

HANDLER(take)
{
    UNUSED(text);
    lane_flush(t, thread);
    lane_line *lane = &thread->lane;
    if (r->flag != TAKE_UNWATCHED)
        lane->counted++;
    if (r->flag == TAKE_ATTACHES)
        t->attached = 1;
    if (r->flag == TAKE_GIL) {
        t->takes[t->take_count++ % TAKES] = (gil_take){ns, thread->tid};
        check_exclusion(t, thread, r->b, ns);
        if (t->gil_distrusted)
            return;
    }
    lane->take = (lane_take){.drop_ns = r->b, .wait_ns = r->c, .take_ns = ns, .stack = r->a,
                             .unwatched = r->flag == TAKE_UNWATCHED, .call = lane->next_call};
    lane->next_call = (lane_call){0};
    lane->pending = 1;
    lane->pending_passes = 0;
}

HANDLER(call_bytes)
{
    UNUSED(t), UNUSED(ns), UNUSED(text);
    if (thread->lane.pending)
        thread->lane.take.bytes = r->b + 1;
}

HANDLER(call_failed)
{
    UNUSED(t), UNUSED(ns), UNUSED(text);
    if (thread->lane.pending)
        thread->lane.take.failed = r->a;
}

HANDLER(call_own_peer)
{
    UNUSED(t), UNUSED(ns), UNUSED(r), UNUSED(text);
    if (thread->lane.pending)
        thread->lane.take.call.said |= SAID_OWN_PEER;
}

HANDLER(held_call)
{
    UNUSED(text);
    lane_flush(t, thread);
    lane_line *lane = &thread->lane;
    lane->counted++;
    if (lane->base != LANE_HAS_GIL)
        return;
    put_computing(t, thread, 1, lane->upto_ns, r->b);
    lane_call call = {r->a, (uint32_t)r->c, 0, r->flag, 0};
    call_begins(lane, &call, (uint32_t)(r->c >> 32));
    lane->holding_gil = 1;
    put_state(t, thread, LANE_CALL, r->b);
    put_taken(t, thread, ns);
    pass_cuts(lane, ns);
    put_state(t, thread, LANE_RUNNING, ns);
    if (lane->kernel != KERNEL_UNKNOWN)
        lane->kernel = KERNEL_ON;
    lane->upto_ns = ns;
}

const record_handler timeline_lane_handlers[REC_KINDS] = {
    [REC_CALL] = call,
    [REC_TAKE] = take,
    [REC_CALL_BYTES] = call_bytes,
    [REC_CALL_FAILED] = call_failed,
    [REC_CALL_OWN_PEER] = call_own_peer,
    [REC_HELD_CALL] = held_call,
};

/* --- the ends of a lane, and its present --- */

void lane_reach(timeline *t, thread_line *thread, uint64_t ns)
{
    lane_line *lane = &thread->lane;
    lane_flush(t, thread);
    if (lane->base != LANE_HAS_GIL || lane->upto_ns >= ns)
        return;
    put_computing(t, thread, 1, lane->upto_ns, ns);
    lane->upto_ns = ns;
}

void lane_close(timeline *t, thread_line *thread, uint64_t drop_ns, uint64_t ns)
{
    lane_flush(t, thread);
    lane_line *lane = &thread->lane;
    if (lane->base == LANE_HAS_GIL && lane->upto_ns < ns)
        put_computing(t, thread, 1, lane->upto_ns, drop_ns && drop_ns < ns ? drop_ns : ns);
    if (lane->base == LANE_HAS_GIL && drop_ns && drop_ns < ns)
        put_computing(t, thread, 0, drop_ns, ns);
    if (lane->state)
        put_state(t, thread, LANE_NONE, ns);
    lane->base = LANE_UNKNOWN;
    lane->early = 0;
}

void lane_free(lane_line *lane)
{
    free(lane->cuts);
}

/* A release is written as soon as the horizon lies in it, because the program may be killed then. */
static void show_early(timeline *t, thread_line *thread, const lane_present *now, uint64_t ns)
{
    lane_line *lane = &thread->lane;
    uint64_t end = now->asked_ns && now->asked_ns < ns ? now->asked_ns : ns;
    if (!lane->early)
        lane->release_stack = now->stack;
    if (lane->base == LANE_HAS_GIL) {
        put_computing(t, thread, 1, lane->upto_ns, now->released_ns);
        lane->upto_ns = now->released_ns;
        if (now->call.what && now->released_ns < end) {
            uint32_t stack = now->stack ? now->stack : now->call.class == CLASS_LOCK ? locks_stack(thread) : 0;
            call_begins(lane, &now->call, stack);
            put_state(t, thread, LANE_CALL, now->released_ns);
        }
        lane->base = LANE_HAS_NO_GIL;
    }
    if (lane->state != LANE_CALL && lane->state != LANE_GIL_WAIT)
        put_computing(t, thread, 0, lane->upto_ns, end);
    /* How a wait for a lock ended, and the place of a call whose stack is new, are written at the end, but
     * known only once the thread has run. */
    int ends_untold = lane->state == LANE_CALL && (lane->class == CLASS_LOCK || !lane->told_stack);
    if (end < ns && lane->state != LANE_GIL_WAIT && !ends_untold) {
        lane->holder = holder_at(t, thread->tid, end, ns);
        put_state(t, thread, LANE_GIL_WAIT, end);
    }
    lane->upto_ns = ns;
    lane->early = 1;
}

/* Of a take that waits for its details the release is known: another thread may have had the GIL since. */
static void show_release(timeline *t, thread_line *thread)
{
    const lane_take *take = &thread->lane.take;
    const lane_present then = {.released_ns = take->drop_ns, .asked_ns = take->wait_ns, .call = take->call,
                               .stack = take->stack};
    if (thread->lane.base == LANE_HAS_GIL && take->drop_ns && !take->unwatched)
        show_early(t, thread, &then, take->take_ns);
}

void timeline_present(timeline *t, thread_line *thread, const lane_present *now, uint64_t ns)
{
    lane_line *lane = &thread->lane;
    if (lane->pending) {
        int has_details = lane->take.call.class == CLASS_LOCK && lane->take.call.serial;
        int is_unnamed = lane->take.stack && !stack_names_of(lane->take.stack);
        int more_to_come = (has_details || is_unnamed) && !now->is_last;
        if (more_to_come && lane->pending_passes++ < PASSES_FOR_DETAILS) {
            show_release(t, thread);
            return;
        }
        lane_flush(t, thread);
    }
    if (!lane->base || lane->upto_ns >= ns)
        return;
    if (now->released_ns && now->released_ns <= ns) {
        show_early(t, thread, now, ns);
        return;
    }
    uint64_t to = now->held_call_ns && now->held_call_ns < ns ? now->held_call_ns : ns;
    if (lane->base == LANE_HAS_GIL && to > lane->upto_ns) {
        put_computing(t, thread, 1, lane->upto_ns, to);
        lane->upto_ns = to;
    }
}
