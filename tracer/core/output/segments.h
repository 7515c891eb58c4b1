/* The files of a flight recording: a ring of segments, of which the oldest go when there are enough.
 *
 * A segment is two files in the ring's folder. NUMBER.head is what was alive when it began, NUMBER.body what was
 * recorded from then on. The head of a segment and all bodies from there on are a trace. The newest body is locked, as
 * other traces are, while it is being recorded. */
#ifndef TRACER_SEGMENTS_H
#define TRACER_SEGMENTS_H

#include <stddef.h>
#include <stdint.h>

enum { SEGMENTS = 64, SEGMENT_PATH = 4096 };

typedef struct {
    uint64_t number, from_ns; /* it is complete from then on */
    uint64_t head_bytes, body_bytes; /* of the newest, the body's are counted by whoever writes it */
    int is_cut; /* its body could not be written to its end: the next ones do not go on from it */
} segment;

typedef struct {
    char folder[SEGMENT_PATH]; /* "": there is no ring */
    uint64_t window_ns, most_bytes;
    segment list[SEGMENTS]; /* the newest last */
    uint32_t count;
    uint64_t next, retry_ns;
    int is_pinned; /* somebody copies them: none goes */
} segment_ring;

enum segment_part { SEGMENT_HEAD, SEGMENT_BODY };

/* Returns 0 or an errno. */
int segments_open(segment_ring *ring, const char *folder, uint64_t window_ns, uint64_t most_bytes);
/* Whether there is room for another one that somebody asks for. */
int segments_may_begin(const segment_ring *ring, uint64_t now_ns);
/* Whether another segment shall begin, when so much is in the newest body; `failed`: that could not be written. */
int segments_are_due(const segment_ring *ring, uint64_t now_ns, uint64_t body_bytes, int failed);
/* Begins another one and drops those that are no longer needed: all others, if the newest could not be written.
 * `body` is its file. Returns 0 or an errno; then everything is as before. */
int segments_add(segment_ring *ring, uint64_t now_ns, const uint8_t *head, size_t length, int failed, int *body);
/* How many of the newest are to be read to see what happened since `since_ns`; 0: there is none. */
uint32_t segments_since(const segment_ring *ring, uint64_t since_ns);
/* 0, or ENAMETOOLONG. */
int segments_path(const segment_ring *ring, const segment *which, enum segment_part part, char *path);
/* Removes the ring from the disk. */
void segments_remove(segment_ring *ring);

#endif
