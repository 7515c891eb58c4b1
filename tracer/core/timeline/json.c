/* JSON text that grows as it is written. */
#include "timeline/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring/intern.h"

static int has_room(json_text *text, size_t more)
{
    if (text->failed)
        return 0;
    if (text->capacity - text->length > more)
        return 1;
    size_t capacity = (text->capacity + more) * 2 + 256;
    char *grown = realloc(text->bytes, capacity);
    if (!grown) {
        text->failed = 1;
        return 0;
    }
    text->bytes = grown;
    text->capacity = capacity;
    return 1;
}

void json_put(json_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0 || !has_room(text, (size_t)length))
        return;
    va_start(arguments, format);
    vsnprintf(text->bytes + text->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->length += (size_t)length;
}

void json_string(json_text *text, const char *string, size_t length)
{
    enum { LONGEST_ESCAPE = 6 }; /* \u001b */
    if (!has_room(text, length * LONGEST_ESCAPE + 2))
        return;
    char *at = text->bytes + text->length;
    *at++ = '"';
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)string[i];
        if (c < ' ') {
            at += snprintf(at, LONGEST_ESCAPE + 1, "\\u%04x", c);
            continue;
        }
        if (c == '"' || c == '\\')
            *at++ = '\\';
        *at++ = (char)c;
    }
    *at++ = '"';
    text->length = (size_t)(at - text->bytes);
}

void json_interned(json_text *text, uint32_t id)
{
    size_t length;
    const char *string = intern_text(id, &length);
    json_string(text, string, length);
}

void json_free(json_text *text)
{
    free(text->bytes);
    *text = (json_text){0};
}
