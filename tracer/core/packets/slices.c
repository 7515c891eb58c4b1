/* Packets of slices that say nothing more, or the same again and again: mostly copies of bytes that are ready. */
#include "packets/slices.h"

#include <assert.h>

#include "ring/hot.h"

static_assert(SCHEMA_NAME_END <= 128 && SCHEMA_CATEGORY_END <= 128, "one byte for each");

static inline packet_ref put_plain(encoder *e, uint8_t *p, track *on, uint64_t ns, uint8_t type, uint8_t category, uint8_t name)
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

static ALONE packet_ref plain_with_care(encoder *e, track *on, uint64_t ns, uint8_t type, uint8_t category, uint8_t name)
{
    uint8_t *p = encoder_reserve_on(e, on);
    if (!p)
        return (packet_ref){0};
    if (e->kept.is_on && type == SCHEMA_TYPE_SLICE_BEGIN)
        kept_plain(&e->kept, on, ns, category, name);
    return put_plain(e, p, on, ns, type, category, name);
}

packet_ref encoder_plain(encoder *e, track *on, uint64_t ns, uint8_t type, uint8_t category, uint8_t name)
{
    return encoder_is_quick(e, on, ns) ? put_plain(e, encoder_next_packet(e), on, ns, type, category, name)
                               : plain_with_care(e, on, ns, type, category, name);
}

void encoder_end_with_care(encoder *e, track *on, uint64_t ns)
{
    uint8_t *p = encoder_reserve_on(e, on);
    if (!p)
        return;
    if (e->kept.is_on)
        kept_end(&e->kept, on, ns);
    encoder_put_end(e, p, on, ns);
}

void encoder_turn_with_care(encoder *e, track *on, uint64_t ns, uint8_t category, uint8_t name, packet_ref *at)
{
    if (ns < e->last_ns) {
        encoder_end(e, on, ns);
        *at = encoder_plain(e, on, ns, SCHEMA_TYPE_SLICE_BEGIN, category, name);
        return;
    }
    uint8_t *p = encoder_reserve_on(e, on);
    if (!p) {
        at->position = 0;
        return;
    }
    if (e->kept.is_on) {
        kept_end(&e->kept, on, ns);
        kept_plain(&e->kept, on, ns, category, name);
    }
    encoder_put_plain_turn(e, p, on, ns, category, name, at);
}

void encoder_turn_to_with_care(encoder *e, const shape *as, uint32_t own, track *on, uint64_t ns, uint64_t flow_in)
{
    if (ns < e->last_ns) {
        packet_ref at;
        encoder_end(e, on, ns);
        encoder_shaped_with_care(e, as, own, on, ns, flow_in, &at);
        return;
    }
    uint8_t *p = encoder_reserve_on(e, on);
    if (!p)
        return;
    if (e->kept.is_on) {
        kept_end(&e->kept, on, ns);
        kept_shaped(&e->kept, encoder_number_of(e, as), own, on, ns);
    }
    encoder_put_turn_to(e, p, as, own, on, ns, flow_in);
}

void encoder_shaped_with_care(encoder *e, const shape *as, uint32_t own, track *on, uint64_t ns, uint64_t flow_in,
                                   packet_ref *at)
{
    uint8_t *p = encoder_reserve_on(e, on);
    if (!p) {
        at->position = 0;
        return;
    }
    if (e->kept.is_on)
        kept_shaped(&e->kept, encoder_number_of(e, as), own, on, ns);
    encoder_put_shaped(e, p, as, own, on, ns, flow_in, as->large, at);
}
