/* What travels from a hook to the writer: fixed 32-byte records, numbers only. */
#ifndef TRACER_RECORDS_H
#define TRACER_RECORDS_H

#include <assert.h>
#include <stdint.h>

typedef struct {
    uint64_t tick;
    uint8_t kind;     /* enum record_kind */
    uint8_t flag;     /* meaning depends on kind */
    uint16_t payload; /* how many records of raw text bytes follow this one */
    uint32_t a;
    uint64_t b;
    uint64_t c;
} record;
static_assert(sizeof(record) == 32, "records are 32 bytes");

/* "func" is an id of intern.h's function table; "task", "loop" are ids given out by tasks.c.
 * Who woke or created something is not in the record: the timeline knows what ran on the
 * record's thread at that moment. */
enum record_kind {
    REC_GAP = 1,        /* b = records dropped, c = tick of the first of them */
    REC_TASK_NEW,       /* a = task, b = func, c = loop; flag = enum task_origin */
    REC_TASK_NAME,      /* a = task, b = text length; payload */
    REC_TASK_DESTROYED, /* a = task */
    REC_READY,          /* a = task */
    REC_STEP_BEGIN,     /* a = task */
    REC_STEP_YIELD,     /* a = task: ends its step, is ready again already */
    REC_STEP_AWAIT,     /* a = task, b = what string << 32 | site string, c = awaited task or 0 */
    REC_STEP_DONE,      /* a = task, b = exception class string; flag = enum task_outcome */
    REC_CB_READY,       /* b = handle address */
    REC_CB_BEGIN,       /* a = func, b = handle address, c = due time in ns; flag = is a timer */
    REC_CB_END,         /* */
    REC_POLL_BEGIN,     /* the loop of this thread begins to wait */
    REC_POLL_END,       /* … and has events or a time-out */
    REC_POLL_INSTANT,   /* it polled without waiting */
    REC_LOOP_RUN,       /* a = loop */
    REC_LOOP_STOP,      /* a = loop */
    REC_THREAD_SPAWN,   /* b = address of the threading.Thread */
    REC_THREAD_BEGIN,   /* b = same address, on the new thread */
    REC_THREAD_NAME,    /* a = tid, b = text length; payload */
    REC_THREAD_EXIT,    /* */
    REC_GC_BEGIN,       /* a = generation */
    REC_GC_END,         /* a = generation, b = collected, c = uncollectable */
    REC_NOTE,           /* a = length of the subject, b = text length; payload; flag = enum note_kind */
    REC_KINDS
};

enum task_origin { ORIGIN_CREATED, ORIGIN_EAGER, ORIGIN_ADOPTED };
enum task_outcome { OUTCOME_DONE, OUTCOME_CANCELLED, OUTCOME_FAILED };
enum note_kind { NOTE_HOOK_DISABLED, NOTE_OTHER };

/* What the kernel does with a thread from some moment on. Not in a record: see kernel.h. */
enum kernel_state {
    KERNEL_ON,        /* on a CPU */
    KERNEL_OFF,       /* off it: blocked */
    KERNEL_PREEMPTED, /* off it: would run, another does */
    KERNEL_EXIT,      /* gone */
    KERNEL_LOST,      /* of every thread (tid 0): unknown until its next state */
};

#endif
