/* What is open on each track: slices that have begun and not ended, and the last value of each counter.
 *
 * A flight recording writes these anew at the head of each of its files, since their begins lie in files that may be
 * gone by then; triggers look at their lengths. Other recordings keep nothing. */
#ifndef TRACER_KEPT_H
#define TRACER_KEPT_H

#include <stddef.h>
#include <stdint.h>

#include "packets/event.h"

/* A slice that is open, with what its begin said; without arrows. */
typedef struct {
    uint64_t ns;
    uint32_t name_id, text_length;
    uint8_t category, name, arg_count;
    uint8_t is_told; /* a trigger has fired for it, or none ever will */
    char *room;      /* the arguments, then the texts that they and `text` point to */
    size_t capacity;
    const char *text;
} open_slice;

typedef struct kept_track {
    track *of;
    struct kept_track *next, **link; /* `link` points to what points here */
    open_slice *open;          /* the innermost last; those behind `depth` keep their room for later ones */
    uint32_t depth, capacity;
    open_slice *lasting;       /* instants that tell of the time after them, too */
    uint32_t lasting_count;
    int64_t counter;           /* its value, … */
    uint8_t has_counter, counter_is_double; /* … if it is a counter and has one */
    uint32_t restored; /* the last chunk in whose head it is */
    struct kept_track *watched_next, **watched_link; /* NULL: it is not watched */
} kept_track;

/* Told of each slice that ends after at least `notable_ns`. */
typedef void slice_ended(void *context, const track *on, open_slice *slice, uint64_t end_ns);

typedef struct {
    int is_on;
    kept_track *first;
    kept_track *watched; /* those of which a slice may become notable: each from its next slice on */
    uint64_t notable_ns; /* UINT64_MAX: none is */
    slice_ended *ended; /* NULL: nobody asks */
    void *context;
} kept_list;

enum { KEPT_LASTING = 64 }; /* on a track; later ones are not repeated */

/* Takes notice of an event that is written. */
void kept_event(kept_list *list, const event *ev);
void kept_end(kept_list *list, track *on, uint64_t ns);
/* Until its next slice begins. */
void kept_unwatch(kept_track *k);
/* Of a track that is freed. */
void kept_free(kept_track *k);

static inline const arg *open_slice_args(const open_slice *slice)
{
    return (const arg *)slice->room;
}

#endif
