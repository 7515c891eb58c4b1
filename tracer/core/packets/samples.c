/* Perfetto's perf_sample packets: interned names, frames and callstacks. */
#include "packets/samples.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "ring/intern.h"
#include "ring/text.h"
#include "packets/wire.h"

enum { PACKET_BYTES = 4096, TEXT_LIMIT = 500, MAPPING = 1, PSEUDO_LINE = 0 };

_Atomic uint64_t samples_look_every_ns = 280 * 1000 * 1000;

/* The names of pseudo-frames, which stand for unknown frames. A table, so that each is one string of the
 * schema. */
static const struct {
    uint32_t flag;
    const char *name;
    size_t length;
} pseudo_frames[] = {
#define PSEUDO(name, flag) {flag, SCHEMA_TEXT_##name, sizeof SCHEMA_TEXT_##name - 1}
    PSEUDO(FRAME_TRUNCATED, SAMPLE_TRUNCATED), PSEUDO(FRAME_BROKEN, SAMPLE_BROKEN),
    PSEUDO(FRAME_FOREIGN, SAMPLE_FOREIGN),     PSEUDO(FRAME_UNSAMPLED, SAMPLE_UNSAMPLED),
    PSEUDO(FRAME_LOST, SAMPLE_LOST),
};

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9E3779B97F4A7C15ull;
    return hash ^ hash >> 29;
}

void samples_init(sample_writer *w, encoder *out, uint64_t (*to_ns)(uint64_t tick), const sample_source_table *from)
{
    *w = (sample_writer){.out = out, .from = from, .to_ns = to_ns};
}

static void forget_names(sample_writer *w)
{
    map *all[] = {&w->functions, &w->paths, &w->frame_iids, &w->stack_iids};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        map_free(all[i]);
    w->frames = w->stacks = 0;
}

void samples_free(sample_writer *w)
{
    forget_names(w);
    w->from->close();
}

/* --- packets --- */

typedef struct {
    uint8_t bytes[PACKET_BYTES], *body, *at;
} packet;

static void begin(const sample_writer *w, packet *p)
{
    p->body = open_field(p->bytes, SCHEMA_TRACE_PACKET, 0);
    p->at = put_number(p->body, SCHEMA_PACKET_SEQUENCE_ID, w->out->sequence + SCHEMA_SEQUENCE_SAMPLES);
}

static void finish(sample_writer *w, packet *p)
{
    close_field(p->body, p->at, 0);
    encoder_append(w->out, p->bytes, (size_t)(p->at - p->bytes));
}

static void put_interned_text(packet *p, uint32_t field, uint64_t iid, const char *text, size_t length)
{
    uint8_t *entry = open_field(p->at, field, 0);
    p->at = put_number(entry, SCHEMA_INTERNED_IID, iid);
    p->at = put_bytes(p->at, SCHEMA_INTERNED_NAME, text, text_fit(text, length, TEXT_LIMIT));
    close_field(entry, p->at, 0);
}

/* The chunk's head: the clock, the rate, and the one mapping that all frames lie in. */
static void begin_chunk(sample_writer *w)
{
    packet p;
    forget_names(w);
    w->chunk = w->out->chunk;
    begin(w, &p);
    p.at = put_number(p.at, SCHEMA_PACKET_SEQUENCE_FLAGS, SCHEMA_FLAG_STATE_CLEARED);
    uint8_t *defaults = open_field(p.at, SCHEMA_PACKET_DEFAULTS, 0);
    p.at = put_number(defaults, SCHEMA_DEFAULTS_CLOCK_ID, SCHEMA_CLOCK_MONOTONIC_ID);
    uint8_t *perf = open_field(p.at, SCHEMA_DEFAULTS_PERF_SAMPLE, 1);
    uint8_t *timebase = open_field(perf, SCHEMA_PERF_DEFAULTS_TIMEBASE, 1);
    p.at = put_number(timebase, SCHEMA_TIMEBASE_FREQUENCY, w->hz);
    p.at = put_number(p.at, SCHEMA_TIMEBASE_COUNTER, SCHEMA_COUNTER_CPU_CLOCK);
    p.at = put_bytes(p.at, SCHEMA_TIMEBASE_NAME, SCHEMA_TEXT_TIMEBASE_CPU, sizeof SCHEMA_TEXT_TIMEBASE_CPU - 1);
    close_field(timebase, p.at, 1);
    close_field(perf, p.at, 1);
    close_field(defaults, p.at, 0);
    uint8_t *interned = open_field(p.at, SCHEMA_PACKET_INTERNED_DATA, 0);
    p.at = interned;
    put_interned_text(&p, SCHEMA_INTERNED_MAPPING_PATHS, 1, SCHEMA_TEXT_MAPPING_PYTHON,
                      sizeof SCHEMA_TEXT_MAPPING_PYTHON - 1);
    uint8_t *mapping = open_field(p.at, SCHEMA_INTERNED_MAPPINGS, 1);
    p.at = put_number(mapping, SCHEMA_INTERNED_IID, MAPPING);
    p.at = put_number(p.at, SCHEMA_MAPPING_PATH_IDS, 1);
    close_field(mapping, p.at, 1);
    close_field(interned, p.at, 0);
    finish(w, &p);
}

/* The string's iid; its text goes into the packet when the chunk does not know it yet. */
static uint64_t tell_text(packet *p, map *told, uint32_t field, uint32_t id)
{
    if (!id)
        return 0;
    uint64_t *known = map_put(told, id);
    if (known && !*known) {
        size_t length;
        const char *text = intern_text(id, &length);
        put_interned_text(p, field, id, text, length);
        *known = 1;
    }
    return id;
}

static uint64_t frame_hash(sample_place place)
{
    uint64_t hash = mix(mix(mix(1, place.function), place.path), place.line);
    return hash ? hash : 1;
}

/* The address must be unique to the frame and the same in every chunk, so it is a hash of names and line. */
static uint64_t address_of(sample_place place)
{
    uint64_t hash = 0xcbf29ce484222325ull;
    uint32_t ids[] = {place.path, place.function};
    for (int i = 0; i < 2; i++) {
        size_t length;
        const char *text = intern_text(ids[i], &length);
        for (size_t at = 0; at < length; at++)
            hash = (hash ^ (unsigned char)text[at]) * 0x100000001b3ull;
    }
    return mix(hash, place.line) >> 16 | 1;
}

static uint64_t frame_iid(sample_writer *w, sample_place place)
{
    uint64_t *known = map_put(&w->frame_iids, frame_hash(place));
    if (!known)
        return 0;
    if (*known)
        return *known;
    *known = ++w->frames;
    packet p;
    begin(w, &p);
    uint8_t *interned = open_field(p.at, SCHEMA_PACKET_INTERNED_DATA, 0);
    p.at = interned;
    uint64_t function = tell_text(&p, &w->functions, SCHEMA_INTERNED_FUNCTION_NAMES, place.function);
    uint64_t path = tell_text(&p, &w->paths, SCHEMA_INTERNED_SOURCE_PATHS, place.path);
    uint8_t *frame = open_field(p.at, SCHEMA_INTERNED_FRAMES, 1);
    p.at = put_number(frame, SCHEMA_INTERNED_IID, w->frames);
    p.at = put_number(p.at, SCHEMA_FRAME_FUNCTION_ID, function);
    p.at = put_number(p.at, SCHEMA_FRAME_MAPPING_ID, MAPPING);
    p.at = put_number(p.at, SCHEMA_FRAME_REL_PC, address_of(place));
    if (path)
        p.at = put_number(p.at, SCHEMA_FRAME_SOURCE_PATH, path);
    if (place.line)
        p.at = put_number(p.at, SCHEMA_FRAME_LINE, place.line);
    close_field(frame, p.at, 1);
    close_field(interned, p.at, 0);
    finish(w, &p);
    return w->frames;
}

static uint64_t pseudo_iid(sample_writer *w, uint32_t flags, uint32_t wanted)
{
    for (size_t i = 0; i < sizeof pseudo_frames / sizeof *pseudo_frames; i++)
        if (flags & wanted & pseudo_frames[i].flag)
            return frame_iid(w, (sample_place){
                intern_string(pseudo_frames[i].name, pseudo_frames[i].length), 0, PSEUDO_LINE});
    return 0;
}

/* The frame of a call of C code: its name as of a wait in it, without a file. */
static uint64_t call_iid(sample_writer *w, uint32_t call)
{
    size_t length, skipped = strlen(SCHEMA_TEXT_IO_PREFIX);
    const char *name = intern_text(call, &length);
    if (!name || length <= skipped || memcmp(name, SCHEMA_TEXT_IO_PREFIX, skipped))
        return 0;
    return frame_iid(w, (sample_place){intern_string(name + skipped, length - skipped), 0, PSEUDO_LINE});
}

/* A callstack has its outermost frame first; pseudo-frames name what is unknown. */
static uint64_t stack_iid(sample_writer *w, const sample *s)
{
    uint64_t frames[SAMPLE_FRAMES + 2], hash = 1;
    uint32_t count = 0;
    uint64_t root = pseudo_iid(w, s->flags, ~0u);
    if (root)
        frames[count++] = root;
    for (uint32_t i = s->count; i-- > 0;) {
        sample_place place = s->places[i];
        if (!place.function)
            place = (sample_place){intern_string(SCHEMA_TEXT_FRAME_BROKEN, sizeof SCHEMA_TEXT_FRAME_BROKEN - 1), 0, 0};
        frames[count++] = frame_iid(w, place);
    }
    uint64_t call = s->call && s->count ? call_iid(w, s->call) : 0;
    if (call)
        frames[count++] = call;
    for (uint32_t i = 0; i < count; i++)
        hash = mix(hash, frames[i]);
    uint64_t *known = map_put(&w->stack_iids, hash ? hash : 1);
    if (!known)
        return 0;
    if (*known)
        return *known;
    *known = ++w->stacks;
    packet p;
    begin(w, &p);
    uint8_t *interned = open_field(p.at, SCHEMA_PACKET_INTERNED_DATA, 0);
    uint8_t *stack = open_field(interned, SCHEMA_INTERNED_CALLSTACKS, 0);
    p.at = put_number(stack, SCHEMA_INTERNED_IID, w->stacks);
    for (uint32_t i = 0; i < count; i++)
        p.at = put_number(p.at, SCHEMA_CALLSTACK_FRAME_IDS, frames[i]);
    close_field(stack, p.at, 0);
    close_field(interned, p.at, 0);
    finish(w, &p);
    return w->stacks;
}

void samples_put(sample_writer *w, const sample *s, uint64_t ns)
{
    if (w->chunk != w->out->chunk)
        begin_chunk(w);
    uint64_t stack = stack_iid(w, s);
    for (uint32_t i = 0; i < s->periods; i++) {
        packet p;
        begin(w, &p);
        p.at = put_number(p.at, SCHEMA_PACKET_TIMESTAMP, ns);
        uint8_t *body = open_field(p.at, SCHEMA_PACKET_PERF_SAMPLE, 1);
        p.at = put_number(body, SCHEMA_PERF_PID, w->out->pid);
        p.at = put_number(p.at, SCHEMA_PERF_TID, (uint32_t)s->tid);
        p.at = put_number(p.at, SCHEMA_PERF_CALLSTACK, stack);
        p.at = put_number(p.at, SCHEMA_PERF_CPU_MODE, SCHEMA_CPU_MODE_USER);
        close_field(body, p.at, 1);
        finish(w, &p);
    }
    w->count += s->periods;
}

/* --- from the sampler --- */

static void put_sample(void *writer, const sample *s)
{
    sample_writer *w = writer;
    uint64_t ns = w->to_ns(s->tick);
    samples_put(w, s, ns);
    if (w->seen)
        w->seen(NULL, s, ns);
}

void samples_write(sample_writer *w, uint64_t horizon_tick, uint64_t ns)
{
    w->hz = w->from->hz();
    if (!w->hz)
        return;
    w->from->drain(horizon_tick, put_sample, w);
    if (ns < w->looked_ns + atomic_load(&samples_look_every_ns))
        return;
    w->looked_ns = ns;
    w->from->look_for_threads(horizon_tick, put_sample, w);
}
