/* Packets of slices that say nothing more, or the same again and again: most packets are of these. */
#ifndef TRACER_PACKETS_SLICES_H
#define TRACER_PACKETS_SLICES_H

#include "packets/encoder.h"

/* Of a category and a name; of a packet's time, which is no later; of its tag and its length. */
enum { PLAIN_BYTES = 4, ZERO_TIME_BYTES = 2, PACKET_AT = 2 };

/* Each function below looks whether its packet can be written at once, and leaves all else to another one, which looks at
 * all: then it calls nothing, and has nothing to save. */
static inline int encoder_is_quick(const encoder *e, const track *on, uint64_t ns)
{
    return __builtin_expect(on->chunk == e->chunk && e->length < e->quick_until && encoder_is_soon(e, ns), 1);
}

static inline uint8_t *encoder_next_packet(const encoder *e)
{
    return e->bytes + e->length;
}

static inline void encoder_put_end(encoder *e, uint8_t *p, track *on, uint64_t ns)
{
    const event_head *head = encoder_head_of(e, on);
    uint8_t *end = encoder_put_start(e, p, ns, 0);
    memcpy(end, head->turn, HEAD_BYTES);
    end += head->lengths[0];
    close_field(p + PACKET_AT, end, 1);
    e->events++;
    encoder_advance(e, end);
}

/* The end of a slice and, up to the name of its track, the begin of another one. Sets `begin` to that one's packet. */
static inline uint8_t *encoder_put_turn(encoder *e, uint8_t *p, track *on, uint64_t ns, uint8_t **begin)
{
    const event_head *head = encoder_head_of(e, on);
    uint8_t *end = ns == e->last_ns ? encoder_put_start_at_once(p) : encoder_put_start(e, p, ns, 0);
    *begin = end + head->lengths[0];
    memcpy(end, head->turn, TURN_BYTES);
    close_field(p + PACKET_AT, *begin, 1);
    e->events += 2;
    return end + head->turn_length;
}

static inline void encoder_put_plain_turn(encoder *e, uint8_t *p, track *on, uint64_t ns, uint8_t category, uint8_t name,
                                  packet_ref *at)
{
    uint8_t *begin, *end = encoder_put_turn(e, p, on, ns, &begin);
    end[-3] = category;
    end[-1] = name;
    at->position = e->flushed + (size_t)(begin - e->bytes);
    at->body = PACKET_AT + ZERO_TIME_BYTES + e->body_at;
    at->inserted = e->inserted;
    encoder_advance(e, end);
}

static inline void encoder_put_turn_to(encoder *e, uint8_t *p, const shape *as, uint32_t own, track *on, uint64_t ns,
                               uint64_t flow_in)
{
    uint8_t *begin;
    uint8_t *end = encoder_put_shape(encoder_put_turn(e, p, on, ns, &begin) - PLAIN_BYTES, as, own);
    if (flow_in)
        end = put_fixed64(end, SCHEMA_EVENT_TERMINATING_FLOW_IDS, flow_in);
    uint8_t *packet = begin + PACKET_AT;
    close_field(packet, end, 1);
    close_field(packet + ZERO_TIME_BYTES + e->body_at, end, 1);
    encoder_advance(e, end);
}

static inline void encoder_put_shaped(encoder *e, uint8_t *p, const shape *as, uint32_t own, track *on, uint64_t ns,
                              uint64_t flow_in, int large, packet_ref *at)
{
    at->position = e->flushed + (size_t)(p - e->bytes);
    at->inserted = e->inserted;
    event_packet made = {.large = large};
    uint8_t *end = encoder_put_shape(encoder_begin_event(e, &made, p, on, ns, SCHEMA_TYPE_SLICE_BEGIN), as, own);
    at->body = (uint32_t)(made.body - p);
    if (flow_in)
        end = put_fixed64(end, SCHEMA_EVENT_TERMINATING_FLOW_IDS, flow_in);
    encoder_end_event(e, &made, end);
}

/* --- what others call --- */

void encoder_shaped_with_care(encoder *e, const shape *as, uint32_t own, track *on, uint64_t ns, uint64_t flow_in,
                              packet_ref *at);
void encoder_end_with_care(encoder *e, track *on, uint64_t ns);
void encoder_turn_to_with_care(encoder *e, const shape *as, uint32_t own, track *on, uint64_t ns, uint64_t flow_in);
void encoder_turn_with_care(encoder *e, track *on, uint64_t ns, uint8_t category, uint8_t name, packet_ref *at);

/* Writes the begin of a slice whose shape is known and of this kind; `own` is its own number, if that says one. `at` is set
 * to where it lies: a copy of what has just been written in parts would make the processor wait. */
static inline void encoder_shaped(encoder *e, enum shape_kind kind, const shape *as, uint32_t own, track *on, uint64_t ns,
                                  uint64_t flow_in, packet_ref *at)
{
    if (encoder_is_quick(e, on, ns) && own < SHORT_LIMIT)
        encoder_put_shaped(e, encoder_next_packet(e), as, own, on, ns, flow_in, encoder_is_large(kind), at);
    else
        encoder_shaped_with_care(e, as, own, on, ns, flow_in, at);
}

/* The same for an event that has nothing else; `category` and `name` may be 0. */
packet_ref encoder_plain(encoder *e, track *on, uint64_t ns, uint8_t type, uint8_t category, uint8_t name);
static inline packet_ref encoder_instant(encoder *e, track *on, uint8_t category, uint8_t name, uint64_t ns)
{
    return encoder_plain(e, on, ns, SCHEMA_TYPE_INSTANT, category, name);
}

/* The end of a slice of which nothing more is to be said … */
static inline void encoder_end(encoder *e, track *on, uint64_t ns)
{
    if (encoder_is_quick(e, on, ns))
        encoder_put_end(e, encoder_next_packet(e), on, ns);
    else
        encoder_end_with_care(e, on, ns);
}

/* … and at the same time the begin of one whose shape is known and not large, … */
static inline void encoder_turn_to(encoder *e, const shape *as, uint32_t own, track *on, uint64_t ns, uint64_t flow_in)
{
    if (encoder_is_quick(e, on, ns) && own < SHORT_LIMIT)
        encoder_put_turn_to(e, encoder_next_packet(e), as, own, on, ns, flow_in);
    else
        encoder_turn_to_with_care(e, as, own, on, ns, flow_in);
}

/* … or of one of which nothing more is to be said either. */
static inline void encoder_turn(encoder *e, track *on, uint64_t ns, uint8_t category, uint8_t name, packet_ref *at)
{
    if (encoder_is_quick(e, on, ns))
        encoder_put_plain_turn(e, encoder_next_packet(e), on, ns, category, name, at);
    else
        encoder_turn_with_care(e, on, ns, category, name, at);
}
#endif
