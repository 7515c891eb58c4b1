/* Pipes and stream sockets between the processes of a family: which write ended somebody's wait.
 *
 * All processes share a table with a place for each stream that one of them reads. A writer whose bytes come after a
 * pause leaves a note there: when, and a checksum of 16 bits of its first bytes. A reader that had waited takes the note
 * and compares. So what does not wait costs a look, and what programs write stands nowhere but in their streams. */
#ifndef TRACER_STREAMS_H
#define TRACER_STREAMS_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "ring/hot.h"

enum { STREAM_EDGE = 32 }; /* of so many bytes */

/* One direction. */
typedef struct {
    _Atomic uint64_t key;       /* 0: free */
    _Atomic uint64_t read_tick;  /* when its reader has read last, or was first seen */
    _Atomic uint64_t write_tick; /* when it was last written to */
    _Atomic uint64_t writes;     /* how many have begun, << STREAM_UNDER_WAY_BITS | how many have not ended */
    _Atomic uint64_t note;       /* enum stream_note, or the number of the write whose note is there */
    _Atomic uint32_t reading_process;
    _Atomic uint32_t reader, writer; /* the threads that were seen last; 0: none */
    _Atomic uint32_t under_way;      /* the thread that began to write when nobody else did, until it has ended */
    _Atomic uint8_t is_shared;       /* several threads read it, or write it */
    uint8_t edge_bytes;              /* this and what follows is the note's: guarded by `note` */
    uint16_t check;
    uint64_t of_key, sent_tick, bytes, begun;
    uint8_t pad[32];
} stream;
static_assert(sizeof(stream) == 128, "two lines of the cache");

enum { STREAM_UNDER_WAY_BITS = 16 };
enum stream_note { STREAM_NO_NOTE, STREAM_NOTE_CHANGES, STREAM_FIRST_NUMBER };

size_t streams_bytes(void); /* how large the table is; it begins with zeros */
void streams_use(void *table); /* NULL: nothing is matched */
extern OURS int streams_on; /* whether there is a table … */
const void *streams_table(void); /* … and which */

/* A member of the family is about to record itself. */
void streams_member(uint32_t pid);
int streams_has_member(uint32_t pid);

/* The stream's place, as of `tick`; an old one makes room. NULL: there is none. */
stream *streams_place(uint64_t key, uint64_t tick);
stream *streams_find(uint64_t key);
uint32_t streams_placed(void); /* how many have got a place so far */

/* A thread that reads it. */
void streams_reads(stream *s, uint32_t process, uint32_t thread);
/* A thread begins to write to it, and has ended. Returns how many writes have begun with this one; 0: another one is
 * under way. One whose thread was killed is not. */
uint64_t streams_begin(stream *s, uint32_t thread);
void streams_end(stream *s, uint32_t thread);

typedef struct {
    uint64_t key, begun, tick, bytes;
    const void *data; /* the first `size` of the bytes */
    size_t size;
} stream_write;
/* Leaves a note. Returns its number, unique in the family, or 0. */
uint64_t streams_note(stream *s, const stream_write *write);
void streams_withdraw(stream *s, uint64_t number); /* nothing was written */

typedef struct {
    uint64_t number, sent_tick, bytes;
} stream_taken;
/* Takes the note out. Returns whether it was of a write to `key` that begins like `data`, which somebody has read, and
 * no other write can have been read instead. */
int streams_take(stream *s, uint64_t key, const void *data, size_t size, stream_taken *taken);

#endif
