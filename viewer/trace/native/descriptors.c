/* Speed-up of descriptors.py, the Python twin: reads TrackDescriptors. */
#include "wire.h"

#define VARINT(field) ((uint64_t)(field) << 3)
#define BYTES(field) ((uint64_t)(field) << 3 | 2)

enum { UUID = 1, NAME = 2, PROCESS = 3, THREAD = 4, PARENT = 5 };
enum { PROCESS_PID = 1, CMDLINE = 2 };
enum { THREAD_PID = 1, TID = 2, THREAD_NAME = 5 };

typedef struct {
    uint64_t uuid, parent, process_pid, thread_pid, tid;
    Span name, thread_name;
    PyObject *cmdline; /* list, owned; NULL when there is none */
} Descriptor;

static PyObject *text(Span s)
{
    return PyUnicode_DecodeUTF8((const char *)s.at, s.end - s.at, "replace");
}

/* Returns 1 if well-formed, 0 if malformed, -1 with an exception set. */
static int read_process(Descriptor *d, Span s)
{
    uint64_t tag;
    Value v;
    while (next_field(&s, &tag, &v)) {
        switch (tag) {
        case 0: return 1;
        case VARINT(PROCESS_PID): d->process_pid = v.number; break;
        case BYTES(CMDLINE): {
            PyObject *word = text(v.body);
            if (!d->cmdline && !(d->cmdline = PyList_New(0))) {
                Py_XDECREF(word);
                return -1;
            }
            if (!word || PyList_Append(d->cmdline, word) < 0) {
                Py_XDECREF(word);
                return -1;
            }
            Py_DECREF(word);
        }
        }
    }
    return 0;
}

static int read_thread(Descriptor *d, Span s)
{
    uint64_t tag;
    Value v;
    while (next_field(&s, &tag, &v)) {
        switch (tag) {
        case 0: return 1;
        case VARINT(THREAD_PID): d->thread_pid = v.number; break;
        case VARINT(TID): d->tid = v.number; break;
        case BYTES(THREAD_NAME): d->thread_name = v.body;
        }
    }
    return 0;
}

static int read_descriptor(Descriptor *d, Span s)
{
    uint64_t tag;
    Value v;
    while (next_field(&s, &tag, &v)) {
        int is_good = 1;
        switch (tag) {
        case 0: return 1;
        case VARINT(UUID): d->uuid = v.number; break;
        case BYTES(NAME): d->name = v.body; break;
        case VARINT(PARENT): d->parent = v.number; break;
        case BYTES(PROCESS): is_good = read_process(d, v.body); break;
        case BYTES(THREAD): is_good = read_thread(d, v.body);
        }
        if (is_good < 1) {
            return is_good;
        }
    }
    return 0;
}

/* (uuid, name, parent, pid, tid, thread_name, cmdline); Py_None if it is malformed. NULL on error. */
static PyObject *described(Span body, PyObject *no_words)
{
    Descriptor d = {0};
    PyObject *row = NULL;
    int is_good = read_descriptor(&d, body);
    if (is_good == 0) {
        row = Py_NewRef(Py_None);
    } else if (is_good > 0) {
        uint64_t pid = d.process_pid ? d.process_pid : d.thread_pid;
        PyObject *items[] = {
            PyLong_FromUnsignedLongLong(d.uuid),   text(d.name),
            PyLong_FromUnsignedLongLong(d.parent), PyLong_FromUnsignedLongLong(pid),
            PyLong_FromUnsignedLongLong(d.tid),    text(d.thread_name),
            d.cmdline ? PyList_AsTuple(d.cmdline) : Py_NewRef(no_words),
        };
        enum { ITEMS = sizeof items / sizeof *items };
        row = PyTuple_New(ITEMS);
        int is_whole = row != NULL;
        for (int i = 0; i < ITEMS; i++) {
            is_whole &= items[i] != NULL;
            if (row) {
                PyTuple_SET_ITEM(row, i, items[i]);
            } else {
                Py_XDECREF(items[i]);
            }
        }
        if (!is_whole) {
            Py_CLEAR(row);
        }
    }
    Py_XDECREF(d.cmdline);
    return row;
}

/* describe(rows): of rows (last seen, body), the descriptors that are well-formed */
PyObject *describe(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    if (nargs != 1 || !PyList_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "takes a list");
        return NULL;
    }
    PyObject *result = PyList_New(0), *no_words = PyTuple_New(0);
    int is_good = result && no_words;
    for (Py_ssize_t i = 0; is_good && i < PyList_GET_SIZE(args[0]); i++) {
        PyObject *row = PyList_GET_ITEM(args[0], i);
        char *data;
        Py_ssize_t size;
        if (!PyTuple_Check(row) || PyTuple_GET_SIZE(row) != 2) {
            PyErr_SetString(PyExc_TypeError, "takes rows of two");
            is_good = 0;
            break;
        }
        if (PyBytes_AsStringAndSize(PyTuple_GET_ITEM(row, 1), &data, &size) < 0) {
            is_good = 0;
            break;
        }
        const uint8_t *at = (const uint8_t *)data;
        PyObject *told = described((Span){at, at + size}, no_words);
        is_good = told && (told == Py_None || PyList_Append(result, told) == 0);
        Py_XDECREF(told);
    }
    Py_XDECREF(no_words);
    if (!is_good) {
        Py_CLEAR(result);
    }
    return result;
}
