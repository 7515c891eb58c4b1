/* Writes anew what was alive when a file of a flight recording began. */
#include "timeline/head.h"

#include <string.h>

#include "packets/slices.h"
#include "ring/intern.h"
#include "timeline/heap.h"

enum { IDENTITY_ARGS = 5, HEAD_ARGS = 32 };

static int is_named(const arg *a, const arg *among, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (a->name && among[i].name == a->name)
            return 1;
    return 0;
}

/* One event as it was, except for its arrows: their other ends may be gone. What `identity` says comes first, and
 * instead of what the event said under the same names. */
static void write_again(timeline *t, track *on, const open_slice *slice, uint8_t type, const arg *identity,
                        uint32_t count)
{
    arg args[HEAD_ARGS];
    event ev = {.args = args, .ns = slice->ns, .on = on, .type = type, .category = slice->category,
                .name = slice->name, .name_id = slice->name_id, .text = slice->text,
                .text_length = slice->text_length};
    for (uint32_t i = 0; i < count; i++)
        args[ev.arg_count++] = identity[i];
    for (uint32_t i = 0; i < slice->arg_count && ev.arg_count < HEAD_ARGS; i++) {
        arg said = open_slice_arg(slice, i);
        if (!is_named(&said, identity, count))
            args[ev.arg_count++] = said;
    }
    encoder_event(&t->out, &ev);
}

static void restore(timeline *t, kept_track *k, uint64_t ns, const arg *identity, uint32_t count)
{
    k->restored = t->out.chunk;
    for (uint32_t i = 0; i < k->lasting_count; i++)
        write_again(t, k->of, &k->lasting[i], SCHEMA_TYPE_INSTANT, NULL, 0);
    for (uint32_t i = 0; i < k->depth; i++)
        write_again(t, k->of, &k->open[i], SCHEMA_TYPE_SLICE_BEGIN, identity, i ? 0 : count);
    if (!k->has_counter)
        return;
    event ev = {.ns = ns, .on = k->of, .type = SCHEMA_TYPE_COUNTER, .counter = k->counter,
                .counter_is_double = k->counter_is_double};
    encoder_event(&t->out, &ev);
}

/* The first slice of a track that a task has to itself says whose it is. */
static void restore_task(timeline *t, task_line *task, uint64_t ns)
{
    kept_track *k = task->on->on.kept;
    if (task->merged || !task->shown)
        return;
    if (!k || !k->depth) { /* records were dropped, so its state is unknown: the next slice is its first */
        task->shown = 0;
        return;
    }
    intern_func func = intern_function_of(task->func);
    arg args[IDENTITY_ARGS];
    event ev = {.args = args};
    event_uint(&ev, SCHEMA_ARG_TASK, task->id);
    event_text(&ev, SCHEMA_ARG_NAME, task->name, task->name_length);
    event_interned(&ev, SCHEMA_ARG_CORO, func.name);
    event_interned(&ev, SCHEMA_ARG_SITE, func.site);
    if (task->has_parent)
        event_uint(&ev, SCHEMA_ARG_PARENT, task->parent);
    restore(t, k, ns, args, ev.arg_count);
}

void timeline_head(timeline *t, uint64_t ns)
{
    kept_list *list = &t->out.kept;
    int was_on = list->is_on;
    encoder_keep(&t->out, 0);
    for (uint32_t i = 0; t->tasks.slots && i <= t->tasks.mask; i++)
        if (t->tasks.slots[i].key)
            restore_task(t, (task_line *)(uintptr_t)t->tasks.slots[i].value, ns);
    for (kept_track *k = list->first; k; k = k->next)
        if (k->restored != t->out.chunk)
            restore(t, k, ns, NULL, 0);
    for (uint32_t i = 0; t->loops.slots && i <= t->loops.mask; i++) {
        loop_line *loop = t->loops.slots[i].key ? (loop_line *)(uintptr_t)t->loops.slots[i].value : NULL;
        if (loop && loop->run_since_ns)
            encoder_instant(&t->out, &loop->running, SCHEMA_CAT_LOOP, SCHEMA_LOOP_STARTED, loop->run_since_ns);
    }
    heap_head(t);
    encoder_keep(&t->out, was_on);
}
