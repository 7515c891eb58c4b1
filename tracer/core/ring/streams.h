/* Pipes and stream sockets between the processes of a family: which write ended somebody's wait.
 *
 * All processes share a table with a place for each stream that one of them reads. A writer whose bytes come after a
 * pause leaves a note there: when, and with which bytes. A reader that had waited takes the note and compares. So what
 * does not wait costs a look, and only a stream's own bytes match. */
#ifndef TRACER_STREAMS_H
#define TRACER_STREAMS_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { STREAM_EDGE = 32 };

/* One direction. */
typedef struct {
    _Atomic uint64_t key;       /* 0: free */
    _Atomic uint64_t read_tick; /* when its reader has read last, or was first seen */
    _Atomic uint64_t write_tick; /* when it was last written to */
    _Atomic uint64_t note;      /* enum stream_note, or the number of the write whose note is there */
    _Atomic uint32_t reader, writer; /* the processes that were seen last; 0: none */
    uint64_t sent_tick, sent_ns, bytes; /* of the write: guarded by `note` */
    uint8_t edge[STREAM_EDGE], edge_bytes;
    uint8_t pad[31];
} stream;
static_assert(sizeof(stream) == 128, "two lines of the cache");

enum stream_note { STREAM_NO_NOTE, STREAM_NOTE_CHANGES, STREAM_FIRST_NUMBER };

size_t streams_bytes(void); /* how large the table is; it begins with zeros */
void streams_use(void *table); /* NULL: nothing is matched */
extern int streams_on; /* whether there is a table … */
const void *streams_table(void); /* … and which */

/* A member of the family is about to record itself. */
void streams_member(uint32_t pid);
int streams_has_member(uint32_t pid);

/* The stream's place, as of `tick`; an old one makes room. NULL: there is none. */
stream *streams_place(uint64_t key, uint64_t tick);
stream *streams_find(uint64_t key);
uint32_t streams_placed(void); /* how many have got a place so far */

/* For a write of `bytes`, of which `data` are the first: leaves a note. Returns its number, unique in the family, or
 * 0. */
uint64_t streams_note(stream *s, uint64_t tick, uint64_t ns, const void *data, uint64_t bytes);
void streams_withdraw(stream *s, uint64_t number); /* nothing was written */

typedef struct {
    uint64_t number, sent_tick, bytes;
    uint8_t edge[STREAM_EDGE], edge_bytes;
} stream_taken;
/* Takes the note out. Returns whether there was one. */
int streams_take(stream *s, stream_taken *taken);

#endif
