/* Turns events into Perfetto packets: interning, chunks, delta timestamps, track descriptors.
 *
 * Single-threaded: belongs to the writer. Knows the format, not what the events mean. */
#ifndef TRACER_ENCODER_H
#define TRACER_ENCODER_H

#include <stddef.h>
#include <stdint.h>

#include "schema.h"

enum { HEAD_BYTES = 16 };

enum track_kind { TRACK_KIND_PROCESS, TRACK_KIND_THREAD, TRACK_KIND_PLAIN, TRACK_KIND_COUNTER };

/* What the packets of all events on one track have in common, encoded: from the sequence to the track. */
typedef struct {
    uint8_t bytes[2][HEAD_BYTES]; /* copied as a whole; of packets whose lengths take one byte, and two */
    uint8_t lengths[2];
} event_head;

/* One line of the timeline. Described again in every chunk that uses it. */
typedef struct track {
    uint64_t uuid;
    const struct track *parent;
    char *name; /* owned; for a process: its command line, NUL-separated as in name_length */
    size_t name_length;
    uint32_t chunk; /* last chunk that described it */
    uint32_t tid;
    uint8_t kind, child_ordering, rank, merge_none;
    event_head head;
} track;

enum arg_type { ARG_UINT, ARG_BOOL, ARG_INT, ARG_DOUBLE, ARG_INTERNED, ARG_TEXT };

typedef struct {
    uint8_t name; /* enum schema_arg; 0: `label` */
    uint8_t type; /* enum arg_type */
    uint32_t length;
    uint64_t value;   /* number, bits of a double, or intern.h string id */
    const char *text; /* ARG_TEXT */
    const char *label;
    uint32_t label_length;
} arg;

enum { EVENT_ARGS = 10, NAME_BYTES = 256 };

typedef struct {
    uint64_t ns;
    track *on;
    uint8_t type;       /* SCHEMA_TYPE_… */
    uint8_t category;   /* enum schema_category */
    uint8_t name;       /* enum schema_name, or 0 and one of the next two */
    uint32_t name_id;   /* intern.h string id */
    uint32_t text_length;
    const char *text;   /* a name that is data */
    uint64_t flow_in;   /* terminating flow id, 0 = none */
    int64_t counter;    /* or the bits of a double */
    uint8_t counter_is_double;
    uint8_t arg_count;
    arg *args; /* the caller's array of EVENT_ARGS; NULL if there are none */
} event;

/* Where an event's packet lies, so that flows can still be added to it before it is flushed. */
typedef struct {
    size_t offset;
    uint64_t serial;   /* of the flush it belongs to */
    uint64_t inserted; /* flows added to any packet so far; `offset` includes them */
} packet_ref;

enum { INSERTIONS = 64 };

typedef struct {
    uint8_t *bytes;
    size_t length, capacity;
    int failed; /* out of memory: nothing more is written */
    uint32_t chunk;
    size_t chunk_bytes;
    uint64_t serial, last_ns, events;
    uint64_t inserted;                /* flows added so far … */
    size_t inserted_into[INSERTIONS]; /* … and the offsets of the last packets that got one */
    uint64_t uuid_base, next_uuid, next_flow;
    uint32_t sequence, pid;
    uint32_t body_at; /* where the event begins in a head, or one byte later */
    event_head default_head; /* of the events that name no track */
    track *default_track; /* track of the events that name none, in this chunk … */
    track *next_default;  /* … and from the next chunk on; if the two differ, a new chunk begins at once */
    uint32_t *name_chunk, *value_chunk; /* by string id: chunk in which it was last interned */
    uint32_t known_strings;
    uint32_t heap_chunk; /* the last one that has the names of the signal `heap` */
} encoder;

/* `member`: number of the process among those with the same seed. */
void encoder_init(encoder *e, uint32_t pid, uint64_t seed, uint32_t member);
void encoder_free(encoder *e);

/* Starts a chunk if none is open or the current one is long. Call before a batch of events. */
void encoder_begin_batch(encoder *e, uint64_t monotonic_ns, uint64_t realtime_ns, uint64_t boottime_ns);
/* The caller has taken the bytes. */
void encoder_flushed(encoder *e);

/* Appends a packet of another sequence, at most 16 KiB, encoded elsewhere (samples.c). */
void encoder_append(encoder *e, const uint8_t *packet, size_t length);

void track_init(encoder *e, track *t, enum track_kind kind, const track *parent,
                const char *name, size_t length);
void track_rename(track *t, const char *name, size_t length);
void track_free(track *t);

packet_ref encoder_event(encoder *e, const event *ev);
/* The same for an event that has nothing else; `category` and `name` may be 0. */
packet_ref encoder_plain(encoder *e, track *on, uint64_t ns, uint8_t type, uint8_t category, uint8_t name);
static inline packet_ref encoder_instant(encoder *e, track *on, uint8_t category, uint8_t name, uint64_t ns)
{
    return encoder_plain(e, on, ns, SCHEMA_TYPE_INSTANT, category, name);
}
/* The end of a slice of which nothing more is to be said … */
void encoder_end(encoder *e, track *on, uint64_t ns);
/* … and the begin of such a slice at once. */
packet_ref encoder_turn(encoder *e, track *on, uint64_t ns, uint8_t category, uint8_t name);
/* Encodes an event together with its track's description, independent of earlier packets except for the
 * names interned in the chunk. It is not counted. */
void encoder_lone_event(encoder *e, const event *ev);
/* How many of the first `limit` bytes encoded since the last flush form whole packets, and how many events
 * these contain. */
size_t encoder_whole_packets(const encoder *e, size_t limit, uint64_t *events);
uint64_t encoder_new_flow(encoder *e);
/* Adds `flow` as an outgoing flow to an event already encoded, and updates `at`. Returns 0, or -1 if it is
 * too late. */
int encoder_add_flow(encoder *e, packet_ref *at, uint64_t flow);

static inline void event_uint(event *ev, enum schema_arg name, uint64_t value)
{
    ev->args[ev->arg_count++] = (arg){.name = name, .type = ARG_UINT, .value = value};
}
static inline void event_bool(event *ev, enum schema_arg name, int value)
{
    ev->args[ev->arg_count++] = (arg){.name = name, .type = ARG_BOOL, .value = value != 0};
}
static inline void event_interned(event *ev, enum schema_arg name, uint32_t string_id)
{
    if (string_id)
        ev->args[ev->arg_count++] = (arg){.name = name, .type = ARG_INTERNED, .value = string_id};
}
static inline void event_text(event *ev, enum schema_arg name, const char *text, size_t length)
{
    ev->args[ev->arg_count++] = (arg){.name = name, .type = ARG_TEXT, .length = (uint32_t)length, .text = text};
}

#endif
