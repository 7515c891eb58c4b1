/* Strings and functions as small integers that stay valid for the life of the process.
 *
 * Adding needs the GIL (or, free-threaded, takes the lock inside); reading by id needs no lock, so the
 * writer thread can do it. Only names from source code are interned, because their number is finite. Text
 * that is data (task names) travels through the ring instead. */
#ifndef TRACER_INTERN_H
#define TRACER_INTERN_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t name; /* string id: qualified name */
    uint32_t site; /* string id: "file:line function", 0 = unknown */
} intern_func;

/* Returns an id >= 1, the same for equal bytes; 0 if memory is short. Escapes the text (ring/text.h). */
uint32_t intern_string(const char *text, size_t length);
/* The same for lines made of such strings, whose ends stay. */
uint32_t intern_lines(const char *text, size_t length);
uint32_t intern_function(uint32_t name, uint32_t site);

/* Any thread. id 0 gives "" / {0, 0}. */
const char *intern_text(uint32_t id, size_t *length);
intern_func intern_function_of(uint32_t id);
uint32_t intern_count(void); /* ids below this are valid strings */

#endif
