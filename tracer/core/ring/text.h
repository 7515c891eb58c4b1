/* UTF-8 text as traces show it: cut to a limit, without control characters. */
#ifndef TRACER_TEXT_H
#define TRACER_TEXT_H

#include <stddef.h>
#include <string.h>

#define TEXT_UNNAMED "(empty)"

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

/* Of what snprintf() has put into a buffer of that size: without half a character at its end. */
static inline void text_mend(char *text, size_t size)
{
    if (strnlen(text, size) + 1 >= size)
        text[text_fit(text, size, size - 1)] = 0;
}

/* Two arguments, for "%.*s". */
#define TEXT_AT_MOST(limit, text) (int)text_fit(text, strnlen(text, (limit) + 1), limit), text

/* Copies as much of `text` as fits, and returns its length. Writes control characters as Python does: \n, \x1b.
 * All text of the program passes here (but the writer's, which has passed already). */
size_t text_escape(char *out, size_t room, const char *text, size_t length);
/* Whether text_escape() would change it. */
int text_needs_escape(const char *text, size_t length);
/* The same for a name, which is never shown as nothing. */
size_t text_shown(char *out, size_t room, const char *name, size_t length);
/* Whether a list of words with commas between them has the word. */
int text_has_word(const char *list, const char *word);
/* Names a function that has no name: "<app.py:5>". */
size_t text_place(char *out, size_t room, const char *file, size_t length, int line);

#endif
