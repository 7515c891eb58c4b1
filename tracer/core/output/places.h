/* Where the program's threads were lately, for whoever is to be told of a slow moment: from CPU samples, and from long
 * calls and steps that have ended.
 *
 * Belongs to the writer. A line is `path:line function`; the program's own counts before those of installed packages,
 * and these before the standard library's. Whoever runs a loop is not where its steps are. */
#ifndef TRACER_PLACES_H
#define TRACER_PLACES_H

#include <stddef.h>
#include <stdint.h>

#include "packets/event.h"
#include "ring/sources.h"

enum { PLACE_TEXT = 512, SPANS = 16 };

/* A call, a step or a wait for the GIL that has ended, and what it was: its line, its name, or who had it. */
typedef struct {
    const track *on;
    uint64_t ns, end_ns;
    uint32_t of; /* the task whose step it was, or the thread that had the GIL; 0: none's */
    char text[PLACE_TEXT];
} long_span;

typedef struct {
    long_span list[SPANS]; /* a ring */
    uint32_t count;
} long_spans;

/* Its text is still to be filled in. */
long_span *spans_add(long_spans *of, const track *on, uint64_t ns, uint64_t end_ns);
/* The one of that track that took more than half of a time; NULL: there is none. */
const long_span *spans_most_of(const long_spans *of, const track *on, uint64_t since_ns, uint64_t until_ns);

/* The folder of the standard library, with its `/`. */
void places_library(const char *path);
/* Forgets all samples. */
void places_begin(void);
void places_sampled(void *unused, const sample *one, uint64_t ns);
/* Where a thread computed most in that time; "" if that is not known. */
void places_of(uint32_t tid, uint64_t since_ns, uint64_t until_ns, char *to, size_t size);
/* Of a stack, the innermost first, the line that counts. */
void places_in_stack(const char *stack, size_t length, char *to, size_t size);

#endif
