/* Texts: those of a pool as strings of Python; which lines a search must look at. */
#include "columns.h"
#include "texts.h"

enum { BLOCK = 64, SHORT = 16 };

static inline uint8_t is_odd(uint8_t byte)
{
    return (uint8_t)(((uint8_t)(byte - ' ') > '~' - ' ') & (byte != '\n'));
}

/* Blocks of one length become vector instructions: stacks may be hundreds of megabytes. */
static int may_be_shown(Span s)
{
    uint8_t odd = 0;
    for (; s.end - s.at >= BLOCK && !odd; s.at += BLOCK) {
        for (int i = 0; i < BLOCK; i++) {
            odd |= is_odd(s.at[i]);
        }
    }
    for (; s.at < s.end && !odd; s.at++) {
        odd = is_odd(*s.at);
    }
    return !odd;
}

/* What is known to be ASCII is copied; Python shares the shortest texts. */
static PyObject *text_of(Span s, int is_ascii)
{
    Py_ssize_t size = s.end - s.at;
    if (!is_ascii || size < SHORT) {
        return PyUnicode_DecodeUTF8((const char *)s.at, size, "replace");
    }
    PyObject *text = PyUnicode_New(size, '~');
    if (text) {
        memcpy(PyUnicode_1BYTE_DATA(text), s.at, (size_t)size);
    }
    return text;
}

PyObject *string_list(const Pool *pool, int *is_plain)
{
    PyObject *list = PyList_New(pool->count);
    *is_plain = 1;
    for (Py_ssize_t i = 0; list && i < pool->count; i++) {
        int plain = may_be_shown(pool->items[i]);
        PyObject *text = text_of(pool->items[i], plain);
        if (!text) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, text);
        *is_plain &= plain;
    }
    return list;
}

static inline Py_UCS4 unit(PyObject *text, Py_ssize_t at)
{
    return PyUnicode_READ(PyUnicode_KIND(text), PyUnicode_DATA(text), at);
}

/* How many characters two texts have in common at their ends. */
static Py_ssize_t alike_at_end(PyObject *one, PyObject *other)
{
    Py_ssize_t n = PyUnicode_GET_LENGTH(one), m = PyUnicode_GET_LENGTH(other), found = 0;
    Py_ssize_t most = n < m ? n : m;
    if (PyUnicode_KIND(one) == PyUnicode_1BYTE_KIND && PyUnicode_KIND(other) == PyUnicode_1BYTE_KIND) {
        const Py_UCS1 *a = PyUnicode_1BYTE_DATA(one) + n, *b = PyUnicode_1BYTE_DATA(other) + m;
        while (most - found >= BLOCK && !memcmp(a - found - BLOCK, b - found - BLOCK, BLOCK)) {
            found += BLOCK;
        }
    }
    while (found < most && unit(one, n - found - 1) == unit(other, m - found - 1)) {
        found++;
    }
    return found;
}

/* Where the lines begin that the text and the one before have in common at their ends. */
static Py_ssize_t known_from(PyObject *text, PyObject *before)
{
    Py_ssize_t size = PyUnicode_GET_LENGTH(text), alike = alike_at_end(text, before);
    Py_ssize_t at = size - alike, other = PyUnicode_GET_LENGTH(before) - alike;
    int is_line = (!at || unit(text, at - 1) == '\n') && (!other || unit(before, other - 1) == '\n');
    if (is_line) {
        return at;
    }
    Py_ssize_t end = PyUnicode_FindChar(text, '\n', at, size, 1);
    return end < 0 ? size + 1 : end + 1;
}

PyObject *new_lines(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    if (nargs != 1 || !PyList_CheckExact(args[0])) {
        PyErr_SetString(PyExc_TypeError, "a list of texts, please");
        return NULL;
    }
    PyObject *texts = args[0], *found = PyList_New(0), *before = NULL;
    for (Py_ssize_t i = 0; found && i < PyList_GET_SIZE(texts); i++) {
        PyObject *text = PyList_GET_ITEM(texts, i);
        if (!PyUnicode_Check(text)) {
            PyErr_SetString(PyExc_TypeError, "a list of texts, please");
            Py_CLEAR(found);
            break;
        }
        Py_ssize_t size = PyUnicode_GET_LENGTH(text), from = size + 1;
        if (PyUnicode_FindChar(text, '\n', 0, size, 1) >= 0) {
            from = before ? known_from(text, before) : from;
            before = text;
        }
        if (from == 0) {
            continue;
        }
        PyObject *part = PyUnicode_Substring(text, 0, from - 1);
        if (!part || PyList_Append(found, part) < 0) {
            Py_CLEAR(found);
        }
        Py_XDECREF(part);
    }
    return found;
}

/* beginning(texts, numbers, prefix): those of the numbered texts that begin so */
PyObject *beginning(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    Column out[1] = {0};
    PyObject *result = NULL;
    if (nargs != 3 || !PyList_CheckExact(args[0]) || !PyUnicode_Check(args[2])) {
        PyErr_SetString(PyExc_TypeError, "a list of texts, numbers, and a text, please");
        return NULL;
    }
    PyObject *texts = args[0], *prefix = args[2];
    if (inputs_get(&in, args + 1, 1, "i") < 0
        || check_range(in.view[0].buf, in.length[0], 0, PyList_GET_SIZE(texts)) < 0) {
        goto done;
    }
    const int32_t *numbers = in.view[0].buf;
    for (Py_ssize_t i = 0; i < in.length[0]; i++) {
        Py_ssize_t begins = PyUnicode_Tailmatch(PyList_GET_ITEM(texts, numbers[i]), prefix, 0,
                                                PY_SSIZE_T_MAX, -1);
        if (begins < 0 || (begins && push_i32(&out[0], numbers[i]) < 0)) {
            goto done;
        }
    }
    result = column_view(&out[0], "i");
done:
    free_columns(out, 1);
    inputs_free(&in);
    return result;
}
