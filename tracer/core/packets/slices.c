/* Packets of slices that say nothing more, or the same again and again: mostly copies of bytes that are ready. */
#include "packets/slices.h"

#include <assert.h>

static_assert(SCHEMA_NAME_END <= 128 && SCHEMA_CATEGORY_END <= 128, "one byte for each");

/* Of a category and a name; of a packet's time, which is no later; of its tag and its length. */
enum { PLAIN_BYTES = 4, ZERO_TIME_BYTES = 2, PACKET_AT = 2 };

static packet_ref put_plain(encoder *e, uint8_t *p, track *on, uint64_t ns, uint8_t type, uint8_t category, uint8_t name)
{
    event_packet made = {.large = 0};
    uint8_t *end = encoder_begin_event(e, &made, p, on, ns, type);
    if (category)
        end = put_number(end, SCHEMA_EVENT_CATEGORY_IIDS, category);
    if (name)
        end = put_number(end, SCHEMA_EVENT_NAME_IID, name);
    packet_ref here = encoder_here(e, p, made.body);
    encoder_end_event(e, &made, end);
    return here;
}

packet_ref encoder_plain(encoder *e, track *on, uint64_t ns, uint8_t type, uint8_t category, uint8_t name)
{
    uint8_t *p = encoder_reserve_on(e, on);
    if (!p)
        return (packet_ref){0};
    if (e->kept.is_on && type == SCHEMA_TYPE_SLICE_BEGIN)
        kept_plain(&e->kept, on, ns, category, name);
    return put_plain(e, p, on, ns, type, category, name);
}

void encoder_end(encoder *e, track *on, uint64_t ns)
{
    uint8_t *p = encoder_reserve_on(e, on);
    if (!p)
        return;
    if (e->kept.is_on)
        kept_end(&e->kept, on, ns);
    const event_head *head = encoder_head_of(e, on);
    uint8_t *packet = open_field(p, SCHEMA_TRACE_PACKET, 1);
    uint8_t *end = encoder_put_time(e, packet, ns);
    memcpy(end, head->turn, HEAD_BYTES);
    end += head->lengths[0];
    close_field(packet, end, 1);
    e->events++;
    encoder_advance(e, end);
}

/* The end of a slice and, up to the name of its track, the begin of another one. Sets `begin` to that one's packet. */
static uint8_t *put_turn(encoder *e, uint8_t *p, track *on, uint64_t ns, uint8_t **begin)
{
    const event_head *head = encoder_head_of(e, on);
    uint8_t *packet = open_field(p, SCHEMA_TRACE_PACKET, 1);
    uint8_t *end = encoder_put_time(e, packet, ns);
    *begin = end + head->lengths[0];
    memcpy(end, head->turn, TURN_BYTES);
    close_field(packet, *begin, 1);
    e->events += 2;
    return end + head->turn_length;
}

void encoder_turn(encoder *e, track *on, uint64_t ns, uint8_t category, uint8_t name, packet_ref *at)
{
    if (ns < e->last_ns) {
        encoder_end(e, on, ns);
        *at = encoder_plain(e, on, ns, SCHEMA_TYPE_SLICE_BEGIN, category, name);
        return;
    }
    uint8_t *p = encoder_reserve_on(e, on), *begin;
    if (!p) {
        at->serial = 0;
        return;
    }
    if (e->kept.is_on) {
        kept_end(&e->kept, on, ns);
        kept_plain(&e->kept, on, ns, category, name);
    }
    uint8_t *end = put_turn(e, p, on, ns, &begin);
    end[-3] = category;
    end[-1] = name;
    at->offset = (uint32_t)(begin - e->bytes);
    at->body = PACKET_AT + ZERO_TIME_BYTES + e->body_at;
    at->serial = e->serial;
    at->inserted = e->inserted;
    encoder_advance(e, end);
}

void encoder_turn_to(encoder *e, const shape *as, uint32_t own, track *on, uint64_t ns, uint64_t flow_in)
{
    if (ns < e->last_ns) {
        packet_ref at;
        encoder_end(e, on, ns);
        encoder_shaped(e, as, own, on, ns, flow_in, &at);
        return;
    }
    uint8_t *p = encoder_reserve_on(e, on), *begin;
    if (!p)
        return;
    if (e->kept.is_on) {
        kept_end(&e->kept, on, ns);
        kept_shaped(&e->kept, encoder_number_of(e, as), own, on, ns);
    }
    uint8_t *end = encoder_put_shape(put_turn(e, p, on, ns, &begin) - PLAIN_BYTES, as, own);
    if (flow_in)
        end = put_fixed64(end, SCHEMA_EVENT_TERMINATING_FLOW_IDS, flow_in);
    uint8_t *packet = begin + PACKET_AT;
    close_field(packet, end, 1);
    close_field(packet + ZERO_TIME_BYTES + e->body_at, end, 1);
    encoder_advance(e, end);
}

void encoder_shaped(encoder *e, const shape *as, uint32_t own, track *on, uint64_t ns, uint64_t flow_in, packet_ref *at)
{
    uint8_t *p = encoder_reserve_on(e, on);
    if (!p) {
        at->serial = 0;
        return;
    }
    if (e->kept.is_on)
        kept_shaped(&e->kept, encoder_number_of(e, as), own, on, ns);
    at->offset = (uint32_t)e->length;
    at->serial = e->serial;
    at->inserted = e->inserted;
    event_packet made = {.large = as->large};
    uint8_t *end = encoder_put_shape(encoder_begin_event(e, &made, p, on, ns, SCHEMA_TYPE_SLICE_BEGIN), as, own);
    at->body = (uint32_t)(made.body - p);
    if (flow_in)
        end = put_fixed64(end, SCHEMA_EVENT_TERMINATING_FLOW_IDS, flow_in);
    encoder_end_event(e, &made, end);
}
