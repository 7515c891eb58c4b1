/* Interned names as bytes: those of the schema, and any other.
 *
 * Each function writes at `p`, where there is room for it, and returns what is behind. */
#ifndef TRACER_NAMES_H
#define TRACER_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "packets/event.h"

/* One entry of the table `field`; names_put cuts long text. */
uint8_t *names_put_whole(uint8_t *p, uint32_t field, uint64_t iid, const char *text, size_t length);
uint8_t *names_put(uint8_t *p, uint32_t field, uint64_t iid, const char *text, size_t length);
/* The schema's: in every chunk's head, and before the first event of the signal `heap`. */
uint8_t *names_put_fixed(uint8_t *p);
uint8_t *names_put_heap(uint8_t *p);

/* Whether it has any of these. They are the last ones of all, and of an event. */
static inline int names_of_heap(const event *ev)
{
    return ev->category == SCHEMA_CAT_HEAP || (ev->arg_count && ev->args[ev->arg_count - 1].name >= SCHEMA_ARG_BLOCK);
}

#endif
