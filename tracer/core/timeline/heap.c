/* Writing the sampled allocations, the frees of their blocks, and the two counters.
 *
 * A hook in an allocator cannot name its stack. An allocation at a new place is held back until the names
 * are known, and is then written with its own time; so is the free of its block, if that came meanwhile. */
#include "timeline/heap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ring/stack_names.h"

enum { HELD_MOST = 1 << 16, RATE_NS = 100 * 1000 * 1000 };

typedef struct {
    uint64_t ns, bytes;
    uint64_t represented; /* bytes that it stands for */
    uint32_t block, maker, stack, tid, task;
    uint8_t is_held;
    /* Of a block that was freed while its allocation was held back: */
    uint8_t is_freed, is_resized;
    uint32_t freed_by, returned; /* tid, enum maker_state */
    uint64_t freed_ns;
} allocation;

typedef struct heap_line {
    track on, live, rate;
    uint64_t mean_bytes;
    map blocks; /* number -> allocation*, of those that live */
    int64_t live_bytes, told_live;
    uint64_t allocated, rate_ns; /* bytes since then */
    int64_t told_rate;
    allocation **held;
    uint32_t held_count, held_capacity;
} heap_line;

HANDLER(heap_begin)
{
    UNUSED(thread), UNUSED(text);
    heap_line *heap = t->heap ? t->heap : calloc(1, sizeof *heap);
    if (!heap)
        return;
    if (!t->heap) {
        *heap = (heap_line){.rate_ns = ns, .told_live = -1, .told_rate = -1};
        struct {
            track *at;
            enum track_kind kind;
            const char *name;
        } lines[] = {
            {&heap->on, TRACK_KIND_PLAIN, SCHEMA_TEXT_TRACK_HEAP},
            {&heap->live, TRACK_KIND_COUNTER, SCHEMA_TEXT_COUNTER_HEAP_LIVE},
            {&heap->rate, TRACK_KIND_COUNTER, SCHEMA_TEXT_COUNTER_ALLOCATION_RATE},
        };
        for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
            track_init(&t->out, lines[i].at, lines[i].kind, &t->process, lines[i].name, strlen(lines[i].name));
        t->heap = heap;
    }
    heap->mean_bytes = r->b;
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .on = &heap->on, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_HEAP, .name = SCHEMA_SAMPLING, .lasts = 1};
    event_uint(&ev, SCHEMA_ARG_MEAN_BYTES, heap->mean_bytes);
    encoder_event(&t->out, &ev);
}

/* A block of this size is sampled with the probability 1 - exp(-bytes / mean), so it stands for others. */
static uint64_t represented(const heap_line *heap, uint64_t bytes)
{
    double size = (double)bytes;
    return (uint64_t)(size / -expm1(-size / (double)heap->mean_bytes) + 0.5);
}

static void put(timeline *t, const allocation *a)
{
    const stack_facts *stack = stack_names_of(a->stack);
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = a->ns, .on = &t->heap->on, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_HEAP, .name = SCHEMA_ALLOC};
    event_uint(&ev, SCHEMA_ARG_BLOCK, a->block);
    event_uint(&ev, SCHEMA_ARG_BYTES, a->bytes);
    event_uint(&ev, SCHEMA_ARG_TID, a->tid);
    if (a->task)
        event_uint(&ev, SCHEMA_ARG_TASK, a->task);
    if (a->maker)
        event_uint(&ev, SCHEMA_ARG_CALL, a->maker);
    if (stack) {
        event_interned(&ev, SCHEMA_ARG_SITE, stack->site);
        event_interned(&ev, SCHEMA_ARG_STACK, stack->text);
    }
    encoder_event(&t->out, &ev);
}

static void put_free(timeline *t, const allocation *a)
{
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = a->freed_ns, .on = &t->heap->on, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_HEAP, .name = SCHEMA_FREE};
    event_uint(&ev, SCHEMA_ARG_BLOCK, a->block);
    event_uint(&ev, SCHEMA_ARG_TID, a->freed_by);
    if (a->returned != MAKER_UNKNOWN)
        event_bool(&ev, SCHEMA_ARG_RETURNED, a->returned == MAKER_RETURNED);
    if (a->is_resized)
        event_bool(&ev, SCHEMA_ARG_RESIZED, 1);
    encoder_event(&t->out, &ev);
}

static int hold(heap_line *heap, allocation *a)
{
    if (heap->held_count == heap->held_capacity) {
        uint32_t capacity = heap->held_capacity * 2 + 64;
        allocation **held = capacity <= HELD_MOST ? realloc(heap->held, capacity * sizeof *held) : NULL;
        if (!held)
            return 0;
        heap->held = held;
        heap->held_capacity = capacity;
    }
    heap->held[heap->held_count++] = a;
    a->is_held = 1;
    return 1;
}

HANDLER(heap_taken)
{
    UNUSED(text);
    heap_line *heap = t->heap;
    if (!heap || !r->c)
        return;
    const running_step *step = top_step(thread);
    uint64_t *known = map_put(&heap->blocks, (uint32_t)r->b);
    allocation *a = known && !*known ? malloc(sizeof *a) : NULL; /* a number comes once */
    if (!a) {
        if (known && !*known)
            map_remove(&heap->blocks, (uint32_t)r->b);
        return;
    }
    *known = (uint64_t)(uintptr_t)a;
    *a = (allocation){.ns = ns, .bytes = r->c, .represented = represented(heap, r->c), .block = (uint32_t)r->b,
                      .maker = (uint32_t)(r->b >> 32), .stack = r->a, .tid = thread->tid, .task = step ? step->task : 0};
    heap->allocated += a->represented;
    heap->live_bytes += (int64_t)a->represented;
    if (!a->stack || stack_names_of(a->stack) || !hold(heap, a))
        put(t, a);
}

HANDLER(heap_freed)
{
    UNUSED(text);
    uint64_t *known = t->heap ? map_find(&t->heap->blocks, r->b) : NULL;
    if (!known)
        return; /* its allocation was dropped */
    allocation *a = (allocation *)(uintptr_t)*known;
    map_remove(&t->heap->blocks, r->b);
    t->heap->live_bytes -= (int64_t)a->represented;
    if (thread->gc_open)
        thread->gc_freed += a->represented;
    a->is_freed = 1;
    a->freed_ns = ns;
    a->freed_by = thread->tid;
    a->returned = r->a;
    a->is_resized = r->flag != 0;
    if (a->is_held)
        return;
    put_free(t, a);
    free(a);
}

HANDLER(heap_running)
{
    UNUSED(thread), UNUSED(text);
    if (!t->heap)
        return;
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .on = &t->heap->on, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_HEAP, .name = r->a ? SCHEMA_STILL_RUNS : SCHEMA_SAMPLING_ENDED};
    if (r->a)
        event_uint(&ev, SCHEMA_ARG_CALL, r->a);
    encoder_event(&t->out, &ev);
}

const record_handler timeline_heap_handlers[REC_KINDS] = {
    [REC_HEAP_BEGIN] = heap_begin,
    [REC_HEAP_TAKEN] = heap_taken,
    [REC_HEAP_FREED] = heap_freed,
    [REC_HEAP_RUNNING] = heap_running,
};

void heap_settle(timeline *t)
{
    heap_line *heap = t->heap;
    uint32_t kept = 0;
    for (uint32_t i = 0; heap && i < heap->held_count; i++) {
        allocation *a = heap->held[i];
        if (!stack_names_of(a->stack)) {
            heap->held[kept++] = a;
            continue;
        }
        put(t, a);
        a->is_held = 0;
        if (a->is_freed) {
            put_free(t, a);
            free(a);
        }
    }
    if (heap)
        heap->held_count = kept;
}

void heap_head(timeline *t)
{
    heap_line *heap = t->heap;
    for (uint32_t i = 0; heap && heap->blocks.slots && i <= heap->blocks.mask; i++) {
        const allocation *a = (allocation *)(uintptr_t)heap->blocks.slots[i].value;
        if (heap->blocks.slots[i].key && !a->is_held)
            put(t, a);
    }
}

static void tell(timeline *t, track *on, uint64_t ns, int64_t now, int64_t *told)
{
    if (now == *told)
        return;
    *told = now;
    event ev = {.ns = ns, .on = on, .type = SCHEMA_TYPE_COUNTER, .counter = now};
    encoder_event(&t->out, &ev);
}

void heap_counters(timeline *t, uint64_t ns)
{
    heap_line *heap = t->heap;
    if (!heap)
        return;
    tell(t, &heap->live, ns, heap->live_bytes, &heap->told_live);
    if (ns < heap->rate_ns + RATE_NS)
        return;
    double seconds = (double)(ns - heap->rate_ns) / 1e9;
    tell(t, &heap->rate, ns, (int64_t)((double)heap->allocated / seconds), &heap->told_rate);
    heap->allocated = 0;
    heap->rate_ns = ns;
}

int64_t heap_live(const timeline *t)
{
    return t->heap ? t->heap->live_bytes : -1;
}

void heap_free(timeline *t)
{
    heap_line *heap = t->heap;
    if (!heap)
        return;
    track *lines[] = {&heap->on, &heap->live, &heap->rate};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        track_free(lines[i]);
    for (uint32_t i = 0; i < heap->held_count; i++)
        if (heap->held[i]->is_freed)
            free(heap->held[i]);
    for (uint32_t i = 0; heap->blocks.slots && i <= heap->blocks.mask; i++)
        if (heap->blocks.slots[i].key)
            free((allocation *)(uintptr_t)heap->blocks.slots[i].value);
    map_free(&heap->blocks);
    free(heap->held);
    free(heap);
    t->heap = NULL;
}
