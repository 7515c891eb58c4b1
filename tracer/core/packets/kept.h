/* What is open on each track: slices that have begun and not ended, and the last value of each counter.
 *
 * A flight recording writes these anew at the head of each of its files, since their begins lie in files that may be
 * gone by then; triggers look at their lengths. Other recordings keep nothing. */
#ifndef TRACER_KEPT_H
#define TRACER_KEPT_H

#include <stddef.h>
#include <stdint.h>

#include "packets/event.h"

/* Arguments, then the texts that they and their slice point to. Slices that say the same share one. */
typedef struct {
    uint32_t uses, capacity; /* in bytes */
    arg args[];
} kept_room;

/* A slice that is open, with what its begin said; without arrows. */
typedef struct {
    uint64_t ns;
    uint32_t name_id, text_length;
    uint8_t category, name, arg_count;
    uint8_t is_told; /* a trigger has fired for it, or none ever will */
    uint32_t own;    /* the value of an argument that `is_own` */
    kept_room *room; /* left from a slice before, if this one has no arguments */
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

/* Told of each slice that ends after at least `notable_ns`, and with which arguments. */
typedef void slice_ended(void *context, const track *on, open_slice *slice, uint64_t end_ns, const arg *args,
                         uint32_t arg_count);

typedef struct {
    int is_on;
    kept_track *first;
    kept_track *watched; /* those of which a slice may become notable: each from its next slice on */
    uint64_t notable_ns; /* UINT64_MAX: none is */
    slice_ended *ended; /* NULL: nobody asks */
    void *context;
    open_slice *shaped; /* by the number of its shape (encoder.h): what a slice says again and again */
} kept_list;

enum { KEPT_LASTING = 64, KEPT_SHAPES = 1024 }; /* lasting ones on a track: later ones are not repeated */

/* Takes notice of an event that is written. Returns the slice that it begins, or NULL. */
open_slice *kept_event(kept_list *list, const event *ev);
/* Of a slice that begins with a category and a name alone. */
void kept_plain(kept_list *list, track *on, uint64_t ns, uint8_t category, uint8_t name);
void kept_end(kept_list *list, track *on, uint64_t ns);
/* What the slice says belongs to this shape. Returns 0, or -1 without memory. */
int kept_shape(kept_list *list, uint32_t number, const open_slice *slice);
/* A slice of this shape begins, with its own number. */
void kept_shaped(kept_list *list, uint32_t number, uint32_t own, track *on, uint64_t ns);
void kept_forget_shapes(kept_list *list);
/* Until its next slice begins. */
void kept_unwatch(kept_track *k);
/* Of a track that is freed. */
void kept_free(kept_track *k);

/* As all of its shape have them … */
static inline const arg *open_slice_args(const open_slice *slice)
{
    return slice->room ? slice->room->args : NULL;
}

/* … and with its own number. */
static inline arg open_slice_arg(const open_slice *slice, uint32_t at)
{
    arg said = slice->room->args[at];
    if (said.is_own)
        said.value = slice->own;
    return said;
}

#endif
