/* Turns records into flows and slices: the jobs of executors and of pools of processes, from where each is submitted
 * to where it runs and, from another process, back; messages between processes; connections that had to wait. */
#include "timeline/jobs.h"

#include <string.h>

#include "packets/slices.h"
#include "ring/intern.h"
#include "ring/stack_names.h"
#include "timeline/steps.h"

HANDLER(job_submit)
{
    UNUSED(text);
    uint64_t *known = map_put(&t->jobs, r->b);
    if (known)
        *known = flow_from(t, thread, ns, top_step(thread), SCHEMA_SUBMIT);
}

HANDLER(job_run)
{
    UNUSED(text);
    const uint64_t *known = map_find(&t->jobs, r->b);
    intern_func func = intern_function_of(r->a);
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .on = &thread->on, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_THREAD, .name = SCHEMA_RUN, .flow_in = known ? *known : 0};
    event_interned(&ev, SCHEMA_ARG_NAME, func.name);
    event_interned(&ev, SCHEMA_ARG_SITE, func.site);
    encoder_event(&t->out, &ev);
    map_remove(&t->jobs, r->b);
}

/* --- pools of processes --- */

static uint64_t mixed(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

/* The arrow to where the job runs, or back; each process of the family computes the same. */
static uint64_t flow_of(const timeline *t, const record *r, int is_back)
{
    return mixed(mixed(mixed(t->seed) + r->b) + r->c * 2 + (uint64_t)is_back) | 1;
}

static event job_event(const record *r, track *on, uint64_t ns, uint8_t type, uint8_t name, arg *args)
{
    event ev = {.args = args, .ns = ns, .on = on, .type = type, .category = SCHEMA_CAT_JOB, .name = name};
    event_uint(&ev, SCHEMA_ARG_POOL, r->b);
    event_uint(&ev, SCHEMA_ARG_JOB, r->c);
    return ev;
}

static void add_stack(event *ev, uint32_t id, uint32_t site)
{
    const stack_facts *stack = stack_names_of(id);
    event_interned(ev, SCHEMA_ARG_SITE, site ? site : stack ? stack->site : 0);
    event_interned(ev, SCHEMA_ARG_STACK, stack ? stack->text : 0);
}

/* What is pickled is never empty: 0 is unknown. */
static void add_bytes(event *ev, const pool_job_details *d)
{
    if (d->bytes)
        event_uint(ev, SCHEMA_ARG_BYTES, d->bytes);
}

static void add_pickling(event *ev, const pool_job_details *d)
{
    if (d->pickling_ns != UINT64_MAX) /* else it is unknown */
        event_uint(ev, SCHEMA_ARG_PICKLING, d->pickling_ns);
}

static void submitted(timeline *t, thread_line *thread, const record *r, uint64_t ns, const pool_job_details *d)
{
    arg args[EVENT_ARGS];
    thread_line *by = d->tid ? timeline_thread_of(t, d->tid) : thread;
    event ev = job_event(r, by ? &by->on : &thread->on, d->since_ns < ns ? d->since_ns : ns, SCHEMA_TYPE_INSTANT,
                         SCHEMA_SUBMIT, args);
    event_interned(&ev, SCHEMA_ARG_NAME, intern_function_of(r->a).name);
    add_stack(&ev, d->stack, 0);
    packet_ref at = encoder_event(&t->out, &ev);
    encoder_add_flow(&t->out, &at, flow_of(t, r, 0));
}

/* The moment is that at which writing began: the other side may have read it before it ends. */
static void sent(timeline *t, thread_line *thread, const record *r, uint64_t ns, const pool_job_details *d)
{
    arg args[EVENT_ARGS];
    int is_result = r->flag == POOL_RESULT_SENT;
    uint64_t since_ns = d->since_ns < ns ? d->since_ns : ns;
    event ev = job_event(r, &thread->on, since_ns, SCHEMA_TYPE_INSTANT,
                         is_result ? SCHEMA_RESULT_SENT : SCHEMA_JOB_SENT, args);
    add_bytes(&ev, d);
    add_pickling(&ev, d);
    event_uint(&ev, SCHEMA_ARG_SENDING, ns - since_ns);
    packet_ref at = encoder_event(&t->out, &ev);
    if (is_result)
        encoder_add_flow(&t->out, &at, flow_of(t, r, 1));
}

static void begun(timeline *t, thread_line *thread, const record *r, uint64_t ns, const pool_job_details *d)
{
    (void)thread;
    if (t->job_is_open) /* its end was lost */
        encoder_end(&t->out, &t->pool_jobs, ns);
    intern_func func = intern_function_of(r->a);
    arg args[EVENT_ARGS];
    event ev = job_event(r, &t->pool_jobs, ns, SCHEMA_TYPE_SLICE_BEGIN, 0, args);
    ev.flow_in = flow_of(t, r, 0);
    ev.name_id = func.name;
    if (!func.name) {
        ev.text = "job";
        ev.text_length = 3;
    }
    add_bytes(&ev, d);
    add_pickling(&ev, d);
    add_stack(&ev, d->stack, func.site);
    encoder_event(&t->out, &ev);
    t->job_is_open = 1;
}

static void ended(timeline *t, thread_line *thread, const record *r, uint64_t ns, const pool_job_details *d)
{
    (void)thread, (void)d;
    if (!t->job_is_open)
        return;
    arg args[EVENT_ARGS];
    event ev = {.args = args, .ns = ns, .on = &t->pool_jobs, .type = SCHEMA_TYPE_SLICE_END};
    event_interned(&ev, SCHEMA_ARG_EXCEPTION, r->a);
    encoder_event(&t->out, &ev);
    t->job_is_open = 0;
}

static void received(timeline *t, thread_line *thread, const record *r, uint64_t ns, const pool_job_details *d)
{
    arg args[EVENT_ARGS];
    event ev = job_event(r, &thread->on, ns, SCHEMA_TYPE_INSTANT, SCHEMA_RESULT_RECEIVED, args);
    ev.flow_in = flow_of(t, r, 1);
    add_bytes(&ev, d);
    add_pickling(&ev, d);
    encoder_event(&t->out, &ev);
}

HANDLER(pool_job)
{
    static void (*const steps[])(timeline *, thread_line *, const record *, uint64_t, const pool_job_details *) = {
        [POOL_SUBMITTED] = submitted, [POOL_SENT] = sent,        [POOL_BEGUN] = begun,
        [POOL_ENDED] = ended,         [POOL_RESULT_SENT] = sent, [POOL_RESULT_RECEIVED] = received,
    };
    pool_job_details details;
    memcpy(&details, text, sizeof details);
    if (r->flag < sizeof steps / sizeof *steps)
        steps[r->flag](t, thread, r, ns, &details);
}

/* --- messages between processes --- */

/* Both processes compute the same. The seed is turned so that no job of that pipe has the same. */
static uint64_t flow_of_message(const timeline *t, const record *r)
{
    return mixed(mixed(mixed(~t->seed) + r->b) + r->c) | 1;
}

static event message_event(const record *r, thread_line *thread, const pool_job_details *d, uint64_t ns, uint8_t name,
                           arg *args)
{
    event ev = {.args = args, .ns = ns, .on = &thread->on, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_MESSAGE, .name = name};
    event_uint(&ev, SCHEMA_ARG_PIPE, r->b);
    event_uint(&ev, SCHEMA_ARG_MESSAGE, r->c);
    if (d->pickling_ns)
        event_uint(&ev, SCHEMA_ARG_SINCE, d->pickling_ns);
    event_uint(&ev, SCHEMA_ARG_BYTES, d->bytes);
    return ev;
}

static void message_sent(timeline *t, thread_line *thread, const record *r, uint64_t ns, const pool_job_details *d)
{
    uint64_t since_ns = d->since_ns < ns ? d->since_ns : ns;
    arg args[EVENT_ARGS];
    event ev = message_event(r, thread, d, since_ns, SCHEMA_MESSAGE_SENT, args);
    event_uint(&ev, SCHEMA_ARG_SENDING, ns - since_ns);
    add_stack(&ev, d->stack, 0);
    packet_ref at = encoder_event(&t->out, &ev);
    encoder_add_flow(&t->out, &at, flow_of_message(t, r));
}

static void message_received(timeline *t, thread_line *thread, const record *r, uint64_t ns, const pool_job_details *d)
{
    arg args[EVENT_ARGS];
    event ev = message_event(r, thread, d, d->since_ns < ns ? d->since_ns : ns, SCHEMA_MESSAGE_RECEIVED, args);
    ev.flow_in = flow_of_message(t, r);
    encoder_event(&t->out, &ev);
}

HANDLER(message)
{
    pool_job_details details;
    memcpy(&details, text, sizeof details);
    (r->flag == MESSAGE_SENT ? message_sent : message_received)(t, thread, r, ns, &details);
}

/* --- connections --- */

HANDLER(accepted)
{
    UNUSED(text);
    uint64_t waited_ns = r->b * 1000 * 1000;
    arg args[EVENT_ARGS];
    event ev = {.args = args, .ns = ns, .on = &thread->on, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_THREAD, .name = SCHEMA_ACCEPTED_LATE};
    event_uint(&ev, SCHEMA_ARG_SINCE, ns > waited_ns ? ns - waited_ns : 0);
    event_uint(&ev, SCHEMA_ARG_PORT, r->a);
    encoder_event(&t->out, &ev);
}

/* --- what a thread did at a line of the program --- */

HANDLER(did)
{
    UNUSED(text);
    arg args[EVENT_ARGS];
    int is_job = r->kind == REC_ENTERED_FIRST;
    event ev = {.args = args, .ns = ns, .on = &thread->on, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_THREAD, .name = is_job ? SCHEMA_ENTERED_FIRST : SCHEMA_PRINTED};
    if (is_job)
        event_uint(&ev, SCHEMA_ARG_SOONER, r->b);
    const stack_facts *stack = stack_names_of(r->a);
    if (stack) {
        event_interned(&ev, SCHEMA_ARG_SITE, stack->site);
        event_interned(&ev, SCHEMA_ARG_STACK, stack->text);
    }
    encoder_event(&t->out, &ev);
}

const record_handler timeline_job_handlers[REC_KINDS] = {
    [REC_JOB_SUBMIT] = job_submit,
    [REC_JOB_RUN] = job_run,
    [REC_POOL_JOB] = pool_job,
    [REC_MESSAGE] = message,
    [REC_ACCEPTED] = accepted,
    [REC_ENTERED_FIRST] = did,
    [REC_PRINTED] = did,
};
