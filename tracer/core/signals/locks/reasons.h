/* What a thread waits for, according to its frames: a lock that is held, or something built on one. */
#ifndef TRACER_LOCK_REASONS_H
#define TRACER_LOCK_REASONS_H

#include "python/compat.h"
#include "ring/stack_names.h"

enum kind {
    KIND_LOCK,
    KIND_RLOCK,
    KIND_QUEUE,  /* nobody holds this or the following kinds */
    KIND_THREAD, /* the end of one … */
    KIND_THREADS, /* … of all that interpreter shutdown waits for */
    KINDS
};

static inline int can_be_held(enum kind kind)
{
    return kind <= KIND_RLOCK;
}

/* "lock wait: Lock", …: strings. */
extern uint32_t reason_names[KINDS];

typedef struct {
    uint32_t what;     /* string */
    uint8_t is_end;    /* the thread waits for another's end … */
    uint32_t joined;   /* … with this tid, or, where that is 0, … */
    uint64_t pthread;  /* … with this pthread_t; 0: unknown */
    uint8_t is_signal; /* nobody holds what it waits for … */
    PyObject *about;   /* … the condition, event, thread or pool, borrowed; NULL: the lock itself */
    uint32_t slots;    /* of a pool; 0: unknown */
} wait_reason;

/* Why the thread waits for `self`. `owner` (tid) holds the lock; 0: none, or unknown. Attached. Leaves no
 * exception set. */
wait_reason reason_of(enum kind kind, PyObject *self, PyThreadState *tstate, const stack_facts *stack,
                      uint32_t owner);
void reasons_start(void);

extern PyMethodDef reasons_methods[];

#endif
