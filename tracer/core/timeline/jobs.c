/* Turns records into flows: an executor's jobs, from where each is submitted to the thread that runs it. */
#include "timeline/jobs.h"

#include "ring/intern.h"
#include "timeline/loops.h"

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

const record_handler timeline_job_handlers[REC_KINDS] = {
    [REC_JOB_SUBMIT] = job_submit,
    [REC_JOB_RUN] = job_run,
};
