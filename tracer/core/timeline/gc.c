/* Writing the slice of a collection. */
#include "timeline/gc.h"

#include <stdio.h>

#include "ring/stack_names.h"
#include "timeline/heap.h"

void gc_slice(timeline *t, const thread_line *thread, track *on, uint64_t ns, uint8_t type)
{
    char name[24];
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .on = on, .type = type};
    if (type == SCHEMA_TYPE_SLICE_BEGIN) {
        ev.category = SCHEMA_CAT_GC;
        ev.text = name;
        ev.text_length = (uint32_t)snprintf(name, sizeof name, "%s%u", SCHEMA_TEXT_GC_PREFIX, thread->gc_generation);
        event_uint(&ev, SCHEMA_ARG_GENERATION, thread->gc_generation);
        event_uint(&ev, SCHEMA_ARG_TID, thread->tid);
        const stack_facts *stack = thread->gc_is_called ? stack_names_of(thread->gc_stack) : NULL;
        if (thread->gc_is_called)
            event_bool(&ev, SCHEMA_ARG_EXPLICIT, 1);
        if (stack) {
            event_interned(&ev, SCHEMA_ARG_SITE, stack->site);
            event_interned(&ev, SCHEMA_ARG_STACK, stack->text);
        }
    }
    encoder_event(&t->out, &ev);
}

void gc_finish(timeline *t, thread_line *thread, uint64_t ns, uint64_t collected, uint64_t uncollectable)
{
    track *lines[] = {&thread->on, &t->gc};
    for (int i = 0; i < 2; i++) {
        arg ev_args[EVENT_ARGS];
        event ev = {.args = ev_args, .ns = ns, .on = lines[i], .type = SCHEMA_TYPE_SLICE_END};
        event_uint(&ev, SCHEMA_ARG_COLLECTED, collected);
        event_uint(&ev, SCHEMA_ARG_UNCOLLECTABLE, uncollectable);
        if (t->heap)
            event_uint(&ev, SCHEMA_ARG_FREED_BYTES, thread->gc_freed);
        encoder_event(&t->out, &ev);
    }
    thread->gc_open = 0;
    tally_collected(&t->collections, (tally_collection){0, thread->gc_since_ns, ns, collected, uncollectable,
                                                        thread->gc_generation, thread->tid, thread->gc_heap,
                                                        heap_live(t)});
}
