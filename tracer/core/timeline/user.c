/* Turns records into slices: the program's own events. NOTES.md, "User events". */
#include "timeline/user.h"

#include <stdlib.h>
#include <string.h>

#include "ring/intern.h"
#include "ring/payload.h"
#include "ring/text.h"

enum { REGION_DEPTH = 256 }; /* trace_processor takes 512 */

typedef struct {
    uint64_t number, operation;
    uint32_t name_id, text_length;
    char *text; /* owned; the name when name_id is 0 */
} region;

/* The regions of a thread or task that are open, the innermost last. */
struct user_line {
    track on;
    uint64_t upto_ns;
    uint32_t depth, capacity;
    region *open;
};

/* An operation (tracer.task); when it is over, the lane is free for the next of its name. */
typedef struct operation_lane {
    track on;
    uint64_t upto_ns;
    uint32_t name_id;
    struct operation_lane *next_free;
} operation_lane;

/* A record's payload taken apart; everything points into it. */
typedef struct {
    uint64_t operation;
    const char *name;
    uint32_t name_length;
    uint32_t arg_count;
    arg args[USER_ARGS + 4]; /* room for the recorder's own */
} details;

/* --- payload --- */

static uint64_t take(const char **at, size_t size)
{
    uint64_t value = 0;
    memcpy(&value, *at, size); /* little-endian, as wire.h */
    *at += size;
    return value;
}

static const struct {
    const char *ours, *theirs;
} taken_labels[] = {{"operation", "operation_"},
                    {"continues", "continues_"},
                    {"exception", "exception_"},
                    {"omitted", "omitted_"},
                    {"parent", "parent_"}};

/* An argument with the name of one of the trace's own gets another name. */
static void set_label(arg *a, const char *label, uint32_t length)
{
    a->label = label;
    a->label_length = length;
    for (size_t i = 0; i < sizeof taken_labels / sizeof *taken_labels; i++) {
        if (strlen(taken_labels[i].ours) != length || memcmp(taken_labels[i].ours, label, length))
            continue;
        a->label = taken_labels[i].theirs;
        a->label_length = length + 1;
    }
}

static void read_details(const record *r, const char *payload, details *d)
{
    static const uint8_t types[] = {
        [USER_BOOL] = ARG_BOOL, [USER_INT] = ARG_INT, [USER_DOUBLE] = ARG_DOUBLE, [USER_TEXT] = ARG_TEXT};
    *d = (details){0};
    if (!r->b)
        return;
    const char *at = payload;
    d->operation = take(&at, 8);
    if (!r->a) {
        d->name_length = (uint32_t)take(&at, 2);
        d->name = at;
        at += d->name_length;
    }
    for (uint8_t type; (type = (uint8_t)take(&at, 1)) != USER_END;) {
        arg *a = &d->args[d->arg_count++];
        if (type == USER_OMITTED) {
            *a = (arg){.name = SCHEMA_ARG_OMITTED, .type = ARG_UINT, .value = take(&at, 8)};
            continue;
        }
        *a = (arg){.type = types[type]};
        uint32_t length = (uint32_t)take(&at, 1);
        set_label(a, at, length);
        at += length;
        if (type != USER_TEXT) {
            a->value = take(&at, 8);
            continue;
        }
        a->length = (uint32_t)take(&at, 2);
        a->text = at;
        at += a->length;
    }
}

static void name_event(event *ev, uint32_t name_id, const char *text, uint32_t length)
{
    ev->name_id = name_id;
    ev->text = name_id ? NULL : length ? text : TEXT_UNNAMED;
    ev->text_length = name_id ? 0 : length ? length : (uint32_t)sizeof TEXT_UNNAMED - 1;
}

/* --- regions --- */

static user_line *line_of(timeline *t, thread_line *thread)
{
    running_step *step = top_step(thread);
    task_line *task = step && step->task ? timeline_task(t, step->task) : NULL;
    user_line **slot = task ? &task->on->user : &thread->user;
    if (!*slot && (*slot = calloc(1, sizeof **slot)))
        track_init(&t->out, &(*slot)->on, TRACK_KIND_PLAIN, task ? &task->on->on : &thread->on,
                   SCHEMA_TEXT_TRACK_USER, sizeof SCHEMA_TEXT_TRACK_USER - 1);
    return *slot;
}

/* Records of several threads can cross: time never goes back on a line. */
static uint64_t not_before(timeline *t, uint64_t *upto_ns, uint64_t ns)
{
    if (ns < *upto_ns)
        t->late++;
    else
        *upto_ns = ns;
    return *upto_ns;
}

static void begin_piece(timeline *t, user_line *line, const region *which, details *d, uint64_t ns)
{
    event ev = {.args = d->args, .arg_count = (uint8_t)d->arg_count, .ns = ns, .on = &line->on,
                .type = SCHEMA_TYPE_SLICE_BEGIN, .category = SCHEMA_CAT_USER};
    name_event(&ev, which->name_id, which->text, which->text_length);
    if (which->operation)
        event_uint(&ev, SCHEMA_ARG_OPERATION, which->operation);
    encoder_event(&t->out, &ev);
}

static void end_piece(timeline *t, user_line *line, uint32_t exception, uint64_t ns)
{
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .on = &line->on, .type = SCHEMA_TYPE_SLICE_END};
    event_interned(&ev, SCHEMA_ARG_EXCEPTION, exception);
    encoder_event(&t->out, &ev);
}

static region *push(user_line *line)
{
    if (line->depth == line->capacity) {
        uint32_t capacity = line->capacity * 2 + 4;
        region *grown = realloc(line->open, capacity * sizeof *grown);
        if (!grown)
            return NULL;
        line->open = grown;
        line->capacity = capacity;
    }
    return &line->open[line->depth];
}

HANDLER(region_begin)
{
    user_line *line = line_of(t, thread);
    region *opened = line && line->depth < REGION_DEPTH ? push(line) : NULL;
    uint64_t *known = opened ? map_put(&t->regions, r->c) : NULL;
    if (!known) {
        t->undrawn++;
        return;
    }
    details d;
    read_details(r, text, &d);
    *known = (uint64_t)(uintptr_t)line;
    *opened = (region){.number = r->c, .operation = d.operation, .name_id = r->a};
    if (!r->a) {
        opened->text = malloc(d.name_length + 1);
        opened->text_length = opened->text ? d.name_length : 0;
        if (opened->text)
            memcpy(opened->text, d.name, d.name_length);
    }
    line->depth++;
    begin_piece(t, line, opened, &d, not_before(t, &line->upto_ns, ns));
}

/* A region may end while younger ones of its line are open: left by a generator, or by another
 * task where tasks are not recorded. Those end with it and go on at once, so that slices nest. */
HANDLER(region_end)
{
    UNUSED(thread), UNUSED(text);
    uint64_t *known = map_find(&t->regions, r->c);
    if (!known)
        return; /* begun in an older recording, lost, or closed with its task */
    user_line *line = (user_line *)(uintptr_t)*known;
    map_remove(&t->regions, r->c);
    uint32_t at = line->depth;
    while (line->open[--at].number != r->c)
        ;
    ns = not_before(t, &line->upto_ns, ns);
    for (uint32_t i = line->depth; --i > at;)
        end_piece(t, line, 0, ns);
    end_piece(t, line, r->a, ns);
    free(line->open[at].text);
    line->depth--;
    for (uint32_t i = at; i < line->depth; i++) {
        line->open[i] = line->open[i + 1];
        details d = {.arg_count = 1, .args = {{.name = SCHEMA_ARG_CONTINUES, .type = ARG_BOOL, .value = 1}}};
        begin_piece(t, line, &line->open[i], &d, ns);
    }
}

void user_close(timeline *t, user_line *line, uint64_t ns)
{
    if (!line || !line->depth)
        return;
    if (ns > line->upto_ns)
        line->upto_ns = ns;
    while (line->depth) {
        region *last = &line->open[--line->depth];
        end_piece(t, line, 0, line->upto_ns);
        map_remove(&t->regions, last->number);
        free(last->text);
    }
}

void user_line_free(timeline *t, user_line *line)
{
    if (!line)
        return;
    for (uint32_t i = 0; i < line->depth; i++) {
        if (t)
            map_remove(&t->regions, line->open[i].number);
        free(line->open[i].text);
    }
    free(line->open);
    track_free(&line->on);
    free(line);
}

HANDLER(log_message)
{
    user_line *line = line_of(t, thread);
    if (!line)
        return;
    details d;
    read_details(r, text, &d);
    event ev = {.args = d.args, .arg_count = (uint8_t)d.arg_count, .ns = not_before(t, &line->upto_ns, ns),
                .on = &line->on, .type = SCHEMA_TYPE_INSTANT, .category = SCHEMA_CAT_USER};
    name_event(&ev, 0, d.name, d.name_length);
    if (d.operation)
        event_uint(&ev, SCHEMA_ARG_OPERATION, d.operation);
    encoder_event(&t->out, &ev);
}

/* --- operations --- */

static operation_lane *lane_for(timeline *t, uint32_t name_id, const char *name, size_t length)
{
    uint64_t *head = map_find(&t->operation_lanes, name_id ? name_id : UINT64_MAX);
    operation_lane *lane = head ? (operation_lane *)(uintptr_t)*head : NULL;
    if (lane) {
        *head = (uint64_t)(uintptr_t)lane->next_free;
        lane->next_free = NULL;
        return lane;
    }
    lane = calloc(1, sizeof *lane);
    if (!lane)
        return NULL;
    if (name_id)
        name = intern_text(name_id, &length);
    else
        name = "other", length = 5;
    track_init(&t->out, &lane->on, TRACK_KIND_PLAIN, &t->all_operations, name, length);
    lane->name_id = name_id;
    return lane;
}

HANDLER(operation_begin)
{
    UNUSED(thread);
    details d;
    read_details(r, text, &d);
    uint64_t *known = map_put(&t->operations, r->c);
    operation_lane *lane = known ? lane_for(t, r->a, d.name, d.name_length) : NULL;
    if (!lane) {
        map_remove(&t->operations, r->c);
        t->undrawn++;
        return;
    }
    *known = (uint64_t)(uintptr_t)lane;
    event ev = {.args = d.args, .arg_count = (uint8_t)d.arg_count, .ns = not_before(t, &lane->upto_ns, ns),
                .on = &lane->on, .type = SCHEMA_TYPE_SLICE_BEGIN, .category = SCHEMA_CAT_OPERATION};
    name_event(&ev, r->a, d.name, d.name_length);
    event_uint(&ev, SCHEMA_ARG_OPERATION, r->c);
    if (d.operation)
        event_uint(&ev, SCHEMA_ARG_PARENT, d.operation);
    encoder_event(&t->out, &ev);
}

HANDLER(operation_end)
{
    UNUSED(thread), UNUSED(text);
    uint64_t *known = map_find(&t->operations, r->c);
    if (!known)
        return;
    operation_lane *lane = (operation_lane *)(uintptr_t)*known;
    map_remove(&t->operations, r->c);
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = not_before(t, &lane->upto_ns, ns), .on = &lane->on,
                .type = SCHEMA_TYPE_SLICE_END};
    event_interned(&ev, SCHEMA_ARG_EXCEPTION, r->a);
    encoder_event(&t->out, &ev);
    uint64_t *head = map_put(&t->operation_lanes, lane->name_id ? lane->name_id : UINT64_MAX);
    lane->next_free = head ? (operation_lane *)(uintptr_t)*head : NULL;
    if (head)
        *head = (uint64_t)(uintptr_t)lane;
}

/* --- counters --- */

HANDLER(counter)
{
    UNUSED(thread), UNUSED(text);
    int is_queue = r->flag == COUNTER_QUEUE;
    uint64_t *slot = r->a ? map_put(&t->user_counters, (uint64_t)is_queue << 32 | r->a) : NULL;
    track *on = slot ? (track *)(uintptr_t)*slot : NULL;
    if (slot && !on && (on = calloc(1, sizeof *on))) {
        size_t length;
        const char *name = intern_text(r->a, &length);
        track_init(&t->out, on, TRACK_KIND_COUNTER, is_queue ? &t->all_queues : &t->all_user_counters, name, length);
        *slot = (uint64_t)(uintptr_t)on;
    }
    if (!on) {
        t->undrawn++;
        return;
    }
    event ev = {.ns = ns, .on = on, .type = SCHEMA_TYPE_COUNTER, .counter = (int64_t)r->c,
                .counter_is_double = r->flag == COUNTER_DOUBLE};
    encoder_event(&t->out, &ev);
}

/* --- the end --- */

static void *value_at(const map *m, uint32_t i)
{
    return m->slots[i].key ? (void *)(uintptr_t)m->slots[i].value : NULL;
}

static void free_lanes(map *m)
{
    for (uint32_t i = 0; m->slots && i <= m->mask; i++)
        for (operation_lane *lane = value_at(m, i), *next; lane; lane = next) {
            next = lane->next_free;
            track_free(&lane->on);
            free(lane);
        }
    map_free(m);
}

void user_free(timeline *t)
{
    free_lanes(&t->operations);
    free_lanes(&t->operation_lanes);
    for (uint32_t i = 0; t->user_counters.slots && i <= t->user_counters.mask; i++) {
        track *on = value_at(&t->user_counters, i);
        if (on)
            track_free(on);
        free(on);
    }
    map_free(&t->user_counters);
    map_free(&t->regions);
    track_free(&t->all_operations);
    track_free(&t->all_user_counters);
    track_free(&t->all_queues);
}

const record_handler timeline_user_handlers[REC_KINDS] = {
    [REC_REGION_BEGIN] = region_begin,
    [REC_REGION_END] = region_end,
    [REC_OPERATION_BEGIN] = operation_begin,
    [REC_OPERATION_END] = operation_end,
    [REC_LOG] = log_message,
    [REC_COUNTER] = counter,
};
