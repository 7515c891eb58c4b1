/* JSON text that grows as it is written. */
#ifndef TRACER_TIMELINE_JSON_H
#define TRACER_TIMELINE_JSON_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    char *bytes; /* NULL: nothing is written */
    size_t length, capacity;
    uint8_t failed; /* memory was short: the text is not whole */
} json_text;

/* As printf; names and numbers only, for it escapes nothing. */
__attribute__((format(printf, 2, 3))) void json_put(json_text *text, const char *format, ...);
/* A string with its quotes. */
void json_string(json_text *text, const char *string, size_t length);
void json_interned(json_text *text, uint32_t id);
void json_free(json_text *text);

#endif
