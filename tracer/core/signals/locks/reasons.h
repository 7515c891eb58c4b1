/* What a thread waits for, as its frames tell: a lock that somebody has, or what is made of one. */
#ifndef TRACER_LOCK_REASONS_H
#define TRACER_LOCK_REASONS_H

#include "python/compat.h"
#include "ring/stack_names.h"

enum kind {
    KIND_LOCK,
    KIND_RLOCK,
    KIND_QUEUE,  /* nobody has it, nor what follows */
    KIND_THREAD, /* the end of one … */
    KIND_THREADS, /* … of all that the interpreter's end waits for */
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
    uint8_t is_end;    /* the end of a thread is waited for … */
    uint32_t joined;   /* … with this tid, or, where that is 0, … */
    uint64_t pthread;  /* … with this pthread_t; 0: not known */
    uint8_t is_signal; /* nobody holds what is waited for … */
    PyObject *about;   /* … the condition, event or thread, borrowed; NULL: the lock itself */
} wait_reason;

/* Why `self` is waited for. `owner` (tid) has the lock; 0: nobody, or not known. Attached. Leaves no exception
 * set. */
wait_reason reason_of(enum kind kind, PyObject *self, PyThreadState *tstate, const stack_facts *stack,
                      uint32_t owner);
void reasons_start(void);

extern PyMethodDef reasons_methods[];

#endif
