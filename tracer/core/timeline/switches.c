/* Turns records into slices: a greenlet makes another one ready and waits, and that one runs, all at once.
 *
 * Three handlers say so in eight events. A program that does so does it again and again: then their bytes are copied. */
#include "timeline/switches.h"

#include <stdlib.h>

#include "packets/slices.h"
#include "ring/stack_names.h"
#include "timeline/counts.h"
#include "timeline/steps.h"
#include "timeline/tasks.h"

enum { EVENTS = 8, FLOW_BYTES = 8 };

/* A REC_SWITCH. */
typedef struct {
    task_line *from, *to;
    running_step *step; /* of the one, and then of the other */
    loop_line *loop;
    uint32_t what, site, stack;
} greenlet_switch;

/* Whether its state can end and another one begin at once, with nothing else to be told of it. */
static inline int is_plain(const encoder *e, const task_line *task, enum task_state state, uint64_t ns)
{
    return task && task->state == state && task->shown && !task->renamed && !task->awaits_lock && ns >= task->since_ns &&
           task->on->on.chunk == e->chunk;
}

/* Whether it says nothing but what every switch does. */
static inline int is_usual(const encoder *e, const thread_line *thread, const greenlet_switch *s, uint64_t ns)
{
    return is_plain(e, s->from, STATE_RUNNING, ns) && !s->from->readied_itself && !s->from->flow_in &&
           is_plain(e, s->to, STATE_AWAIT, ns) && thread->depth - 1 < RUNNING_DEPTH && s->step->task == s->from->id && s->loop &&
           s->step->loop == s->loop && !s->loop->is_astray && !s->loop->polling && encoder_is_quick(e, &s->loop->running, ns);
}

/* Whether its bytes would name nothing for the first time. */
static int is_known(encoder *e, const greenlet_switch *s)
{
    return s->what && encoder_knows(e, encoder_shape(e, SHAPE_READY, CAUSE_TASK, 0, 0, s->stack)) &&
           encoder_knows(e, encoder_shape(e, SHAPE_AWAIT, 0, s->what, s->site, s->stack)) &&
           encoder_knows(e, encoder_shape(e, SHAPE_TASK, 0, s->to->func, 0, 0));
}

static inline void next_state(timeline *t, task_line *task, enum task_state state, uint64_t ns)
{
    count_state(t, task, ns);
    task->state = (uint8_t)state;
    task->since_ns = ns;
}

/* What the handlers do, but for the bytes. */
static inline void go_on(timeline *t, const greenlet_switch *s, uint64_t ns)
{
    next_state(t, s->to, STATE_READY, ns);
    s->to->outcome = LOCK_ACQUIRED;
    next_state(t, s->from, STATE_AWAIT, ns);
    s->from->await_name = s->what;
    s->from->await_site = s->site;
    s->from->awaited = 0;
    s->loop->handled++;
    s->loop->steps++;
    s->step->task = s->to->id;
    s->step->func = s->to->func;
    s->step->because.kind = CAUSE_NONE;
    s->step->because.id = 0;
    s->step->because.due_ns = 0;
    s->step->flow_in = 0;
    s->step->since_ns = ns;
    next_state(t, s->to, STATE_RUNNING, ns);
}

static inline packet_ref moved(const encoder *e, const uint8_t *bytes, uint8_t at, uint8_t body)
{
    return (packet_ref){e->flushed + (size_t)(bytes + at - e->bytes), body, e->inserted};
}

/* Returns whether it could: the slice from which the arrow comes is the last that was written. */
static inline int repeat(timeline *t, const greenlet_switch *s, const switch_bytes *as, uint64_t ns)
{
    encoder *e = &t->out;
    uint64_t flow = e->next_flow;
    if (!encoder_add_flow_to_last(e, &s->from->running, flow))
        return 0;
    e->next_flow++;
    uint8_t *packet = encoder_next_packet(e) + PACKET_AT, *at = encoder_put_start(e, packet - PACKET_AT, ns, 0);
    memcpy(at, as->bytes, SWITCH_BYTES); /* as a whole: quicker than by its length */
    close_field(packet, at + as->first, 1);
    memcpy(at + as->flow_at, &flow, FLOW_BYTES);
    s->step->on_loop = moved(e, at, as->step_at, as->step_body);
    s->to->running = moved(e, at, as->running_at, as->running_body);
    e->events += EVENTS;
    encoder_advance(e, at + as->length);
    go_on(t, s, ns);
    return 1;
}

/* Of what the handlers have written since `packet`. */
static void keep(const encoder *e, const greenlet_switch *s, const uint8_t *packet, switch_bytes *as)
{
    const uint8_t *end = e->bytes + e->length, *second = packet + PACKET_AT + packet[1];
    const uint8_t *first = packet + PACKET_AT + 1; /* its time … */
    while (*first++ & 0x80)
        ;
    size_t length = (size_t)(end - first);
    if (length > SWITCH_BYTES)
        return;
    memcpy(as->bytes, first, length);
    as->length = (uint8_t)length;
    as->first = (uint8_t)(second - first);
    as->flow_at = (uint8_t)(second + PACKET_AT + second[1] - FLOW_BYTES - first);
    as->step_at = (uint8_t)(e->bytes + (s->step->on_loop.position - e->flushed) - first);
    as->step_body = (uint8_t)s->step->on_loop.body;
    as->running_at = (uint8_t)(e->bytes + (s->to->running.position - e->flushed) - first);
    as->running_body = (uint8_t)s->to->running.body;
    as->chunk = e->chunk;
}

static void handle_in_parts(timeline *t, thread_line *thread, const record *r, uint32_t site, uint64_t ns, const char *text)
{
    const record ready = {.a = (uint32_t)r->b, .b = r->c >> 32};
    const record await = {.a = r->a, .b = (r->b >> 32) << 32 | site, .c = (r->c >> 32) << 32};
    const record begin = {.a = (uint32_t)r->b, .b = (uint32_t)r->c};
    timeline_task_handlers[REC_READY](t, thread, &ready, ns, text);
    timeline_task_handlers[REC_STEP_AWAIT](t, thread, &await, ns, text);
    timeline_task_handlers[REC_STEP_BEGIN](t, thread, &begin, ns, text);
}

/* The place for it, which may have been another one's until now; NULL: no memory. */
static inline switch_bytes *bytes_of(timeline *t, const record *r)
{
    if (!t->switches && !(t->switches = calloc(SWITCHES, sizeof *t->switches)))
        return NULL;
    uint64_t hash = (r->a ^ r->b * 0x9E3779B97F4A7C15ull ^ r->c) * 0xD6E8FEB86659FD93ull;
    return &t->switches[hash >> 32 & (SWITCHES - 1)];
}

HANDLER(handle_switch)
{
    encoder *e = &t->out;
    uint32_t stack = (uint32_t)(r->c >> 32), loop = (uint32_t)r->c;
    const stack_facts *facts = stack_names_of(stack);
    const greenlet_switch s = {.from = timeline_task(t, r->a), .to = timeline_task(t, (uint32_t)r->b), .step = top_step(thread),
                               .loop = loop && thread->loop && thread->loop->id == loop ? thread->loop : NULL,
                               .what = (uint32_t)(r->b >> 32), .site = facts ? facts->site : 0, .stack = stack};
    switch_bytes *as = bytes_of(t, r);
    int usual = as && is_usual(e, thread, &s, ns);
    if (usual && as->chunk == e->chunk && as->a == r->a && as->b == r->b && as->c == r->c) {
        if (repeat(t, &s, as, ns))
            return;
        usual = 0;
    }
    usual = usual && is_known(e, &s);
    uint64_t events = e->events, inserted = e->inserted;
    size_t packet = e->length + FLOW_FIELD_BYTES; /* behind the beginning of the arrow */
    handle_in_parts(t, thread, r, s.site, ns, text);
    if (usual && e->events - events == EVENTS && e->inserted - inserted == 1) {
        as->a = r->a, as->b = r->b, as->c = r->c;
        as->chunk = 0;
        keep(e, &s, e->bytes + packet, as);
    }
}

const record_handler timeline_switch_handlers[REC_KINDS] = {[REC_SWITCH] = handle_switch};
