/* Packets of slices that say nothing more, or the same again and again: most packets are of these. */
#ifndef TRACER_PACKETS_SLICES_H
#define TRACER_PACKETS_SLICES_H

#include "packets/encoder.h"

/* Writes the begin of a slice whose shape is known; `own` is its own number, if that says one. `at` is set to where it
 * lies: a copy of what has just been written in parts would make the processor wait. */
void encoder_shaped(encoder *e, const shape *as, uint32_t own, track *on, uint64_t ns, uint64_t flow_in, packet_ref *at);
/* The same for an event that has nothing else; `category` and `name` may be 0. */
packet_ref encoder_plain(encoder *e, track *on, uint64_t ns, uint8_t type, uint8_t category, uint8_t name);
static inline packet_ref encoder_instant(encoder *e, track *on, uint8_t category, uint8_t name, uint64_t ns)
{
    return encoder_plain(e, on, ns, SCHEMA_TYPE_INSTANT, category, name);
}
/* The end of a slice of which nothing more is to be said … */
void encoder_end(encoder *e, track *on, uint64_t ns);
/* … and at the same time the begin of one whose shape is known and not large, … */
void encoder_turn_to(encoder *e, const shape *as, uint32_t own, track *on, uint64_t ns, uint64_t flow_in);
/* … or of one of which nothing more is to be said either. */
void encoder_turn(encoder *e, track *on, uint64_t ns, uint8_t category, uint8_t name, packet_ref *at);

#endif
