/* Writes packets into a growing buffer; every length fits one or two bytes. */
#include "packets/encoder.h"

#include <stdlib.h>
#include <string.h>

#include "ring/hot.h"
#include "ring/intern.h"
#include "ring/text.h"
#include "packets/names.h"
#include "packets/wire.h"

enum { CHUNK_LENGTH = 1 << 20, TEXT_LIMIT = 500, LINE = 64 };

uint8_t *encoder_grow(encoder *e)
{
    size_t capacity = e->capacity * 2 + CHUNK_LENGTH + 4 * PACKET_SPACE; /* memory that is not touched costs nothing */
    uint8_t *room = e->failed ? NULL : aligned_alloc(LINE, LINE + capacity);
    if (!room) {
        e->failed = 1;
        return NULL;
    }
    uint8_t *bytes = room + e->lead;
    if (e->length)
        memcpy(bytes, e->bytes, e->length);
    free(e->room);
    e->room = room;
    e->bytes = bytes;
    e->capacity = capacity;
    encoder_keep(e, e->kept.is_on);
    return bytes + e->length;
}

void encoder_keep(encoder *e, int is_on)
{
    e->kept.is_on = is_on;
    e->quick_until = is_on || !e->capacity ? 0 : e->capacity - PACKET_SPACE;
}

static uint64_t scramble(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

static uint8_t *put_head(uint8_t *p, const encoder *e, const event_head *head, uint8_t type)
{
    memcpy(p, head->bytes[0], head->lengths[0]);
    p[e->body_at + 1] = type;
    return p + head->lengths[0];
}

/* The category and the name of the slice that begins are filled in when it does: they take one byte each. */
static void set_turn(const encoder *e, event_head *head)
{
    uint8_t *p = put_head(head->turn, e, head, SCHEMA_TYPE_SLICE_END);
    close_field(head->turn + e->body_at, p, 1);
    uint8_t *packet = open_field(p, SCHEMA_TRACE_PACKET, 1);
    uint8_t *begin = put_number(packet, SCHEMA_PACKET_TIMESTAMP, 0);
    p = put_head(begin, e, head, SCHEMA_TYPE_SLICE_BEGIN);
    p = put_number(put_number(p, SCHEMA_EVENT_CATEGORY_IIDS, 0), SCHEMA_EVENT_NAME_IID, 0);
    close_field(begin + e->body_at, p, 1);
    close_field(packet, p, 1);
    head->turn_length = (uint8_t)(p - head->turn);
}

/* `uuid` 0: of events that name no track. All fits: 21 bits of sequence, 42 of uuid. */
static void set_head(encoder *e, event_head *head, uint64_t uuid)
{
    for (int large = 0; large < 2; large++) {
        uint8_t *p = put_number(head->bytes[large], SCHEMA_PACKET_SEQUENCE_ID, e->sequence + 1);
        p = open_field(p, SCHEMA_PACKET_TRACK_EVENT, !large);
        e->body_at = (uint32_t)(p - head->bytes[large]) - (uint32_t)large;
        p = put_number(p, SCHEMA_EVENT_TYPE, 0);
        if (uuid)
            p = put_number(p, SCHEMA_EVENT_TRACK_UUID, uuid);
        head->lengths[large] = (uint8_t)(p - head->bytes[large]);
    }
    set_turn(e, head);
}

enum { STRIDE = 0x9e3779b1 }; /* odd: each member has numbers of its own, far from the others' */

/* Bases are random so that traces of several processes can be concatenated, and short because
 * every event carries them as varints: 35 bits of uuid, 20 of sequence id. */
void encoder_init(encoder *e, uint32_t pid, uint64_t seed, uint32_t member)
{
    *e = (encoder){.pid = pid, .flushed = 1};
    uint64_t random = scramble(seed), moved = (uint64_t)member * (uint32_t)STRIDE;
    e->uuid_base = (((random + moved) & 0xfffff) | 1 << 20) << 14;
    e->next_uuid = e->uuid_base;
    e->sequence = (uint32_t)((((random >> 24) + moved) & 0xffff) | 1 << 16) << 3;
    e->next_flow = scramble(random + moved) | 1;
    set_head(e, &e->default_head, 0);
}

void encoder_free(encoder *e)
{
    free(e->room);
    free(e->name_chunk);
    free(e->value_chunk);
    kept_forget_shapes(&e->kept);
    *e = (encoder){0};
}

static uint8_t *put_clock(uint8_t *p, uint32_t id, uint64_t ns)
{
    uint8_t *clock = open_field(p, SCHEMA_SNAPSHOT_CLOCKS, 1);
    p = put_number(clock, SCHEMA_CLOCK_ID, id);
    p = put_number(p, SCHEMA_CLOCK_TIMESTAMP, ns);
    if (id == SCHEMA_CLOCK_DELTA)
        p = put_number(p, SCHEMA_CLOCK_IS_INCREMENTAL, 1);
    close_field(clock, p, 1);
    return p;
}

void encoder_begin_batch(encoder *e, uint64_t monotonic_ns, uint64_t realtime_ns, uint64_t boottime_ns)
{
    if (e->chunk && (int64_t)e->length - e->chunk_at < CHUNK_LENGTH && e->default_track == e->next_default)
        return;
    uint8_t *p = encoder_reserve(e);
    if (!p)
        return;
    e->default_track = e->next_default;
    e->chunk++;
    e->chunk_at = (int64_t)e->length;
    e->last_ns = monotonic_ns;
    uint8_t *packet = open_field(p, SCHEMA_TRACE_PACKET, 0);
    p = put_number(packet, SCHEMA_PACKET_SEQUENCE_ID, e->sequence + 1);
    p = put_number(p, SCHEMA_PACKET_SEQUENCE_FLAGS, SCHEMA_FLAG_STATE_CLEARED);
    uint8_t *snapshot = open_field(p, SCHEMA_PACKET_CLOCK_SNAPSHOT, 0);
    p = put_clock(snapshot, SCHEMA_CLOCK_MONOTONIC_ID, monotonic_ns);
    p = put_clock(p, SCHEMA_CLOCK_REALTIME_ID, realtime_ns);
    p = put_clock(p, SCHEMA_CLOCK_BOOTTIME_ID, boottime_ns);
    p = put_clock(p, SCHEMA_CLOCK_DELTA, monotonic_ns);
    p = put_number(p, SCHEMA_SNAPSHOT_PRIMARY, SCHEMA_CLOCK_MONOTONIC_ID);
    close_field(snapshot, p, 0);
    uint8_t *defaults = open_field(p, SCHEMA_PACKET_DEFAULTS, 0);
    p = put_number(defaults, SCHEMA_DEFAULTS_CLOCK_ID, SCHEMA_CLOCK_DELTA);
    if (e->default_track) {
        uint8_t *event = open_field(p, SCHEMA_DEFAULTS_TRACK_EVENT, 1);
        p = put_number(event, SCHEMA_EVENT_DEFAULTS_TRACK_UUID, e->default_track->uuid);
        close_field(event, p, 1);
    }
    close_field(defaults, p, 0);
    uint8_t *interned = open_field(p, SCHEMA_PACKET_INTERNED_DATA, 0);
    p = names_put_fixed(interned);
    close_field(interned, p, 0);
    close_field(packet, p, 0);
    encoder_advance(e, p);
}

void encoder_end_chunk(encoder *e)
{
    e->chunk_at = (int64_t)e->length - CHUNK_LENGTH;
}

void encoder_flushed(encoder *e, uint64_t at)
{
    e->chunk_at -= (int64_t)e->length;
    e->length = 0;
    e->lead = at % LINE;
    e->bytes = e->room ? e->room + e->lead : NULL;
    e->flushed += e->capacity; /* further than any packet in it */
}

void encoder_append(encoder *e, const uint8_t *packet, size_t length)
{
    uint8_t *p = length <= PACKET_SPACE ? encoder_reserve(e) : NULL;
    if (!p)
        return;
    memcpy(p, packet, length);
    encoder_advance(e, p + length);
}

/* --- tracks --- */

void track_rename(track *t, const char *name, size_t length)
{
    char *copy = malloc(length + 1);
    if (!copy)
        return;
    memcpy(copy, name, length);
    copy[length] = 0;
    free(t->name);
    t->name = copy;
    t->name_length = length;
    t->chunk = 0;
}

void track_init(encoder *e, track *t, enum track_kind kind, const track *parent,
                const char *name, size_t length)
{
    *t = (track){.uuid = e->next_uuid++, .parent = parent, .kind = (uint8_t)kind};
    set_head(e, &t->head, t->uuid);
    track_rename(t, name, length);
}

void track_free(track *t)
{
    kept_free(t->kept);
    t->kept = NULL;
    free(t->name);
    t->name = NULL;
}

static size_t name_length(const track *t)
{
    return t->name ? text_fit(t->name, t->name_length, TEXT_LIMIT) : 0;
}

static uint8_t *put_process(uint8_t *p, const encoder *e, const track *t)
{
    uint8_t *process = open_field(p, SCHEMA_TRACK_PROCESS, 0);
    p = put_number(process, SCHEMA_PROCESS_PID, e->pid);
    size_t length = name_length(t), start = 0;
    for (size_t i = 0; i <= length && length; i++) {
        if (i < length && t->name[i])
            continue;
        p = put_bytes(p, SCHEMA_PROCESS_CMDLINE, t->name + start, i - start);
        start = i + 1;
    }
    if (e->process_name[0])
        p = put_bytes(p, SCHEMA_PROCESS_NAME, e->process_name, strlen(e->process_name));
    close_field(process, p, 0);
    return p;
}

static uint8_t *put_thread(uint8_t *p, const encoder *e, const track *t)
{
    uint8_t *thread = open_field(p, SCHEMA_TRACK_THREAD, 0);
    p = put_number(thread, SCHEMA_THREAD_PID, e->pid);
    p = put_number(p, SCHEMA_THREAD_TID, t->tid);
    p = put_bytes(p, SCHEMA_THREAD_NAME, t->name ? t->name : "", name_length(t));
    close_field(thread, p, 0);
    return p;
}

void encoder_describe(encoder *e, track *t)
{
    if (t->chunk == e->chunk)
        return;
    if (t->parent)
        encoder_describe(e, (track *)t->parent);
    uint8_t *p = encoder_reserve(e);
    if (!p)
        return;
    t->chunk = e->chunk;
    uint8_t *packet = open_field(p, SCHEMA_TRACE_PACKET, 0);
    p = put_number(packet, SCHEMA_PACKET_SEQUENCE_ID, e->sequence);
    uint8_t *body = open_field(p, SCHEMA_PACKET_TRACK_DESCRIPTOR, 0);
    p = put_number(body, SCHEMA_TRACK_UUID, t->uuid);
    if (t->parent)
        p = put_number(p, SCHEMA_TRACK_PARENT_UUID, t->parent->uuid);
    if (t->kind == TRACK_KIND_PROCESS)
        p = put_process(p, e, t);
    else if (t->kind == TRACK_KIND_THREAD)
        p = put_thread(p, e, t);
    else
        p = put_bytes(p, SCHEMA_TRACK_NAME, t->name ? t->name : "", name_length(t));
    if (t->kind == TRACK_KIND_COUNTER)
        p = put_bytes(p, SCHEMA_TRACK_COUNTER, "", 0);
    if (t->child_ordering)
        p = put_number(p, SCHEMA_TRACK_CHILD_ORDERING, t->child_ordering);
    if (t->rank)
        p = put_number(p, SCHEMA_TRACK_SIBLING_RANK, t->rank);
    if (t->merge_none)
        p = put_number(p, SCHEMA_TRACK_SIBLING_MERGE, SCHEMA_MERGE_NONE);
    close_field(body, p, 0);
    close_field(packet, p, 0);
    encoder_advance(e, p);
}

/* --- events --- */

static int know_string(encoder *e, uint32_t id)
{
    if (id < e->known_strings)
        return 1;
    uint32_t size = intern_count() + 256;
    uint32_t *names = realloc(e->name_chunk, size * sizeof *names);
    if (names)
        e->name_chunk = names;
    uint32_t *values = realloc(e->value_chunk, size * sizeof *values);
    if (values)
        e->value_chunk = values;
    if (!names || !values || id >= size)
        return 0;
    memset(names + e->known_strings, 0, (size - e->known_strings) * sizeof *names);
    memset(values + e->known_strings, 0, (size - e->known_strings) * sizeof *values);
    e->known_strings = size;
    return 1;
}

static uint8_t *put_arg(uint8_t *p, const arg *a)
{
    static const uint8_t number_fields[] = {
        [ARG_UINT] = SCHEMA_ANNOTATION_UINT,
        [ARG_BOOL] = SCHEMA_ANNOTATION_BOOL,
        [ARG_INT] = SCHEMA_ANNOTATION_INT,
        [ARG_INTERNED] = SCHEMA_ANNOTATION_STRING_IID,
    };
    int small = a->type != ARG_TEXT && a->name;
    uint8_t *body = open_field(p, SCHEMA_EVENT_ANNOTATIONS, small);
    p = a->name ? put_number(body, SCHEMA_ANNOTATION_NAME_IID, a->name)
                : put_bytes(body, SCHEMA_ANNOTATION_NAME, a->label, a->label_length);
    if (a->type == ARG_DOUBLE)
        p = put_fixed64(p, SCHEMA_ANNOTATION_DOUBLE, a->value);
    else if (a->type != ARG_TEXT)
        p = put_number(p, number_fields[a->type], a->value);
    else
        p = put_bytes(p, SCHEMA_ANNOTATION_STRING, a->text, text_fit(a->text, a->length, TEXT_LIMIT));
    close_field(body, p, small);
    return p;
}

enum { ARG_AT = 2 }; /* where an argument of one number begins, behind its tag and its length */

static int is_new_string(encoder *e, const uint32_t *chunks, uint32_t id)
{
    return id < e->known_strings ? chunks[id] != e->chunk : know_string(e, id);
}

/* Whether this event is the first in its chunk to use a name. */
static int has_new_names(encoder *e, const event *ev)
{
    if (names_of_heap(ev) && e->heap_chunk != e->chunk)
        return 1;
    if (ev->name_id && is_new_string(e, e->name_chunk, ev->name_id))
        return 1;
    for (int i = 0; i < ev->arg_count; i++)
        if (ev->args[i].type == ARG_INTERNED && is_new_string(e, e->value_chunk, (uint32_t)ev->args[i].value))
            return 1;
    return 0;
}

/* Writes these names, in a packet of their own. */
static void put_new_names(encoder *e, const event *ev)
{
    uint8_t *p = encoder_reserve(e);
    if (!p)
        return;
    uint8_t *packet = open_field(p, SCHEMA_TRACE_PACKET, 0);
    p = put_number(packet, SCHEMA_PACKET_SEQUENCE_ID, e->sequence + 1);
    uint8_t *interned = open_field(p, SCHEMA_PACKET_INTERNED_DATA, 0), *at = interned;
    size_t length;
    if (names_of_heap(ev) && e->heap_chunk != e->chunk) {
        at = names_put_heap(at);
        e->heap_chunk = e->chunk;
    }
    if (ev->name_id && is_new_string(e, e->name_chunk, ev->name_id)) {
        const char *text = intern_text(ev->name_id, &length);
        at = names_put(at, SCHEMA_INTERNED_EVENT_NAMES, ev->name_id + SCHEMA_NAME_END, text, length);
        e->name_chunk[ev->name_id] = e->chunk;
    }
    for (int i = 0; i < ev->arg_count; i++) {
        uint32_t id = (uint32_t)ev->args[i].value;
        if (ev->args[i].type != ARG_INTERNED || !is_new_string(e, e->value_chunk, id))
            continue;
        const char *text = intern_text(id, &length);
        size_t limit = ev->args[i].name == SCHEMA_ARG_STACK ? SCHEMA_STACK_BYTES : TEXT_LIMIT;
        at = names_put_whole(at, SCHEMA_INTERNED_ANNOTATION_STRINGS, id, text, text_fit(text, length, limit));
        e->value_chunk[id] = e->chunk;
    }
    close_field(interned, at, 0);
    close_field(packet, at, 0);
    encoder_advance(e, at);
}

shape *encoder_take_shape(shape *place, uint64_t first, uint64_t second, int large)
{
    *place = (shape){.first = first, .second = second, .large = (uint8_t)large};
    return place;
}

/* `slice`: the one that begins so, where open slices are kept; `own`: the last argument, if its number is its own. */
static void keep(encoder *e, shape *as, const uint8_t *said, size_t length, const open_slice *slice, const uint8_t *own)
{
    if (length > SHAPE_BYTES)
        return;
    as->number_at = (uint8_t)(own ? own - said : 0);
    if (e->kept.is_on && (!slice || kept_shape(&e->kept, encoder_number_of(e, as), slice) < 0))
        return;
    memcpy(as->bytes, said, length);
    as->length = (uint8_t)length;
    as->chunk = e->chunk;
}

packet_ref encoder_event(encoder *e, const event *ev)
{
    return encoder_event_as(e, ev, NULL);
}

packet_ref encoder_event_as(encoder *e, const event *ev, shape *as)
{
    if (ev->on->chunk != e->chunk)
        encoder_describe(e, ev->on);
    if (has_new_names(e, ev))
        put_new_names(e, ev);
    const open_slice *slice = e->kept.is_on ? kept_event(&e->kept, ev) : NULL;
    uint8_t *p = encoder_reserve(e);
    if (!p)
        return (packet_ref){0};
    event_packet made = {.large = ev->arg_count || ev->text_length};
    uint8_t *said = encoder_begin_event(e, &made, p, ev->on, ev->ns, ev->type), *end = said;
    if (ev->category)
        end = put_number(end, SCHEMA_EVENT_CATEGORY_IIDS, ev->category);
    if (ev->name)
        end = put_number(end, SCHEMA_EVENT_NAME_IID, ev->name);
    else if (ev->name_id)
        end = put_number(end, SCHEMA_EVENT_NAME_IID, ev->name_id + SCHEMA_NAME_END);
    else if (ev->text)
        end = put_bytes(end, SCHEMA_EVENT_NAME, ev->text, text_fit(ev->text, ev->text_length, TEXT_LIMIT));
    const uint8_t *last = end;
    for (int i = 0; i < ev->arg_count; i++) {
        last = end;
        end = put_arg(end, &ev->args[i]);
    }
    if (ev->type == SCHEMA_TYPE_COUNTER)
        end = ev->counter_is_double
                  ? put_fixed64(end, SCHEMA_EVENT_DOUBLE_COUNTER_VALUE, (uint64_t)ev->counter)
                  : put_number(end, SCHEMA_EVENT_COUNTER_VALUE, (uint64_t)ev->counter);
    int is_own = ev->arg_count && ev->args[ev->arg_count - 1].is_own;
    size_t all = (size_t)(end - said), number = is_own ? varint_bytes(ev->args[ev->arg_count - 1].value) : 0;
    if (as)
        keep(e, as, said, all - number, slice, is_own ? last + ARG_AT : NULL);
    if (ev->flow_in)
        end = put_fixed64(end, SCHEMA_EVENT_TERMINATING_FLOW_IDS, ev->flow_in);
    packet_ref ref = encoder_here(e, p, made.body);
    encoder_end_event(e, &made, end);
    return ref;
}

void encoder_lone_event(encoder *e, const event *ev)
{
    uint64_t last_ns = e->last_ns;
    track *default_track = e->default_track;
    e->last_ns = UINT64_MAX; /* so that its time is absolute … */
    e->default_track = NULL; /* … and its track is named */
    for (track *above = (track *)ev->on->parent; above; above = (track *)above->parent)
        above->chunk = e->chunk;
    ev->on->chunk = 0;
    encoder_event(e, ev);
    e->events--;
    e->last_ns = last_ns;
    e->default_track = default_track;
}

static const uint8_t *take_varint(const uint8_t *p, uint64_t *value)
{
    *value = 0;
    for (int shift = 0;; shift += 7) {
        *value |= (uint64_t)(*p & 0x7f) << shift;
        if (!(*p++ & 0x80))
            return p;
    }
}

/* The field with this tag in a packet, or NULL. */
static const uint8_t *find_field(const uint8_t *p, const uint8_t *end, uint32_t tag)
{
    while (p < end) {
        const uint8_t *field = p;
        uint64_t found, value;
        p = take_varint(p, &found);
        if (found == tag)
            return field;
        if ((found & 7) == 1) {
            p += 8;
            continue;
        }
        p = take_varint(p, &value);
        if ((found & 7) == 2)
            p += value;
    }
    return NULL;
}

size_t encoder_whole_packets(const encoder *e, size_t limit, uint64_t *events)
{
    const uint8_t *at = e->bytes, *end = e->bytes + e->length;
    *events = 0;
    while (at < end) {
        uint64_t length;
        const uint8_t *packet = take_varint(at + 1, &length);
        if ((size_t)(packet + length - e->bytes) > limit)
            break;
        *events += find_field(packet, packet + length, BYTES(SCHEMA_PACKET_TRACK_EVENT)) != NULL;
        at = packet + length;
    }
    return (size_t)(at - e->bytes);
}

enum { FAR = 4096 };

/* Moves `at` along with its packet, past the flows added to earlier packets meanwhile. Returns -1 if the
 * packet has been flushed or lies too far back. */
static int follow(const encoder *e, packet_ref *at)
{
    if (at->position < e->flushed || e->inserted - at->inserted > INSERTIONS)
        return -1;
    for (; at->inserted != e->inserted; at->inserted++)
        if (e->inserted_into[at->inserted % INSERTIONS] < at->position - e->flushed)
            at->position += FLOW_FIELD_BYTES;
    return e->length - (at->position - e->flushed) > FAR ? -1 : 0;
}

/* The track event is its packet's last field, so the flow goes to the packet's end and only the
 * two lengths change. What follows in the buffer, usually a few packets, moves up. */
static inline int add_flow(encoder *e, const packet_ref *at, uint64_t flow)
{
    uint8_t *start = e->bytes + (at->position - e->flushed);
    int small = !(start[1] & 0x80);
    size_t length = small ? start[1] : (size_t)(start[1] & 0x7f) | (size_t)start[2] << 7;
    uint8_t *packet = start + (small ? 2 : 3), *end = packet + length;
    if (small ? length + FLOW_FIELD_BYTES > 127 : length + FLOW_FIELD_BYTES > 16383)
        return -1;
    uint8_t *body = start + at->body;
    size_t behind = (size_t)(e->bytes + e->length - end);
    if (behind)
        memmove(end + FLOW_FIELD_BYTES, end, behind);
    put_fixed64(end, SCHEMA_EVENT_FLOW_IDS, flow);
    close_field(body, end + FLOW_FIELD_BYTES, small);
    close_field(packet, end + FLOW_FIELD_BYTES, small);
    e->inserted_into[e->inserted++ % INSERTIONS] = at->position - e->flushed;
    e->length += FLOW_FIELD_BYTES;
    return 0;
}

static ALONE int add_flow_with_care(encoder *e, packet_ref *at, uint64_t flow)
{
    return follow(e, at) < 0 || !encoder_reserve(e) ? -1 : add_flow(e, at, flow);
}

int encoder_add_flow(encoder *e, packet_ref *at, uint64_t flow)
{
    return encoder_add_flow_to_last(e, at, flow) ? 0 : add_flow_with_care(e, at, flow);
}
