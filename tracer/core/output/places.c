/* Where threads were lately: the last samples, and the last long calls and steps. */
#define _GNU_SOURCE
#include "output/places.h"

#include <stdio.h>
#include <string.h>

#include "ring/intern.h"
#include "ring/text.h"

enum { SAMPLES = 512, LEAST_SAMPLES = 2 }; /* of fewer it is unknown where the time went */
enum { KNOWN = 1024 };
enum whose { THE_PROGRAM, A_PACKAGE, THE_LIBRARY };

/* What calls the steps of a loop: its callers are no part of a step. As in flight_recorder/rings.py. */
static const char *const runners[] = {"Handle._run", "BaseEventLoop.run_forever", "Runner.run", "unrolled_run"};

typedef struct {
    uint64_t ns;
    uint32_t tid;
    sample_place place;
} kept_sample;

static char library[PLACE_TEXT];
static kept_sample samples[SAMPLES]; /* a ring */
static uint32_t sample_count;
/* Found once: a sample has dozens of frames, and the same ones come again. String id << 2 | what it is; 0: none. */
static uint32_t known_paths[KNOWN], known_functions[KNOWN];

long_span *spans_add(long_spans *of, const track *on, uint64_t ns, uint64_t end_ns)
{
    long_span *span = &of->list[of->count++ % SPANS];
    *span = (long_span){.on = on, .ns = ns, .end_ns = end_ns};
    return span;
}

const long_span *spans_most_of(const long_spans *of, const track *on, uint64_t since_ns, uint64_t until_ns)
{
    for (uint32_t i = 0; on && i < SPANS; i++) {
        const long_span *span = &of->list[i];
        uint64_t from_ns = span->ns > since_ns ? span->ns : since_ns;
        uint64_t to_ns = span->end_ns < until_ns ? span->end_ns : until_ns;
        if (span->on == on && to_ns > from_ns && (to_ns - from_ns) * 2 > until_ns - since_ns)
            return span;
    }
    return NULL;
}

void places_library(const char *path)
{
    snprintf(library, sizeof library, "%s", path);
    memset(known_paths, 0, sizeof known_paths);
}

static enum whose whose_is(const char *path, size_t length)
{
    static const char packages[] = "-packages/", frozen[] = "<frozen";
    size_t own = strlen(library);
    if (memmem(path, length, packages, sizeof packages - 1))
        return A_PACKAGE;
    int is_library = own && length > own && !memcmp(path, library, own);
    return is_library || (length > sizeof frozen && !memcmp(path, frozen, sizeof frozen - 1)) ? THE_LIBRARY : THE_PROGRAM;
}

static int runs_loop(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof runners / sizeof *runners; i++)
        if (length == strlen(runners[i]) && !memcmp(name, runners[i], length))
            return 1;
    return 0;
}

static enum whose whose_path(uint32_t path)
{
    uint32_t *known = &known_paths[path % KNOWN];
    if (!path)
        return THE_LIBRARY;
    if (*known >> 2 != path) {
        size_t length;
        const char *text = intern_text(path, &length);
        *known = path << 2 | whose_is(text, length);
    }
    return *known & 3;
}

static int function_runs_loop(uint32_t function)
{
    uint32_t *known = &known_functions[function % KNOWN];
    if (!function)
        return 0;
    if (*known >> 2 != function) {
        size_t length;
        const char *name = intern_text(function, &length);
        *known = function << 2 | (uint32_t)runs_loop(name, length);
    }
    return *known & 3;
}

void places_in_stack(const char *stack, size_t length, char *to, size_t size)
{
    enum whose best = THE_LIBRARY + 1;
    to[0] = 0;
    for (const char *at = stack, *end = stack + length; at < end && best != THE_PROGRAM;) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        size_t own = (size_t)((next ? next : end) - at);
        const char *name = memrchr(at, ' ', own);
        enum whose whose = whose_is(at, own);
        if (whose < best) {
            best = whose;
            snprintf(to, size, "%.*s", (int)text_fit(at, own, size - 1), at);
        }
        if (name && runs_loop(name + 1, own - (size_t)(name + 1 - at)))
            return;
        at += own + 1;
    }
}

void places_begin(void)
{
    sample_count = 0;
    memset(known_paths, 0, sizeof known_paths);
    memset(known_functions, 0, sizeof known_functions);
}

void places_sampled(void *unused, const sample *one, uint64_t ns)
{
    (void)unused;
    enum whose best = THE_LIBRARY + 1;
    kept_sample kept = {.ns = ns, .tid = (uint32_t)one->tid};
    for (uint32_t i = 0; i < one->count && best != THE_PROGRAM; i++) {
        enum whose whose = whose_path(one->places[i].path);
        if (whose < best) {
            best = whose;
            kept.place = one->places[i];
        }
        if (function_runs_loop(one->places[i].function))
            break;
    }
    if (kept.place.line)
        samples[sample_count++ % SAMPLES] = kept;
}

static uint32_t count_of(uint32_t tid, uint64_t since_ns, uint64_t until_ns, sample_place place, uint32_t line)
{
    uint32_t found = 0, kept = sample_count < SAMPLES ? sample_count : SAMPLES;
    for (uint32_t i = 0; i < kept; i++)
        found += samples[i].tid == tid && samples[i].ns >= since_ns && samples[i].ns <= until_ns &&
                 samples[i].place.path == place.path && samples[i].place.function == place.function &&
                 (!line || samples[i].place.line == line);
    return found;
}

/* The function first, then the line in it: a loop of ten lines is one place. */
void places_of(uint32_t tid, uint64_t since_ns, uint64_t until_ns, char *to, size_t size)
{
    uint32_t most = LEAST_SAMPLES - 1, most_at_line = 0, kept = sample_count < SAMPLES ? sample_count : SAMPLES;
    sample_place place = {0};
    to[0] = 0;
    for (uint32_t i = 0; i < kept; i++) {
        const kept_sample *each = &samples[i];
        if (each->tid != tid || each->ns < since_ns || each->ns > until_ns)
            continue;
        uint32_t in_function = count_of(tid, since_ns, until_ns, each->place, 0);
        uint32_t at_line = count_of(tid, since_ns, until_ns, each->place, each->place.line);
        if (in_function > most || (in_function == most && at_line > most_at_line && most_at_line)) {
            most = in_function, most_at_line = at_line;
            place = each->place;
        }
    }
    if (!place.line)
        return;
    size_t path_length, name_length;
    const char *path = intern_text(place.path, &path_length), *name = intern_text(place.function, &name_length);
    snprintf(to, size, "%.*s:%u %.*s", (int)path_length, path, place.line, (int)name_length, name);
    text_mend(to, size);
}
