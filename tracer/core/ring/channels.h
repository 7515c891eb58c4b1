/* Pipes and socket pairs between the processes of a family, and how many messages each has carried.
 *
 * All processes count in a table that they share. So both ends know the number of a message by themselves, and a
 * writer knows whether somebody waits for it. Counting begins when a pipe is found empty. It ends, to begin anew later, as
 * soon as it could be wrong: two write, or two read, at the same time, more was read than written, or what was read is
 * not what was written. */
#ifndef TRACER_CHANNELS_H
#define TRACER_CHANNELS_H

#include <stddef.h>
#include <stdint.h>

/* An end, as the program has it: `whose` is the address of the object that it has for it. */
typedef struct {
    int fd;
    const void *whose;
} channel_end;

/* A message that is being written or read. */
typedef struct {
    void *channel; /* NULL: it is not counted */
    uint64_t inode, epoch;
    uint64_t number; /* unique in the family's pipe, also when counting has begun anew; known to the writer */
    channel_end end;
    uint64_t at; /* the inode of the end */
    uint8_t is_awaited;
} channel_message;

size_t channels_bytes(void); /* how large the table is; it begins with zeros */
void channels_use(void *table); /* NULL: no messages are counted */

/* The two ends of a socket pair: what is written at one is read at the other. */
void channels_pair(uint64_t one, uint64_t other);
/* The inode of a pipe, or of a socket; 0: it is something else. */
uint64_t channels_inode(channel_end end);
/* An end was closed: its number and its address may soon be another's. */
void channels_closed(void);
/* Somebody is about to wait until there is something to read. */
void channels_await(channel_end end, uint64_t now_ns);
/* `check` is a number that two messages of different content rarely have in common. A message is awaited if somebody has
 * waited for it for `least_ns`. */
channel_message channels_write(channel_end end, uint32_t check, uint64_t now_ns, uint64_t least_ns);
void channels_written(const channel_message *m);
channel_message channels_read(channel_end end, uint64_t now_ns);
/* Whether what was read is a message that was awaited when it was written; `m` has its number then. */
int channels_was_read(channel_message *m, uint32_t check);
/* Reading or writing went wrong, or it is not known whether it did. */
void channels_doubt(const channel_message *m);

#endif
