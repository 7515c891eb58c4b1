/* Names and lines, read straight from code objects without the GIL.
 *
 * Only what never changes while a code object lives is read: names, first line, line table. The code
 * object cannot die meanwhile: the watcher in codes.c first calls symbols_code_dies(), which waits for the
 * guard and resolves what samples still need. */
#include "sampler/symbols.h"

#include <pthread.h>
#include <stdio.h>

#include "ring/intern.h"
#include "ring/map.h"
#include "ring/memory.h"
#include "ring/text.h"
#include "sampler/rings.h"

enum { LINES = 8, SURROGATE_BYTES = 6, TEXT_LIMIT = 500 };

typedef struct {
    uint32_t function, path, first_line;
    struct {
        uint32_t offset_and_one, line;
    } lines[LINES]; /* a cache of the last ones looked up */
} code_symbols;

static map by_code; /* address -> code_symbols* */
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

void symbols_lock(void)
{
    pthread_mutex_lock(&guard);
}

void symbols_unlock(void)
{
    pthread_mutex_unlock(&guard);
}

void symbols_reset(void)
{
    pthread_mutex_init(&guard, NULL);
}

void symbols_forget(void)
{
    for (uint32_t i = 0; by_code.slots && i <= by_code.mask; i++)
        if (by_code.slots[i].key)
            memory_give((void *)(uintptr_t)by_code.slots[i].value, sizeof(code_symbols));
    map_free(&by_code);
}

static char *put_utf8(char *p, Py_UCS4 c)
{
    if (c < 0x80) {
        *p++ = (char)c;
    } else if (c < 0x800) {
        *p++ = (char)(0xc0 | c >> 6);
        *p++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *p++ = (char)(0xe0 | c >> 12);
        *p++ = (char)(0x80 | (c >> 6 & 0x3f));
        *p++ = (char)(0x80 | (c & 0x3f));
    } else {
        *p++ = (char)(0xf0 | c >> 18);
        *p++ = (char)(0x80 | (c >> 12 & 0x3f));
        *p++ = (char)(0x80 | (c >> 6 & 0x3f));
        *p++ = (char)(0x80 | (c & 0x3f));
    }
    return p;
}

/* PyUnicode_AsUTF8 would keep what it makes in the object, which needs the GIL. */
static uint32_t text_of(PyObject *text)
{
    Py_ssize_t length = text && PyUnicode_Check(text) ? PyUnicode_GET_LENGTH(text) : 0;
    if (!length)
        return 0;
    if (PyUnicode_IS_COMPACT_ASCII(text)) {
        const char *bytes = (const char *)PyUnicode_DATA(text);
        return intern_string(bytes, text_fit(bytes, (size_t)length, TEXT_LIMIT));
    }
    char bytes[TEXT_LIMIT + SURROGATE_BYTES + 1], *p = bytes;
    int kind = PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    for (Py_ssize_t i = 0; i < length && p < bytes + TEXT_LIMIT; i++) {
        Py_UCS4 c = PyUnicode_READ(kind, data, i);
        if (c >= 0xd800 && c < 0xe000) /* half a pair has no UTF-8 */
            p += snprintf(p, SURROGATE_BYTES + 1, "\\u%04x", (unsigned)c);
        else
            p = put_utf8(p, c);
    }
    return intern_string(bytes, text_fit(bytes, (size_t)(p - bytes), TEXT_LIMIT));
}

/* --- the line table: each entry advances by some code units and some lines --- */

static const uint8_t *read_varint(const uint8_t *p, const uint8_t *end, uint32_t *value)
{
    uint32_t result = 0, shift = 0, byte = 0x40;
    while (p < end && byte & 0x40) {
        byte = *p++;
        if (shift < 30)
            result |= (byte & 0x3f) << shift;
        shift += 6;
    }
    *value = result;
    return p;
}

static uint32_t line_at(const PyCodeObject *code, uint32_t offset)
{
    enum { NO_LINE = 15, LONG = 14, NO_COLUMNS = 13, ONE_LINE_0 = 10, ONE_LINE_2 = 12 };
    const uint8_t *p = (const uint8_t *)PyBytes_AS_STRING(code->co_linetable);
    const uint8_t *end = p + PyBytes_GET_SIZE(code->co_linetable);
    int64_t line = code->co_firstlineno;
    uint32_t at = 0;
    while (p < end) {
        uint32_t kind = *p >> 3 & 15, units = (*p & 7u) + 1, step;
        p++;
        if (kind == LONG || kind == NO_COLUMNS) {
            p = read_varint(p, end, &step);
            line += step & 1 ? -(int64_t)(step >> 1) : (int64_t)(step >> 1);
        } else if (kind >= ONE_LINE_0 && kind <= ONE_LINE_2) {
            line += kind - ONE_LINE_0;
        }
        at += units * (uint32_t)sizeof(_Py_CODEUNIT);
        if (offset < at)
            return kind == NO_LINE || line < 0 ? 0 : (uint32_t)line;
        while (p < end && !(*p & 0x80)) /* columns */
            p++;
    }
    return 0;
}

static code_symbols *symbols_of(PyCodeObject *code)
{
    uint64_t *known = map_put(&by_code, (uint64_t)(uintptr_t)code);
    if (!known || *known)
        return known ? (code_symbols *)(uintptr_t)*known : NULL;
    code_symbols *made = memory_take(sizeof *made);
    if (!made) {
        map_remove(&by_code, (uint64_t)(uintptr_t)code);
        return NULL;
    }
    made->path = text_of(code->co_filename);
    made->function = text_of(PyUnicode_GET_LENGTH(code->co_qualname) ? code->co_qualname : code->co_name);
    if (!made->function) {
        char place[TEXT_LIMIT];
        size_t length;
        const char *path = intern_text(made->path, &length);
        made->function = intern_string(place, text_place(place, sizeof place, path, length, code->co_firstlineno));
    }
    made->first_line = code->co_firstlineno > 0 ? (uint32_t)code->co_firstlineno : 0;
    *known = (uint64_t)(uintptr_t)made;
    return made;
}

static uint32_t line_of(code_symbols *known, PyCodeObject *code, uint64_t offset)
{
    uint64_t size = (uint64_t)Py_SIZE(code) * sizeof(_Py_CODEUNIT);
    if (offset >= size) /* before its first instruction */
        return known->first_line;
    unsigned place = (unsigned)(offset / sizeof(_Py_CODEUNIT)) % LINES;
    if (known->lines[place].offset_and_one != offset + 1) {
        known->lines[place].offset_and_one = (uint32_t)offset + 1;
        known->lines[place].line = line_at(code, (uint32_t)offset);
    }
    uint32_t line = known->lines[place].line;
    return line ? line : known->first_line;
}

sample_place symbols_place(uint64_t code, uint64_t offset)
{
    if (code & 1) /* resolved as its code died */
        return (sample_place){(uint32_t)(offset >> 32), (uint32_t)(code >> 1), (uint32_t)offset};
    if (compat_is_finalizing()) /* code objects are not watched any more */
        return (sample_place){0, 0, 0};
    PyCodeObject *object = (PyCodeObject *)(uintptr_t)code;
    code_symbols *known = symbols_of(object);
    if (!known)
        return (sample_place){0, 0, 0};
    return (sample_place){known->function, known->path, line_of(known, object, offset)};
}

int symbols_is_hidden(uint64_t code)
{
    return !(code & 1) && !compat_is_finalizing() && compat_is_shim((PyCodeObject *)(uintptr_t)code);
}

static void resolve(uint64_t frame[2])
{
    sample_place place = symbols_place(frame[0], frame[1]);
    frame[0] = (uint64_t)place.path << 1 | 1;
    frame[1] = (uint64_t)place.function << 32 | place.line;
}

/* Called with the GIL. Another code object may get this address in a moment. */
void symbols_code_dies(PyCodeObject *code)
{
    if (!sampler_has_met(code))
        return;
    uint64_t key = (uint64_t)(uintptr_t)code;
    symbols_lock();
    sampler_replace(key, resolve);
    uint64_t *known = map_find(&by_code, key);
    if (known) {
        memory_give((void *)(uintptr_t)*known, sizeof(code_symbols));
        map_remove(&by_code, key);
    }
    sampler_forget_codes();
    symbols_unlock();
}
