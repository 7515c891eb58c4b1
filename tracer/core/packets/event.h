/* What the encoder is given: tracks, and events with their arguments. Types only. */
#ifndef TRACER_EVENT_H
#define TRACER_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include "schema.h"

enum { HEAD_BYTES = 16, TURN_BYTES = 40 };

enum track_kind { TRACK_KIND_PROCESS, TRACK_KIND_THREAD, TRACK_KIND_PLAIN, TRACK_KIND_COUNTER };

/* What the packets of all events on one track have in common, encoded: from the sequence to the track. */
typedef struct {
    uint8_t bytes[2][HEAD_BYTES]; /* copied as a whole; of packets whose lengths take one byte, and two */
    uint8_t lengths[2];
    uint8_t turn_length;
    uint8_t turn[TURN_BYTES]; /* a slice's end, from its sequence on, and at the same time the begin of another one */
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
    struct kept_track *kept; /* packets/kept.h; NULL: nothing */
} track;

enum arg_type { ARG_UINT, ARG_BOOL, ARG_INT, ARG_DOUBLE, ARG_INTERNED, ARG_TEXT };

typedef struct {
    uint8_t name; /* enum schema_arg; 0: `label` */
    uint8_t type; /* enum arg_type */
    uint8_t is_own; /* the last of its event: of events of one shape (encoder.h) each has a number of its own here */
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
    uint8_t lasts; /* an instant that tells of all the time after it: a flight recording repeats it */
    uint8_t arg_count;
    arg *args; /* the caller's array of EVENT_ARGS; NULL if there are none */
} event;

static inline void event_uint(event *ev, enum schema_arg name, uint64_t value)
{
    ev->args[ev->arg_count++] = (arg){.name = name, .type = ARG_UINT, .value = value};
}
static inline void event_own(event *ev, enum schema_arg name, uint32_t value)
{
    ev->args[ev->arg_count++] = (arg){.name = name, .type = ARG_UINT, .is_own = 1, .value = value};
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
