/* Speed-up of texts.py, the Python twin: searches through all texts of a trace. */
#include "columns.h"
#include "strings.h"

static inline int is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static int add_line(Column *out, Pool *known, Span line)
{
    uint8_t *start = (uint8_t *)out->data + out->used, *end = start;
    for (; line.at < line.end; line.at++) {
        *end = *line.at;
        end += !is_digit(*line.at);
    }
    Py_ssize_t count = known->count;
    Py_ssize_t i = pool_add(known, (Span){start, end}, 0);
    if (i == count) { /* else the next line is written over it */
        *end++ = '\n';
        out->used += end - start;
    }
    return i < 0 ? -1 : 0;
}

/* lines(texts): the lines of all, without digits, each once */
PyObject *lines(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    Strings *s = nargs == 1 ? strings_get(module, args[0]) : NULL;
    Column out = {0};
    Pool known = {0};
    PyObject *result = NULL;
    Py_ssize_t room = 0;
    for (Py_ssize_t i = 0; s && i < s->pool.count; i++) {
        room += s->pool.items[i].end - s->pool.items[i].at + 1;
    }
    if (!s || column_reserve(&out, room + 1) < 0) { /* at once: the pool knows places in it */
        goto done;
    }
    for (Py_ssize_t i = 0; i < s->pool.count; i++) {
        Span own = s->pool.items[i];
        if (s->rests[i].bytes && own.at == own.end) {
            continue; /* the one before has all its lines */
        }
        own.end -= s->rests[i].bytes > 0; /* the rest begins behind an end of line */
        const uint8_t *end;
        for (; (end = memchr(own.at, '\n', (size_t)(own.end - own.at))); own.at = end + 1) {
            if (add_line(&out, &known, (Span){own.at, end}) < 0) {
                goto done;
            }
        }
        if (add_line(&out, &known, own) < 0) {
            goto done;
        }
    }
    result = PyBytes_FromStringAndSize(out.data, out.used ? out.used - 1 : 0);
done:
    free_columns(&out, 1);
    PyMem_RawFree(known.slots.all);
    PyMem_RawFree(known.items);
    PyMem_RawFree(known.last);
    return result;
}

/* beginning(texts, numbers, prefix): those of the numbered texts that begin so */
PyObject *beginning(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    Inputs in = {0};
    Column out[1] = {0};
    PyObject *result = NULL;
    if (nargs != 3 || !PyUnicode_Check(args[2])) {
        PyErr_SetString(PyExc_TypeError, "texts of a trace, numbers, and a text, please");
        return NULL;
    }
    Py_ssize_t bytes;
    const uint8_t *prefix = (const uint8_t *)PyUnicode_AsUTF8AndSize(args[2], &bytes);
    Strings *s = prefix ? strings_get(module, args[0]) : NULL;
    if (!s || inputs_get(&in, args + 1, 1, "i") < 0
        || check_range(in.view[0].buf, in.length[0], 0, s->pool.count) < 0) {
        goto done;
    }
    const int32_t *numbers = in.view[0].buf;
    for (Py_ssize_t i = 0; i < in.length[0]; i++) {
        if (text_begins(s, numbers[i], (Span){prefix, prefix + bytes})
            && push_i32(&out[0], numbers[i]) < 0) {
            goto done;
        }
    }
    result = column_view(&out[0], "i");
done:
    free_columns(out, 1);
    inputs_free(&in);
    return result;
}

static int contains(Span text, const char *part)
{
    size_t bytes = strlen(part);
    for (; text.at < text.end && (text.at = memchr(text.at, *part, (size_t)(text.end - text.at)));
         text.at++) {
        if ((size_t)(text.end - text.at) >= bytes && !memcmp(text.at, part, bytes)) {
            return 1;
        }
    }
    return 0;
}

/* Whether it is `file:line function`, and cannot be a library's: as most are. */
static int is_own_site(Span frame)
{
    if (frame.at == frame.end || *frame.at != '/' || contains(frame, "/lib")
        || contains(frame, "-packages/")) {
        return 0;
    }
    const uint8_t *at = frame.at + 1;
    while (at < frame.end && (at = memchr(at, ':', (size_t)(frame.end - at)))) {
        const uint8_t *digit = ++at;
        digit += digit < frame.end && *digit == '-';
        const uint8_t *end = digit;
        while (end < frame.end && is_digit(*end)) {
            end++;
        }
        if (end > digit && frame.end - end >= 2 && *end == ' ') {
            return 1;
        }
    }
    return 0;
}

/* The bytes of a stack's first line, of which `out` gets the first; -1: a text without lines. */
static Py_ssize_t first_line(const Strings *s, Py_ssize_t i, uint8_t *out, Py_ssize_t most)
{
    Reader reader = {i, 0, text_bytes(s, i)};
    Py_ssize_t bytes = 0;
    for (Span piece; (piece = next_piece(s, &reader)).at;) {
        const uint8_t *end = memchr(piece.at, '\n', (size_t)(piece.end - piece.at));
        Py_ssize_t more = (end ? end : piece.end) - piece.at, room = most - bytes;
        if (room > 0) {
            memcpy(out + bytes, piece.at, (size_t)(more < room ? more : room));
        }
        bytes += more;
        if (end) {
            return bytes;
        }
    }
    return -1;
}

enum { LONGEST_FRAME = 1024 };

/* calling(texts): the stacks whose innermost frame may be a library's */
PyObject *calling(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    Strings *s = nargs == 1 ? strings_get(module, args[0]) : NULL;
    Column out[1] = {0};
    PyObject *result = NULL;
    uint8_t line[LONGEST_FRAME];
    for (Py_ssize_t i = 0; s && i < s->pool.count; i++) {
        Py_ssize_t bytes = first_line(s, i, line, LONGEST_FRAME);
        int is_own = bytes >= 0 && bytes <= LONGEST_FRAME && is_own_site((Span){line, line + bytes});
        if (bytes >= 0 && !is_own && push_i32(&out[0], (int32_t)i) < 0) {
            goto done;
        }
    }
    result = s ? column_view(&out[0], "i") : NULL;
done:
    free_columns(out, 1);
    return result;
}
