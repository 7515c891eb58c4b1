/* Names and arguments of the program's own events: Python objects in, bytes of a record out. */
#include "signals/user/values.h"

#include <string.h>

#include "python/utf8.h"
#include "ring/intern.h"
#include "ring/text.h"

enum { NAMES = 4096 }; /* distinct ones that are interned; later ones travel as text */

static PyObject *names; /* str -> string id */

static void put(user_payload *p, const void *bytes, size_t length)
{
    memcpy(p->bytes + p->length, bytes, length);
    p->length += length;
}

static void put_number(user_payload *p, uint64_t value, size_t size)
{
    put(p, &value, size); /* little-endian, as wire.h */
}

/* Returns how much it has written. */
static size_t put_shown(char *out, size_t room, PyObject *text)
{
    Py_ssize_t length;
    PyObject *owned;
    const char *bytes = utf8_of(text, &length, &owned);
    size_t shown = text_escape(out, room, bytes, (size_t)length);
    Py_XDECREF(owned);
    return shown;
}

static void put_text(user_payload *p, PyObject *text)
{
    size_t shown = put_shown(p->bytes + p->length + 2, USER_TEXT_BYTES, text); /* behind its length */
    put_number(p, shown, 2);
    p->length += shown;
}

void user_drop_error(void)
{
    if (PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_Exception))
        PyErr_Clear();
}

/* Any other value is recorded as its str(), which may run the program's code. */
static PyObject *shown(PyObject *value)
{
    PyObject *text = PyUnicode_Check(value) ? Py_NewRef(value) : PyObject_Str(value);
    user_drop_error();
    if (text || PyErr_Occurred())
        return text;
    text = PyUnicode_FromFormat("<%s>", Py_TYPE(value)->tp_name);
    PyErr_Clear();
    return text;
}

static void put_argument(user_payload *p, PyObject *label, PyObject *value)
{
    size_t most = (size_t)USER_LABEL_BYTES + USER_TEXT_BYTES + 16; /* and the end mark of the payload */
    int has_room = p->arguments < USER_ARGS && p->length + most <= USER_BYTES;
    /* Behind the type and the length, which follow. */
    size_t length = has_room ? put_shown(p->bytes + p->length + 2, USER_LABEL_BYTES + 1, label) : 0;
    if (!length || length > USER_LABEL_BYTES) {
        p->omitted++;
        return;
    }
    int overflow = 0;
    uint64_t number = 0;
    enum user_arg_type type = USER_TEXT;
    if (PyBool_Check(value)) {
        type = USER_BOOL;
        number = value == Py_True;
    } else if (PyLong_CheckExact(value)) {
        number = (uint64_t)PyLong_AsLongLongAndOverflow(value, &overflow);
        type = overflow ? USER_TEXT : USER_INT;
    } else if (PyFloat_CheckExact(value)) {
        double as_double = PyFloat_AS_DOUBLE(value);
        memcpy(&number, &as_double, sizeof number);
        type = USER_DOUBLE;
    }
    PyObject *text = type == USER_TEXT ? shown(value) : NULL;
    if (type == USER_TEXT && !text) {
        p->omitted++;
        return;
    }
    p->arguments++;
    put_number(p, type, 1);
    put_number(p, length, 1);
    p->length += length;
    if (text)
        put_text(p, text);
    else
        put_number(p, number, 8);
    Py_XDECREF(text);
}

int user_fill(user_payload *p, uint64_t operation, PyObject *name, PyObject *labels, PyObject *const *values)
{
    p->length = p->arguments = 0;
    p->omitted = 0;
    if (!operation && !name && !labels)
        return 0;
    put_number(p, operation, 8);
    if (name)
        put_text(p, name);
    for (Py_ssize_t i = 0; labels && i < PyTuple_GET_SIZE(labels); i++) {
        put_argument(p, PyTuple_GET_ITEM(labels, i), values[i]);
        if (PyErr_Occurred())
            return -1;
    }
    if (p->omitted) {
        put_number(p, USER_OMITTED, 1);
        put_number(p, p->omitted, 8);
    }
    put_number(p, USER_END, 1);
    return 0;
}

int user_values_start(void)
{
    return names || (names = PyDict_New()) ? 0 : -1;
}

uint32_t user_name_id(PyObject *name)
{
    PyObject *known = PyDict_GetItemWithError(names, name);
    if (known)
        return (uint32_t)PyLong_AsUnsignedLong(known);
    PyErr_Clear();
    if (PyDict_GET_SIZE(names) >= NAMES)
        return 0;
    Py_ssize_t length;
    PyObject *owned;
    const char *bytes = utf8_of(name, &length, &owned);
    char shown[USER_TEXT_BYTES];
    uint32_t id = intern_string(shown, text_shown(shown, sizeof shown, bytes, (size_t)length));
    Py_XDECREF(owned);
    PyObject *number = id ? PyLong_FromUnsignedLong(id) : NULL;
    if (number)
        PyDict_SetItem(names, name, number);
    Py_XDECREF(number);
    PyErr_Clear();
    return id;
}
