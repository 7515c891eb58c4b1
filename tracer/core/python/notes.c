/* Notes: instants about the recorder itself, written like every other record. */
#include "python/notes.h"

#include <string.h>

#include "python/compat.h"
#include "ring/ring.h"
#include "ring/text.h"

void notes_write(int kind, const char *subject, const char *text)
{
    thread_buffer *b = ring_current();
    char both[512];
    size_t about = text_escape(both, sizeof both, subject, strlen(subject));
    size_t length = about + text_escape(both + about, sizeof both - about, text, strlen(text));
    if (b)
        ring_emit_text(b, REC_NOTE, (uint8_t)kind, (uint32_t)about, both, length, 0);
}

void notes_call_once(PyObject **call, const char *what)
{
    PyObject *called = *call;
    *call = NULL;
    PyObject *done = PyObject_CallNoArgs(called);
    if (!done)
        notes_failure(what);
    Py_XDECREF(done);
    Py_DECREF(called);
}

void notes_failure(const char *what)
{
    PyObject *error = PyErr_GetRaisedException();
    if (error && PyErr_GivenExceptionMatches(error, PyExc_KeyboardInterrupt))
        PyErr_SetInterrupt(); /* Ctrl-C came while Python code ran for the recorder: it is the program's */
    PyObject *text = error ? PyObject_Repr(error) : NULL;
    const char *reason = text ? PyUnicode_AsUTF8(text) : NULL;
    notes_write(NOTE_HOOK_DISABLED, what, reason ? reason : "unknown error");
    Py_XDECREF(text);
    Py_XDECREF(error);
    PyErr_Clear();
}
