/* How often the writer makes a pass. */
#ifndef TRACER_PACE_H
#define TRACER_PACE_H

#include <stdint.h>

/* A pass leaves what is younger than PACE_YOUNG_NS: a record may have been begun, and not be there yet, since its thread has
 * lost the processor in between, for as long as a busy machine likes. A killed program loses that and one period, which is
 * PACE_CALM_NS where a pass has little to do; the documented limit is 250 ms. */
enum { PACE_YOUNG_NS = 50 * 1000 * 1000, PACE_NS = 100 * 1000 * 1000, PACE_CALM_NS = 185 * 1000 * 1000 };

/* From the beginning of a pass to that of the next one. The pass before has looked up to `looked_ns`, written so many events
 * and read so many switches of the kernel. */
uint64_t pace_ns(uint64_t looked_ns, uint64_t events, uint64_t switches, int is_asked);
/* When the next pass begins, after one that has taken so long. */
uint64_t pace_next_ns(uint64_t began_ns, uint64_t ended_ns, uint64_t period_ns);

#endif
