/* The table of named stacks: only the memory in use is touched. */
#include "ring/stack_names.h"

#include <stdatomic.h>
#include <stddef.h>

static struct {
    stack_facts facts;
    _Atomic int is_known;
} names[STACKS_MOST];

void stack_names_put(uint32_t id, stack_facts facts)
{
    names[id].facts = facts;
    atomic_store_explicit(&names[id].is_known, 1, memory_order_release);
}

const stack_facts *stack_names_of(uint32_t id)
{
    if (!id || id >= STACKS_MOST || !atomic_load_explicit(&names[id].is_known, memory_order_acquire))
        return NULL;
    return &names[id].facts;
}
