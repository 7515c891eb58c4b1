/* The sampler's state: which threads it samples, and the ring of each.
 *
 * Producer: the signal handler, on the interrupted thread. Consumer: drain.c, on the writer's. */
#ifndef TRACER_SAMPLER_RINGS_H
#define TRACER_SAMPLER_RINGS_H

#include "python/compat.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "ring/private_fd.h"
#include "ring/sources.h"

enum {
    THREADS = 4096,
    HEAD_WORDS = 4, /* tick, CPU clock, frames and periods, the known call that it was in */
    SAMPLE_WORDS = HEAD_WORDS + 2 * SAMPLE_FRAMES,
    WALK_LIMIT = 4096, /* most frames walked, of Python or not */
    PAGE = 4096,
    CODES = 64, /* addresses that a handler remembers to be code objects */
    MET = 1 << 16,
};

typedef struct {
    _Atomic uint32_t serial; /* number of the arming it belongs to, 0 = none */
    _Atomic uint32_t inside; /* a handler is using it */
    uint32_t index;
    pid_t tid;
    clockid_t clock;
    timer_t timer;
    uint8_t has_timer;
    _Atomic uint8_t finished; /* the thread is ending */
    _Atomic uint64_t final_ns; /* its CPU clock at its end, until that is reported */
    uint64_t final_tick;
    uint64_t base_ns;         /* its CPU clock when armed */
    uint64_t cpu_ns;          /* its CPU clock when last read */
    uint64_t drained, drained_before; /* periods reported, now and at the last look for threads */
    /* for the handler only */
    uintptr_t page;
    uint64_t lost;
    uint32_t codes_epoch;
    uintptr_t codes[CODES];
    char page_bytes[PAGE];
    /* shared: single producer, single consumer */
    _Atomic uint32_t head, tail;
    _Atomic uint32_t last; /* where the last sample begins; it stays readable for its own thread */
    uint64_t words[];
} sampled;

struct sampler_state {
    _Atomic int active;
    int signal; /* chosen once, its handler stays for the process's life */
    struct sigaction before;
    pid_t pid;
    uint32_t hz;
    uint64_t period_ns;
    int wall_clock; /* for tests: wall-clock timers reach thousands of Hz */
    int safe_reads; /* process_vm_readv works here */
    PyInterpreterState *interp;
    private_fd tasks; /* /proc/self/task */
    uint64_t task_links; /* of it at the last look */
    uint32_t task_looks; /* which trusted them */
    uint32_t ring_words;
    _Atomic uint32_t next_serial;
    _Atomic uint32_t codes_epoch;
    _Atomic(sampled *) threads[THREADS];
    _Atomic uint32_t thread_count; /* records made so far; they are reused, never freed */
    uint32_t refused;
    _Atomic int ousted;
    uint64_t start_tick; /* older samples belong to an earlier recording */
    pthread_mutex_t guard; /* held while arming and disarming; never acquired by the handler */
    pthread_key_t exit_key;
    _Atomic uint8_t met[MET]; /* by a hash of the address: codes that may be in a sample */
};
extern struct sampler_state sampler;

static inline uint32_t sampler_met_place(uintptr_t code)
{
    return (uint32_t)(code >> 4) & (MET - 1);
}

/* A ring has two words for each frame: the code's address and the instruction's offset in it; or, once the
 * code has died, `path << 1 | 1` and `function << 32 | line`. */

/* Calls `each` for every frame of every sample that refers to `code`. The caller holds the lock of
 * symbols.h. */
void sampler_replace(uint64_t code, void (*each)(uint64_t frame[2]));
int sampler_has_met(const void *code);
void sampler_forget_codes(void); /* clears the code addresses that handlers remember */

#endif
