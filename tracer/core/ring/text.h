/* Cutting UTF-8 text to a limit. */
#ifndef TRACER_TEXT_H
#define TRACER_TEXT_H

#include <stddef.h>

/* Bytes of `text` that fit into `limit` without cutting a character in two. Reads no byte at or
 * behind `limit`, so it also serves what snprintf has cut. */
static inline size_t text_fit(const char *text, size_t length, size_t limit)
{
    if (length <= limit)
        return length;
    size_t lead = limit;
    while (lead && ((unsigned char)text[lead - 1] & 0xc0) == 0x80)
        lead--;
    if (!lead)
        return 0;
    unsigned char first = (unsigned char)text[--lead];
    size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    return lead + size <= limit ? limit : lead;
}

#endif
