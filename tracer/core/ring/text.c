/* Escapes for characters that would break a line, a terminal or a C string. */
#include "ring/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "ring/hot.h"

enum { ESCAPE_BYTES = 8 };

/* How many bytes at the beginning of `text` are one character to escape; 0: none. These are the control
 * characters, the separators of lines, and what turns the direction of the text around it. */
static size_t escaped_at(const char *text, size_t length, unsigned *which)
{
    const unsigned char *at = (const unsigned char *)text;
    *which = at[0];
    if (at[0] < 0x20 || at[0] == 0x7f)
        return 1;
    if (at[0] == 0xc2 && length > 1 && at[1] < 0xa0) { /* U+0080 to U+009F */
        *which = at[1];
        return 2;
    }
    if (at[0] != 0xe2 || length < 3 || (at[1] & 0xfe) != 0x80)
        return 0;
    *which = 0x2000u | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
    return (*which >= 0x2028 && *which <= 0x202e) || (*which >= 0x2066 && *which <= 0x2069) ? 3 : 0;
}

/* Length of the part in front that is printable ASCII. It looks at eight bytes at a time: hot paths ask. */
static size_t plain_prefix(const char *text, size_t length)
{
    const uint64_t ones = 0x0101010101010101ull;
    size_t i = 0;
    for (uint64_t word; i + sizeof word <= length; i += sizeof word) {
        memcpy(&word, text + i, sizeof word);
        /* The top bit of a byte gets set if it is above 0x7f, below 0x20, or 0x7f. */
        if ((word | (word - ones * 0x20) | (word + ones)) & ones * 0x80)
            break;
    }
    while (i < length && (unsigned char)text[i] >= 0x20 && (unsigned char)text[i] < 0x7f)
        i++;
    return i;
}

HOT int text_needs_escape(const char *text, size_t length)
{
    unsigned which;
    for (size_t i = plain_prefix(text, length); i < length; i++)
        if (escaped_at(text + i, length - i, &which))
            return 1;
    return 0;
}

static size_t put_escape(char *out, unsigned which)
{
    switch (which) {
    case '\t': return (size_t)snprintf(out, ESCAPE_BYTES, "\\t");
    case '\n': return (size_t)snprintf(out, ESCAPE_BYTES, "\\n");
    case '\r': return (size_t)snprintf(out, ESCAPE_BYTES, "\\r");
    default: return (size_t)snprintf(out, ESCAPE_BYTES, which < 0x100 ? "\\x%02x" : "\\u%04x", which);
    }
}

size_t text_escape(char *out, size_t room, const char *text, size_t length)
{
    size_t plain = plain_prefix(text, length), used = plain < room ? plain : room, i = used;
    memcpy(out, text, used);
    while (i < length) {
        char escape[ESCAPE_BYTES];
        unsigned which;
        size_t size = escaped_at(text + i, length - i, &which);
        size_t wanted = size ? put_escape(escape, which) : 1;
        if (wanted > room - used)
            return text_fit(out, used + 1, used); /* no half character at the end */
        memcpy(out + used, size ? escape : text + i, wanted);
        used += wanted;
        i += size ? size : 1;
    }
    return used;
}

size_t text_shown(char *out, size_t room, const char *name, size_t length)
{
    return length ? text_escape(out, room, name, length)
                  : text_escape(out, room, TEXT_UNNAMED, sizeof TEXT_UNNAMED - 1);
}

size_t text_place(char *out, size_t room, const char *file, size_t length, int line)
{
    size_t from = length;
    while (from && file[from - 1] != '/')
        from--;
    int size = snprintf(out, room, "<%.*s:%d>", (int)(length - from), file + from, line);
    return text_fit(out, (size_t)size, room - 1);
}

int text_has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += length)
        if ((at == list || at[-1] == ',') && (!at[length] || at[length] == ','))
            return 1;
    return 0;
}
