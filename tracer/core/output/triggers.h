/* Triggers of a flight recording: conditions that are looked at after each pass of the writer, and ask for a snapshot.
 *
 * A wait or step that goes on counts as soon as it is long enough. After each snapshot there is a pause, in which others
 * are only counted: each moment is told, or is suppressed and counted. */
#ifndef TRACER_TRIGGERS_H
#define TRACER_TRIGGERS_H

#include <stdint.h>

#include "output/snapshots.h"
#include "timeline/model.h"

enum trigger_kind {
    TRIGGER_LOOP,    /* a step or callback of a loop */
    TRIGGER_LOCK,    /* a wait for a lock that somebody holds, */
    TRIGGER_GIL,     /* … for the GIL */
    TRIGGER_GC,      /* a collection */
    TRIGGER_READY,   /* a task could run, but does not */
    TRIGGER_TASK,    /* an await */
    TRIGGER_REGION,  /* a region of that name */
    TRIGGER_TASKS,   /* more tasks, */
    TRIGGER_THREADS, /* … threads, */
    TRIGGER_RSS,     /* … bytes of memory than that */
    TRIGGER_SIGNAL,  /* the signal of that number */
    TRIGGER_KINDS
};

enum { TRIGGERS = 32, TRIGGER_TEXT = 96 };

typedef struct {
    uint8_t kind;
    uint64_t limit; /* ns, or a number */
    char name[TRIGGER_TEXT], text[TRIGGER_TEXT]; /* of a region; as the user wrote it */
} trigger;

/* What a trigger has seen, in words, and where in the trace it is. */
typedef struct {
    snapshot taken; /* first: it is what the snapshot is asked for */
    char trigger[TRIGGER_TEXT], what[SNAPSHOT_TEXT], site[SNAPSHOT_TEXT], behind[SNAPSHOT_TEXT];
    uint64_t value; /* of tasks, threads, bytes */
    uint64_t ns;    /* how long it was, or has been so far */
    uint64_t pthread; /* of the thread whose place is wanted; 0: of none */
    uint8_t kind;   /* enum trigger_kind */
    uint8_t is_placed; /* … and known */
    uint8_t looks;  /* how often it was looked at since it was found */
} moment;

/* Before a recording: which there are, how many snapshots are kept, and how long after one the next may come. */
void triggers_set(const trigger *list, uint32_t count, uint32_t keep, uint64_t cooldown_ns);
void triggers_begin(timeline *line);
void triggers_end(void);
int triggers_are_set(void); /* until they end */
/* Looks at what is open at `ns`. Returns what has fired and is to be told, or NULL. */
/* The moment stays as it is until its snapshot is written. */
moment *triggers_look(timeline *line, uint64_t ns, uint64_t rss_bytes);
/* Until when nothing of what was open at the last look makes a trigger fire. */
uint64_t triggers_due_ns(void);
/* Whether everything about it is known, or will not be. */
int triggers_are_sure(const moment *of);
/* From any thread: where the thread of the moment was at `ns` (strings; 0: unknown). */
void triggers_place(uint32_t site, uint32_t stack, uint64_t ns);
/* It could not be told now: it comes again with the next look. */
void triggers_postpone(void);
/* At the end: what has fired and is not told yet, or NULL. */
moment *triggers_left(uint64_t ns);
/* It is not told after all. */
void triggers_suppress(void);
/* How many were not told: in this recording; since the last one that was. */
uint64_t triggers_suppressed(void);
uint64_t triggers_untold(void);
/* Its snapshot is written, or was not: removes the oldest one if there are too many. */
void triggers_written(const moment *of);

#endif
