/* Call stacks as small integers: captured where nothing of Python may run, named later.
 *
 * A capture copies code addresses and offsets of the calling thread's frames into a table: no
 * allocation, no reference, no call into Python, so the GIL's own hooks may do it. Names are
 * found by stacks_resolve(), where Python may run, or by the code watcher before a code dies. */
#ifndef TRACER_STACKS_H
#define TRACER_STACKS_H

#include "compat.h"

typedef struct stack_facts {
    uint32_t site; /* string: "file:line function" of the innermost frame outside the standard library */
    uint32_t wait; /* string: "lock wait: Queue.get" where a frame of the library says so, else 0 */
    uint32_t text; /* string: all frames, a line each */
    uint16_t wait_depth; /* which frame, counted from the innermost, `wait` is about */
} stack_facts;

/* Control thread, attached. 0, or -1 when memory cannot be had. `depth`: frames kept, 1..64. */
int stacks_start(int depth);

/* Attached, or inside the GIL's hooks while the thread has the GIL. 0: unknown. */
uint32_t stacks_capture(PyThreadState *tstate);

/* Whether there is something to resolve; cheap. */
extern _Atomic int stacks_pending;
void stacks_resolve(void); /* attached */

/* Called by the code watcher: a code of the program is about to die. */
void stacks_code_dies(PyCodeObject *code);

/* Any thread. NULL while not yet resolved, or for id 0. */
const stack_facts *stacks_of(uint32_t id);

#endif
