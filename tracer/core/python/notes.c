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
    int length = PyOS_snprintf(both, sizeof both, "%s%s", subject, text);
    if (b)
        ring_emit_text(b, REC_NOTE, (uint8_t)kind, (uint32_t)strlen(subject), both,
                       text_fit(both, (size_t)length, sizeof both - 1), 0);
}

void notes_failure(const char *what)
{
    PyObject *error = PyErr_GetRaisedException();
    PyObject *text = error ? PyObject_Repr(error) : NULL;
    const char *reason = text ? PyUnicode_AsUTF8(text) : NULL;
    notes_write(NOTE_HOOK_DISABLED, what, reason ? reason : "unknown error");
    Py_XDECREF(text);
    Py_XDECREF(error);
    PyErr_Clear();
}
