/* Chooses when the writer's next pass begins. */
#include "output/pace.h"

#include "output/debug.h"
#include "output/snapshots.h"
#include "output/triggers.h"

enum { MUCH = 10000, MANY_SWITCHES = 2000 };

/* Where not much happened in a pass, and nobody waits for what the writer says, it comes less often: its caches are cold each
 * time, which costs about as much as a thousand events do. A trigger that may fire by then is not kept waiting, and the
 * kernel's rings may be small. */
uint64_t pace_ns(uint64_t looked_ns, uint64_t events, uint64_t switches, int is_asked)
{
    uint64_t due_ns = triggers_due_ns(), next_ns = looked_ns + PACE_NS;
    if (events >= MUCH || switches >= MANY_SWITCHES || is_asked || debug_is_on() || snapshots_are_asked() || due_ns <= next_ns)
        return PACE_NS;
    return due_ns < looked_ns + PACE_CALM_NS ? due_ns - looked_ns : PACE_CALM_NS;
}

/* A machine that is too slow for it has half a period between two passes. */
uint64_t pace_next_ns(uint64_t began_ns, uint64_t ended_ns, uint64_t period_ns)
{
    uint64_t next_ns = began_ns + period_ns, least_ns = ended_ns + period_ns / 2;
    return next_ns > least_ns ? next_ns : least_ns;
}
