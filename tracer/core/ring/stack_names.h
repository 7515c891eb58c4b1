/* Call stacks by number, once their names are known: python/stacks.c finds them, the writer reads. */
#ifndef TRACER_STACK_NAMES_H
#define TRACER_STACK_NAMES_H

#include <stdint.h>

enum { STACKS_MOST = 1 << 17 };

typedef struct stack_facts {
    uint32_t site; /* string: "file:line function" of the innermost frame outside the standard library */
    uint32_t wait; /* string: "lock wait: Queue.get" where a frame of the library says so, else 0 */
    uint32_t await; /* string: "await Queue.get" where such a frame names what a greenlet waits for, else 0 */
    uint32_t text; /* string: all frames, a line each */
    uint16_t wait_depth; /* which frame, counted from the innermost, `wait` is about */
} stack_facts;

/* `id` is below STACKS_MOST. One thread at a time, and each id once. */
void stack_names_put(uint32_t id, stack_facts facts);
/* Any thread. NULL while not yet known, or for id 0. */
const stack_facts *stack_names_of(uint32_t id);

#endif
