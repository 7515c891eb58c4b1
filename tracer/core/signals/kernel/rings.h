/* The kernel's rings of context switches, one per CPU, merged into one stream in time order.
 *
 * Only reads memory: kernel.c opens and maps the rings, so tests can make rings by hand. */
#ifndef TRACER_KERNEL_RINGS_H
#define TRACER_KERNEL_RINGS_H

#include <linux/perf_event.h>
#include <stdatomic.h>
#include <stdint.h>

#include "ring/sources.h"

enum { KERNEL_CPUS = 64, IGNORED_TIDS = 16 };

typedef struct {
    struct perf_event_mmap_page *page; /* NULL: no such CPU */
    const uint8_t *data;
    uint64_t size; /* of `data`: a power of two */
    uint64_t at;   /* counts all bytes ever, as the kernel's head does */
    uint64_t last_ns; /* of the last record read: the next reported loss came after it */
    uint64_t lost;    /* lost records that the ring has reported so far */
    uint8_t has_front;
    struct {
        uint64_t ns, lost;
        uint32_t tid;
        uint8_t state; /* enum kernel_state */
    } front;
} kernel_ring;

typedef struct {
    kernel_ring rings[KERNEL_CPUS];
    uint32_t count, pid;
    uint64_t told_ns; /* time never runs backwards for the handler */
    _Atomic uint32_t ignored[IGNORED_TIDS];
} kernel_rings;

/* Passes on every record up to `until_ns`, the earliest first. Returns the time of the next one seen,
 * UINT64_MAX if there is none. */
uint64_t kernel_rings_feed(kernel_rings *k, uint64_t until_ns, kernel_handler *handler, void *context);
void kernel_rings_tell(kernel_rings *k, uint32_t tid, uint64_t ns, enum kernel_state state, uint64_t lost,
                       kernel_handler *handler, void *context);

#endif
