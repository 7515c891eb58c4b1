/* The sampler's state, and what changes in it when a code object dies. */
#include "sampler/rings.h"

struct sampler_state sampler = {.guard = PTHREAD_MUTEX_INITIALIZER, .tasks = {.fd = -1}};

void sampler_replace(uint64_t code, void (*each)(uint64_t frame[2]))
{
    uint32_t mask = sampler.ring_words - 1;
    for (uint32_t i = 0; i < atomic_load(&sampler.thread_count); i++) {
        sampled *t = atomic_load(&sampler.threads[i]);
        uint32_t at = atomic_load_explicit(&t->tail, memory_order_relaxed);
        uint32_t head = atomic_load_explicit(&t->head, memory_order_acquire);
        while (at != head) {
            uint32_t count = t->words[(at + 2) & mask] & 0xff;
            at += HEAD_WORDS;
            for (; count--; at += 2) {
                uint64_t frame[2] = {t->words[at & mask], t->words[(at + 1) & mask]};
                if (frame[0] != code)
                    continue;
                each(frame);
                t->words[at & mask] = frame[0];
                t->words[(at + 1) & mask] = frame[1];
            }
        }
    }
}

int sampler_has_met(const void *code)
{
    uint32_t place = sampler_met_place((uintptr_t)code);
    return sampler.hz && atomic_load_explicit(&sampler.met[place], memory_order_relaxed);
}

void sampler_forget_codes(void)
{
    atomic_fetch_add(&sampler.codes_epoch, 1);
}
