/* What runs on a thread: the less usual ways. */
#include "timeline/steps.h"

#include "ring/intern.h"

void end_poll(timeline *t, loop_line *loop, uint64_t ns)
{
    if (!loop || !loop->polling)
        return;
    encoder_end(&t->out, &loop->running, ns);
    loop->idle_ns = loop_idle_ns(loop, ns);
    loop->polling = 0;
}

void step_show_first(timeline *t, loop_line *loop, uint64_t ns, running_step *s, int by_timer, shape *as)
{
    intern_func func = intern_function_of(s->func);
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .on = &loop->running, .type = SCHEMA_TYPE_SLICE_BEGIN,
                .category = SCHEMA_CAT_LOOP, .name_id = func.name, .flow_in = s->flow_in};
    if (!func.name) {
        ev.text = "task";
        ev.text_length = 4;
    }
    if (!s->task)
        event_interned(&ev, SCHEMA_ARG_SITE, func.site);
    if (by_timer)
        event_interned(&ev, SCHEMA_ARG_WAKER, intern_string("timer", 5));
    if (s->task)
        event_own(&ev, SCHEMA_ARG_TASK, s->task);
    s->on_loop = encoder_event_as(&t->out, &ev, as);
}

void pop_step(timeline *t, thread_line *thread, uint64_t ns)
{
    if (thread->depth-- > RUNNING_DEPTH)
        return;
    running_step *s = &thread->steps[thread->depth];
    if (s->loop)
        encoder_end(&t->out, &s->loop->running, ns);
}

void step_leave_outer(timeline *t, thread_line *thread, uint32_t task, uint64_t ns)
{
    uint32_t depth = thread->depth;
    if (depth > RUNNING_DEPTH) {
        thread->depth--;
        return;
    }
    while (depth && thread->steps[depth - 1].task != task)
        depth--;
    if (!depth)
        return;
    while (thread->depth >= depth)
        pop_step(t, thread, ns);
}

packet_ref *step_slice(const timeline *t, running_step *by)
{
    task_line *task = by && by->task ? timeline_task(t, by->task) : NULL;
    return task && task->state == STATE_RUNNING ? &task->running : by ? &by->on_loop : NULL;
}

uint64_t flow_from(timeline *t, thread_line *thread, uint64_t ns, running_step *by, uint8_t name)
{
    uint64_t flow = encoder_new_flow(&t->out);
    packet_ref *from = step_slice(t, by);
    if (from && encoder_add_flow(&t->out, from, flow) == 0)
        return flow;
    int is_shown = by && by->loop;
    packet_ref instant = encoder_instant(&t->out, is_shown ? &by->loop->running : &thread->on,
                                         is_shown ? SCHEMA_CAT_LOOP : SCHEMA_CAT_THREAD, name, ns);
    return encoder_add_flow(&t->out, &instant, flow) == 0 ? flow : 0;
}
