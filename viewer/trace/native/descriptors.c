/* Speed-up of descriptors.py, the Python twin: reads a TrackDescriptor. */
#include "wire.h"

#define VARINT(field) ((uint64_t)(field) << 3)
#define BYTES(field) ((uint64_t)(field) << 3 | 2)

enum { UUID = 1, NAME = 2, PROCESS = 3, THREAD = 4, PARENT = 5 };
enum { PROCESS_PID = 1, CMDLINE = 2 };
enum { THREAD_PID = 1, TID = 2, THREAD_NAME = 5 };

typedef struct {
    uint64_t uuid, parent, process_pid, thread_pid, tid;
    Span name, thread_name;
    PyObject *cmdline; /* list, owned */
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

/* describe(body): (uuid, name, parent, pid, tid, thread_name, cmdline), None if it is malformed */
PyObject *describe(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    char *data;
    Py_ssize_t size;
    if (nargs != 1) {
        PyErr_SetString(PyExc_TypeError, "takes 1 argument");
        return NULL;
    }
    if (PyBytes_AsStringAndSize(args[0], &data, &size) < 0) {
        return NULL;
    }
    Descriptor d = {.cmdline = PyList_New(0)};
    const uint8_t *at = (const uint8_t *)data;
    PyObject *result = NULL;
    int is_good = d.cmdline ? read_descriptor(&d, (Span){at, at + size}) : -1;
    if (is_good == 0) {
        result = Py_NewRef(Py_None);
    } else if (is_good > 0) {
        uint64_t pid = d.process_pid ? d.process_pid : d.thread_pid;
        PyObject *words = PyList_AsTuple(d.cmdline);
        result = Py_BuildValue("KNKKKNN", (unsigned long long)d.uuid, text(d.name),
                               (unsigned long long)d.parent, (unsigned long long)pid,
                               (unsigned long long)d.tid, text(d.thread_name), words);
    }
    Py_XDECREF(d.cmdline);
    return result;
}
