/* What passes through pipes and stream sockets: called around the libc functions that read, write and wait for them.
 *
 * Nothing happens before the first child of the family is started, nor at descriptors that lead out of it. */
#ifndef TRACER_TRAFFIC_H
#define TRACER_TRAFFIC_H

#include <poll.h>
#include <sys/select.h>
#include <sys/socket.h>

#include "ring/ring.h"
#include "ring/streams.h"

enum traffic_kind {
    TRAFFIC_NONE,
    TRAFFIC_READ,
    TRAFFIC_WRITE,
    TRAFFIC_ACCEPT,
    TRAFFIC_WAIT,
    TRAFFIC_POLL,
    TRAFFIC_SELECT
};
/* What `data` points to: bytes, parts of them, a message that has such parts, or where a file is read. */
enum traffic_form { FORM_BYTES, FORM_PARTS, FORM_MESSAGE, FORM_FILE };

/* A call. Its kind is a constant where it is made, so that of most functions nothing of this is left. */
typedef struct {
    uint8_t kind; /* enum traffic_kind */
    uint8_t form; /* enum traffic_form */
    int fd;       /* of TRAFFIC_POLL and TRAFFIC_SELECT how many */
    int file;     /* of FORM_FILE */
    const void *data; /* that is written, or read into; what a wait is for, or will have found */
    size_t size, more; /* bytes at `data`, and after them elsewhere; of FORM_PARTS how many there are */
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

static inline traffic traffic_in(enum traffic_kind kind, int fd, enum traffic_form form, const void *data, size_t size)
{
    return (traffic){.kind = (uint8_t)kind, .form = (uint8_t)form, .fd = fd, .data = data, .size = size};
}

static inline traffic traffic_from(int file, int fd, const void *offset, size_t size)
{
    return (traffic){
        .kind = TRAFFIC_WRITE, .form = FORM_FILE, .fd = fd, .file = file, .data = offset, .size = size};
}

#if defined(__x86_64__)
enum { PROGRAM_BITS = 47 };
#else
enum { PROGRAM_BITS = 52 }; /* of arm64 mostly 48: all of a program may lie above 1 << 47 */
#endif

/* Whether the program can have memory there. The hooks look before the kernel does, which would refuse what is no
 * address at all: a null pointer, -1. */
static inline int traffic_may_look(const void *at)
{
    uint64_t address = (uintptr_t)at;
    return address >= 1 << 16 && address < (uint64_t)1 << PROGRAM_BITS;
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
