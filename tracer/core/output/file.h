/* The trace's file: whole packets are appended; where there is no room, it is cut cleanly.
 *
 * At every moment the file is a valid trace. After a write that failed it ends with a note that
 * says so (`recording cut`), put in the place of the last packets: that needs no room. */
#ifndef TRACER_FILE_H
#define TRACER_FILE_H

#include <stdint.h>

#include "packets/encoder.h"
#include "ring/private_fd.h"

/* A place between two packets. */
typedef struct {
    uint64_t bytes, events; /* before it, in the file */
    uint64_t ns;            /* the time up to which these are complete */
} file_mark;

enum { FILE_NOTE_BYTES = 256 };

typedef struct {
    private_fd fd;
    int error;      /* errno of the write that failed; only the note is written after it */
    file_mark end;  /* of what is in the file, without the note */
    file_mark early, late; /* places before the end, the first with room for the note behind it */
    uint8_t note[FILE_NOTE_BYTES];
    size_t note_length; /* 0: there is none, the file could not even be cut */
} trace_file;

/* Takes the lock that says that the file is being recorded; it goes with the last descriptor of the
 * opening. 0, or EAGAIN when another has it; without an answer where locks are not to be had. */
int trace_file_lock(int fd);

/* 0 or an errno; `fd` is the file's from now on, or closed. What was in it is gone. */
int trace_file_take(trace_file *f, int fd);
void trace_file_close(trace_file *f);

/* Appends what the encoder has. When that fails, cuts the file and says so on the track. */
void trace_file_append(trace_file *f, encoder *e, track *on);

/* The recording ends: the note of a file that was cut tells also how much is missing. */
void trace_file_finish(trace_file *f, encoder *e, track *on, uint64_t now_ns);

/* Why the write failed, in words; "" when none did. */
const char *trace_file_reason(const trace_file *f);

/* Events encoded that are not in the file. */
static inline uint64_t trace_file_lost(const trace_file *f, const encoder *e)
{
    return f->error ? e->events - f->end.events : 0;
}

#endif
