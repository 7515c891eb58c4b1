/* Turns events into Perfetto packets: interning, chunks, delta timestamps, track descriptors.
 *
 * Single-threaded: belongs to the writer. Knows the format, not what the events mean. */
#ifndef TRACER_ENCODER_H
#define TRACER_ENCODER_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "packets/event.h"
#include "packets/kept.h"
#include "packets/wire.h"
#include "schema.h"

/* Where an event's packet lies, so that flows can still be added to it before it is flushed. */
typedef struct {
    uint64_t position; /* of the packet; 0: there is none */
    uint32_t body;     /* from there, of its event */
    uint32_t inserted; /* flows added to any packet so far; `position` includes them */
} packet_ref;

enum { INSERTIONS = 64, SHAPES = KEPT_SHAPES, SHAPE_BYTES = 40, PACKET_SPACE = 16384 };

/* What a slice's begin says, encoded, where events say the same again and again, but for one number. It takes one line of
 * the processor's cache. */
typedef struct {
    _Alignas(64) uint64_t first; /* what tells it … */
    uint64_t second;             /* … from other shapes */
    uint32_t chunk;         /* whose names it uses; another than the current one: it is not known */
    uint8_t length; /* up to that number */
    uint8_t large; /* its packets have room for many flows */
    uint8_t number_at; /* where the argument begins that ends with the number; 0: there is none */
    uint8_t bytes[SHAPE_BYTES];
} shape;
static_assert(sizeof(shape) == 64, "a line of the cache");
enum shape_kind { SHAPE_READY = 1, SHAPE_AWAIT, SHAPE_TASK, SHAPE_CALLBACK, SHAPE_CALL }; /* each has numbers of its own */

/* What each packet needs comes first. */
typedef struct {
    uint8_t *bytes; /* `lead` behind `room` */
    size_t length;
    size_t quick_until; /* up to this length a packet has room, and nothing is kept of it */
    uint64_t last_ns, events;
    uint64_t flushed; /* position of `bytes`, larger than that of any packet which was flushed */
    track *default_track; /* track of the events that name none, in this chunk … */
    track *next_default;  /* … and from the next chunk on; if the two differ, a new chunk begins at once */
    uint32_t chunk;
    uint32_t inserted; /* flows added so far */
    uint32_t body_at; /* where the event begins in a head, or one byte later */
    int failed; /* out of memory: nothing more is written */
    event_head default_head; /* of the events that name no track */
    uint8_t *room;
    size_t lead;
    size_t capacity; /* from `bytes` on */
    int64_t chunk_at; /* where in `bytes` it begins; below 0 by what was flushed since */
    size_t inserted_into[INSERTIONS]; /* the offsets of the last packets that got a flow */
    uint64_t uuid_base, next_uuid, next_flow;
    uint32_t sequence, pid;
    char process_name[512]; /* "": not known yet */
    uint32_t *name_chunk, *value_chunk; /* by string id: chunk in which it was last interned */
    uint32_t known_strings;
    kept_list kept;
    uint32_t heap_chunk; /* the last one that has the names of the signal `heap` */
    shape shapes[SHAPES];
} encoder;

/* `member`: number of the process among those with the same seed. */
void encoder_init(encoder *e, uint32_t pid, uint64_t seed, uint32_t member);
/* Whether what is open is kept from here on. */
void encoder_keep(encoder *e, int is_on);
void encoder_free(encoder *e);

/* Starts a chunk if none is open or the current one is long. Call before a batch of events. */
void encoder_begin_batch(encoder *e, uint64_t monotonic_ns, uint64_t realtime_ns, uint64_t boottime_ns);
/* The next batch starts one in any case. */
void encoder_end_chunk(encoder *e);
/* The caller has taken the bytes. The next ones will be written `at` that place in a file: they lie as they will there, as to
 * the lines of the processor's cache, since the kernel copies others more slowly. */
void encoder_flushed(encoder *e, uint64_t at);

/* Appends a packet of another sequence, at most 16 KiB, encoded elsewhere (samples.c). */
void encoder_append(encoder *e, const uint8_t *packet, size_t length);

void track_init(encoder *e, track *t, enum track_kind kind, const track *parent,
                const char *name, size_t length);
void track_rename(track *t, const char *name, size_t length);
void track_free(track *t);

packet_ref encoder_event(encoder *e, const event *ev);
/* The same for a slice's begin, and keeps its shape in `as`, unless that is NULL. */
packet_ref encoder_event_as(encoder *e, const event *ev, shape *as);
/* Encodes an event together with its track's description, independent of earlier packets except for the
 * names interned in the chunk. It is not counted. */
void encoder_lone_event(encoder *e, const event *ev);
/* How many of the first `limit` bytes encoded since the last flush form whole packets, and how many events
 * these contain. */
size_t encoder_whole_packets(const encoder *e, size_t limit, uint64_t *events);
static inline uint64_t encoder_new_flow(encoder *e)
{
    return e->next_flow++;
}
/* Adds `flow` as an outgoing flow to an event already encoded, and updates `at`. Returns 0, or -1 if it is
 * too late. */
int encoder_add_flow(encoder *e, packet_ref *at, uint64_t flow);

/* --- for the files that write packets --- */

uint8_t *encoder_grow(encoder *e); /* NULL: memory is short */
void encoder_describe(encoder *e, track *t);

/* Room for a packet, or NULL. */
static inline uint8_t *encoder_reserve(encoder *e)
{
    return e->capacity - e->length < PACKET_SPACE ? encoder_grow(e) : e->bytes + e->length;
}

static inline void encoder_advance(encoder *e, const uint8_t *end)
{
    e->length = (size_t)(end - e->bytes);
}

/* Room for a packet on this track, which is described before. */
static inline uint8_t *encoder_reserve_on(encoder *e, track *on)
{
    if (on->chunk != e->chunk)
        encoder_describe(e, on);
    return encoder_reserve(e);
}

/* Where a packet lies that is not part of the length yet. */
static inline packet_ref encoder_here(const encoder *e, const uint8_t *packet, const uint8_t *body)
{
    return (packet_ref){e->flushed + (size_t)(packet - e->bytes), (uint32_t)(body - packet), e->inserted};
}

/* Its track is not named where it is the chunk's default. */
static inline const event_head *encoder_head_of(const encoder *e, const track *on)
{
    return on == e->default_track ? &e->default_head : &on->head;
}

/* The time since the event before or, where that came later, the time itself. */
static inline uint8_t *encoder_put_time(encoder *e, uint8_t *p, uint64_t ns)
{
    if (ns < e->last_ns)
        return put_number(put_number(p, SCHEMA_PACKET_TIMESTAMP, ns), SCHEMA_PACKET_CLOCK_ID,
                          SCHEMA_CLOCK_MONOTONIC_ID);
    uint64_t passed = ns - e->last_ns;
    e->last_ns = ns;
    return put_number(p, SCHEMA_PACKET_TIMESTAMP, passed);
}

enum { FLOW_FIELD_BYTES = 10 };

/* The same as encoder_add_flow() where that packet is the last one, so that nothing is to be moved. Returns whether it is. */
static inline int encoder_add_flow_to_last(encoder *e, const packet_ref *at, uint64_t flow)
{
    if (at->position < e->flushed || at->inserted != e->inserted || e->length >= e->quick_until)
        return 0;
    uint8_t *start = e->bytes + (at->position - e->flushed), *end = e->bytes + e->length;
    size_t length = (size_t)(end - start);
    int small = !(start[1] & 0x80);
    uint8_t *packet = start + (small ? 2 : 3);
    if (length > 127 - FLOW_FIELD_BYTES || packet + (small ? start[1] : (start[1] & 0x7f) | start[2] << 7) != end)
        return 0;
    end = put_fixed64(end, SCHEMA_EVENT_FLOW_IDS, flow);
    close_field(start + at->body, end, small);
    close_field(packet, end, small);
    e->inserted_into[e->inserted++ % INSERTIONS] = at->position - e->flushed;
    encoder_advance(e, end);
    return 1;
}

/* Whether the event comes so soon after the one before that the time in between takes three bytes. */
static inline int encoder_is_soon(const encoder *e, uint64_t ns)
{
    return ns - e->last_ns < SHORT_LIMIT;
}

/* A packet's tag, room for its length, which takes one byte unless it is `large`, and its time. */
static inline uint8_t *encoder_put_start(encoder *e, uint8_t *p, uint64_t ns, int large)
{
    if (!encoder_is_soon(e, ns))
        return encoder_put_time(e, open_field(p, SCHEMA_TRACE_PACKET, !large), ns);
    short_varint passed = short_varint_of((uint32_t)(ns - e->last_ns));
    e->last_ns = ns;
    int at = 16 + 8 * large; /* of the time's tag, in bits */
    uint64_t start = BYTES(SCHEMA_TRACE_PACKET) | (uint64_t)VARINT(SCHEMA_PACKET_TIMESTAMP) << at |
                     (uint64_t)passed.bytes << (at + 8);
    memcpy(p, &start, sizeof start); /* at once: little-endian hosts only, as in wire.h */
    return p + 3 + large + passed.length;
}

/* The same for a packet whose length takes one byte, at the time of the event before. */
static inline uint8_t *encoder_put_start_at_once(uint8_t *p)
{
    const uint32_t start = BYTES(SCHEMA_TRACE_PACKET) | VARINT(SCHEMA_PACKET_TIMESTAMP) << 16;
    memcpy(p, &start, sizeof start);
    return p + sizeof start;
}

/* A packet that is being written. `large`: its lengths take two bytes. Without arguments and data one byte is enough,
 * even with a few flows. */
typedef struct {
    uint8_t *packet, *body;
    int large;
} event_packet;

static inline uint8_t *encoder_begin_event(encoder *e, event_packet *made, uint8_t *p, const track *on, uint64_t ns,
                                           uint8_t type)
{
    int large = made->large;
    const event_head *head = encoder_head_of(e, on);
    made->packet = p + 2 + large;
    p = encoder_put_start(e, p, ns, large);
    memcpy(p, head->bytes[large], HEAD_BYTES);
    made->body = p + e->body_at + large;
    made->body[1] = type;
    return p + head->lengths[large];
}

static inline void encoder_end_event(encoder *e, const event_packet *made, uint8_t *end)
{
    close_field(made->body, end, !made->large);
    close_field(made->packet, end, !made->large);
    e->events++;
    encoder_advance(e, end);
}

/* --- shapes --- */

/* Callbacks wake many. */
static inline int encoder_is_large(enum shape_kind kind)
{
    return kind == SHAPE_CALLBACK;
}

shape *encoder_take_shape(shape *place, uint64_t first, uint64_t second, int large);
/* The place for a shape, which may have been another one's until now. */
static inline shape *encoder_shape(encoder *e, enum shape_kind kind, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    uint64_t first = (uint64_t)a << 32 | b, second = ((uint64_t)c << 32 | d) ^ (uint64_t)kind << 61;
    uint64_t hash = (first ^ second * 0x9E3779B97F4A7C15ull) * 0xD6E8FEB86659FD93ull;
    shape *found = &e->shapes[hash >> 32 & (SHAPES - 1)];
    return found->first == first && found->second == second
        ? found : encoder_take_shape(found, first, second, encoder_is_large(kind));
}

static inline int encoder_knows(const encoder *e, const shape *as)
{
    return as->chunk == e->chunk;
}

/* Behind the head of an event: what all of its shape say, and its own number. */
static inline uint8_t *encoder_put_shape(uint8_t *said, const shape *as, uint32_t own)
{
    memcpy(said, as->bytes, SHAPE_BYTES); /* as a whole: quicker than by its length */
    uint8_t *end = said + as->length;
    if (!as->number_at)
        return end;
    end = put_short_varint(end, own);
    close_field(said + as->number_at, end, 1);
    return end;
}

static inline uint32_t encoder_number_of(const encoder *e, const shape *as)
{
    return (uint32_t)(as - e->shapes);
}

#endif
