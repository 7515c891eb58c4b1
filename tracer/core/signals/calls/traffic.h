/* What passes through pipes and stream sockets: called around the libc functions that read, write and wait for them.
 *
 * Nothing happens before the first child of the family is started, nor at descriptors that lead out of it. */
#ifndef TRACER_TRAFFIC_H
#define TRACER_TRAFFIC_H

#include <poll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "ring/ring.h"
#include "ring/streams.h"

enum { MOST_PARTS = 1024 }; /* the kernel takes no more */
enum traffic_kind { TRAFFIC_NONE, TRAFFIC_READ, TRAFFIC_WRITE, TRAFFIC_WAIT, TRAFFIC_POLL, TRAFFIC_SELECT };

/* A call. Its kind is a constant where it is made, so that of most functions nothing of this is left. */
typedef struct {
    uint8_t kind; /* enum traffic_kind */
    int fd;       /* of TRAFFIC_POLL and TRAFFIC_SELECT how many */
    const void *data; /* that is written, or read into; what a wait is for, or will have found */
    size_t size, more; /* bytes at `data`, and after them elsewhere */
    thread_buffer *buffer; /* NULL: it is not looked at */
    uint64_t tick;         /* when it began */
    stream *stream;        /* that it reads or writes, NULL: nothing is to be done afterwards … */
    uint64_t key;          /* … for this one */
    uint64_t number;       /* of the note that it has left, 0: none */
    uint64_t sent_ns;
} traffic;

static inline traffic traffic_of(enum traffic_kind kind, int fd, const void *data, size_t size)
{
    return (traffic){.kind = (uint8_t)kind, .fd = fd, .data = data, .size = size};
}

static inline traffic traffic_vector(enum traffic_kind kind, int fd, const struct iovec *vector, long count)
{
    if (count <= 0 || !vector)
        return traffic_of(TRAFFIC_NONE, fd, NULL, 0);
    traffic found = traffic_of(kind, fd, vector->iov_base, vector->iov_len);
    for (long i = 1; i < count && i < MOST_PARTS; i++)
        found.more += vector[i].iov_len;
    return found;
}

/* What is only looked at stays there to be read; what is thrown away cannot be compared. */
static inline enum traffic_kind traffic_receives(int flags)
{
    return flags & (MSG_PEEK | MSG_OOB | MSG_TRUNC | MSG_ERRQUEUE) ? TRAFFIC_NONE : TRAFFIC_READ;
}

static inline enum traffic_kind traffic_sends(int flags)
{
    return flags & MSG_OOB ? TRAFFIC_NONE : TRAFFIC_WRITE;
}

/* Before the call and after it. Any thread, with the GIL or without; they lock, allocate and raise nothing. */
void traffic_before(traffic *of, thread_buffer *b, uint64_t tick);
void traffic_after(traffic *of, long result);
/* Somebody will wait in another call until there is something to read. */
void traffic_watches(int fd);
/* The number will be another's. */
void traffic_closes(int fd);
/* Attached, after a call: writes what it has found. */
void traffic_tell(thread_buffer *b);
/* The same in the GIL's hooks, where nothing may be named. */
void traffic_tell_unnamed(thread_buffer *b);

#endif
