/* Reading and merging the kernel's rings. */
#include "signals/kernel/rings.h"

#include <string.h>

enum { LONGEST = 64 }; /* no record of interest is longer */

/* The records as they lie in a ring, with the sample_type TID | TIME. */
typedef struct {
    uint32_t pid, tid;
    uint64_t ns;
} trailer;

typedef struct {
    struct perf_event_header header;
    trailer by;
} switch_record;

typedef struct {
    struct perf_event_header header;
    uint32_t pid, parent_pid, tid, parent_tid;
    uint64_t ns;
    trailer by;
} exit_record;

typedef struct {
    struct perf_event_header header;
    uint64_t id, lost;
    trailer by;
} lost_record;

typedef union {
    struct perf_event_header header;
    switch_record switched;
    exit_record exited;
    lost_record lost;
    uint8_t bytes[LONGEST];
} any_record;

static void copy_out(const kernel_ring *r, void *to, size_t length)
{
    uint64_t start = r->at & (r->size - 1);
    size_t to_end = r->size - start < length ? (size_t)(r->size - start) : length;
    memcpy(to, r->data + start, to_end);
    memcpy((uint8_t *)to + to_end, r->data, length - to_end);
}

static int is_ignored(kernel_rings *k, uint32_t tid, int exits)
{
    for (int i = 0; i < IGNORED_TIDS; i++) {
        if (atomic_load_explicit(&k->ignored[i], memory_order_relaxed) != tid)
            continue;
        if (exits) /* the system may give its id to another thread */
            atomic_store_explicit(&k->ignored[i], 0, memory_order_relaxed);
        return 1;
    }
    return 0;
}

static void set_front(kernel_rings *k, kernel_ring *r, trailer by, enum kernel_state state)
{
    /* A kernel without inherit_thread reports forked children too. */
    if (by.pid != k->pid || is_ignored(k, by.tid, state == KERNEL_EXIT))
        return;
    r->front.ns = by.ns;
    r->front.tid = by.tid;
    r->front.state = (uint8_t)state;
    r->front.lost = 0;
    r->has_front = 1;
}

static void understand(kernel_rings *k, kernel_ring *r, const any_record *record)
{
    uint16_t misc = record->header.misc;
    if (record->header.type == PERF_RECORD_SWITCH) {
        set_front(k, r, record->switched.by,
                  !(misc & PERF_RECORD_MISC_SWITCH_OUT) ? KERNEL_ON
                  : misc & PERF_RECORD_MISC_SWITCH_OUT_PREEMPT ? KERNEL_PREEMPTED : KERNEL_OFF);
        r->last_ns = record->switched.by.ns;
    } else if (record->header.type == PERF_RECORD_EXIT) {
        const exit_record *e = &record->exited;
        set_front(k, r, (trailer){e->pid, e->tid, e->ns}, KERNEL_EXIT);
        r->last_ns = e->ns;
    } else if (record->header.type == PERF_RECORD_LOST) {
        /* Its own time is that at which there was room again. */
        r->front.ns = r->last_ns;
        r->front.tid = 0;
        r->front.state = KERNEL_LOST;
        r->front.lost = record->lost.lost;
        r->lost += record->lost.lost;
        r->has_front = 1;
    }
}

/* Whether the ring has a record of interest. */
static int look(kernel_rings *k, kernel_ring *r)
{
    if (r->has_front || !r->page)
        return r->has_front;
    uint64_t head = __atomic_load_n(&r->page->data_head, __ATOMIC_ACQUIRE);
    while (!r->has_front && r->at < head) {
        any_record record;
        copy_out(r, &record.header, sizeof record.header);
        uint16_t size = record.header.size;
        if (size < sizeof record.header || size > head - r->at) {
            r->at = head; /* the ring was overwritten */
            break;
        }
        copy_out(r, &record, size < LONGEST ? size : LONGEST);
        r->at += size;
        understand(k, r, &record);
    }
    return r->has_front;
}

void kernel_rings_tell(kernel_rings *k, uint32_t tid, uint64_t ns, enum kernel_state state, uint64_t lost,
                       kernel_handler *handler, void *context)
{
    if (ns > k->told_ns)
        k->told_ns = ns;
    handler(context, tid, k->told_ns, state, lost);
}

uint64_t kernel_rings_feed(kernel_rings *k, uint64_t until_ns, kernel_handler *handler, void *context)
{
    kernel_ring *first;
    for (;;) {
        first = NULL;
        uint64_t other_ns = UINT64_MAX; /* time of the earliest record in the other rings */
        for (uint32_t i = 0; i < k->count; i++) {
            kernel_ring *r = &k->rings[i];
            if (!look(k, r))
                continue;
            uint64_t later_ns = r->front.ns;
            if (!first || r->front.ns < first->front.ns) {
                later_ns = first ? first->front.ns : UINT64_MAX;
                first = r;
            }
            if (later_ns < other_ns)
                other_ns = later_ns;
        }
        if (!first || first->front.ns > until_ns)
            break;
        do {
            first->has_front = 0;
            kernel_rings_tell(k, first->front.tid, first->front.ns, first->front.state, first->front.lost,
                              handler, context);
        } while (look(k, first) && first->front.ns <= until_ns && first->front.ns < other_ns);
    }
    for (uint32_t i = 0; i < k->count; i++) {
        kernel_ring *r = &k->rings[i];
        if (r->page && r->page->data_tail != r->at)
            __atomic_store_n(&r->page->data_tail, r->at, __ATOMIC_RELEASE);
    }
    return first ? first->front.ns : UINT64_MAX;
}
