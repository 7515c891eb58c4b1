/* The trace file: whole packets are appended; when there is no more room, it is cut cleanly.
 *
 * At every moment the file is a valid trace. After a failed write it ends with a note that says so
 * (`recording cut`), which replaces the last packets and so needs no extra room. */
#ifndef TRACER_FILE_H
#define TRACER_FILE_H

#include <stdint.h>

#include "packets/encoder.h"
#include "ring/private_fd.h"

/* A position between two packets. */
typedef struct {
    uint64_t bytes, events; /* bytes of the file before it */
    uint64_t ns;            /* the file is complete up to this time */
} file_mark;

enum { FILE_NOTE_BYTES = 256 };

typedef struct {
    private_fd fd;
    int error;      /* errno of the failed write; after it only the note is written */
    file_mark begin; /* what came before it */
    file_mark end;  /* of what the file holds, without the note */
    file_mark early, late; /* positions before the end; behind the first there is room for the note */
    uint8_t note[FILE_NOTE_BYTES];
    size_t note_length; /* 0: no note, the file could not even be cut */
    int is_untouched;   /* it still holds what it held before the recording */
    int is_over_limit;  /* of the family */
    int is_removed;     /* somebody has deleted it: what is written goes nowhere, so nothing more is */
    int has_name;       /* it can be deleted */
    int is_ext4;
    int waits;          /* how often it was to be appended to meanwhile */
} trace_file;

/* 1: the file taken next keeps its contents, and the encoder what was to be appended, until this is 0 again
 * (or for a second). May be called from any thread. */
void trace_file_hold(int hold);

/* Locks the file to mark it as being recorded, until it is unlocked or the last copy of the descriptor is closed. Returns 0,
 * or EAGAIN if another recording holds the lock; 0 too where the file system has no locks. */
int trace_file_lock(int fd);
/* When the recording has ended. A child that was just forked may have a copy of the descriptor for a moment longer. */
void trace_file_unlock(const trace_file *f);

/* The calling thread blocks all signals, as long as it lives. */
void trace_file_is_deaf(void);

/* Truncates the file, unless it is held. So many events came before it, and it begins then. Returns 0 or an errno. `fd`
 * belongs to the trace_file from now on, or is closed. */
int trace_file_take(trace_file *f, int fd, uint64_t events, uint64_t ns);
void trace_file_close(trace_file *f);

/* Appends what the encoder holds. If that fails, cuts the file and says so on the track `on`. */
void trace_file_append(trace_file *f, encoder *e, track *on);

/* Ends the recording: the note of a file that was cut now also says how much is missing. */
void trace_file_finish(trace_file *f, encoder *e, track *on, uint64_t now_ns);

/* Appends the whole packets of a complete trace to another. Returns 0, or an errno: then nothing was appended. */
int trace_file_join(int into, int from);

/* Why the write failed, in words; "" if none did. */
const char *trace_file_reason(const trace_file *f);

/* Number of encoded events that are not in the file. */
static inline uint64_t trace_file_lost(const trace_file *f, const encoder *e)
{
    return f->error ? e->events - f->end.events : 0;
}

#endif
