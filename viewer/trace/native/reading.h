/* The state of the decoder while it reads. */
#ifndef VIEWER_READING_H
#define VIEWER_READING_H
#include "interned.h"
#include "uuids.h"
#include "wire.h"

/* Field numbers: tracer/schema.py. A field counts only with its own wire type. */
#define VARINT(field) ((uint64_t)(field) << 3)
#define FIXED64(field) ((uint64_t)(field) << 3 | 1)
#define BYTES(field) ((uint64_t)(field) << 3 | 2)
enum { CLOCK_REALTIME_ID = 1, CLOCK_MONOTONIC_ID = 3, CLOCK_BOOTTIME_ID = 6, CLOCK_DELTA_ID = 64 };
enum { P_SNAPSHOT, P_DEFAULTS, P_INTERNED, P_EVENT, P_DESCRIPTOR, P_SAMPLE, PARTS };
typedef struct {
    Span packet[PARTS]; /* at = NULL: absent */
    uint64_t timestamp, sequence_id, flags, clock_id;
    uint64_t described; /* the hash of a descriptor */
    int has_timestamp, has_clock;
} Packet;

/* A packet that is read and not yet applied, while the slots of its texts are fetched. */
typedef struct {
    const uint8_t *head, *end;
    Packet packet;
    int is_good;
} Ahead;

/* One by one: `= {0}` costs a tenth of decoding. */
static inline void packet_clear(Packet *p)
{
    p->timestamp = p->sequence_id = p->flags = p->clock_id = 0;
    p->has_timestamp = p->has_clock = 0;
    for (int i = 0; i < PARTS; i++) {
        p->packet[i] = (Span){NULL, NULL};
    }
}

enum { KNOWN = 256 };
typedef struct {
    uint64_t uuid;
    int32_t track, is_set;
} Known;

typedef struct {
    Column time, type, track, name, category, arg_start;
    Column arg_name, arg_kind, arg_value;
    Column counter_event, counter_value, counter_is_double, flow_event, flow_id, flow_end;
    Column uuids;
    Column sample_time, sample_pid, sample_tid, sample_hz, sample_stack;
    Column stack_start, stack_frame, frame_function, frame_path, frame_line;
    Column descriptor_at, descriptor_bytes, descriptor_packet;
    Column clock_mono, clock_real, clock_boot;
    Pool strings, descriptors;
    Uuids tracks;
    Map sequence_ids;
    Sequence *sequences;
    Py_ssize_t sequence_count, sequence_room;
    uint64_t cached_id; /* runs of packets share a sequence */
    Py_ssize_t cached_sequence;
    Known known[KNOWN]; /* and few tracks: those last seen, by uuid */
    int64_t skipped, packets;
} Decoder;

#endif
