/* str to UTF-8, in the object itself where it can be kept there. */
#include "python/utf8.h"

#include "ring/text.h"

const char *utf8_of(PyObject *text, Py_ssize_t *length, PyObject **owned)
{
    *owned = NULL;
    const char *found = PyUnicode_AsUTF8AndSize(text, length);
    if (found)
        return found;
    PyErr_Clear();
    *owned = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
    if (!*owned) {
        PyErr_Clear();
        *length = 1;
        return "?";
    }
    *length = PyBytes_GET_SIZE(*owned);
    return PyBytes_AS_STRING(*owned);
}

PyDoc_STRVAR(shown_doc, "shown_text(text) -> str\n\nThe text as traces show it, cut at 1,000 bytes.");

static PyObject *shown_text(PyObject *module, PyObject *text)
{
    (void)module;
    if (!PyUnicode_Check(text))
        return PyErr_Format(PyExc_TypeError, "shown_text() needs a str");
    char shown[1000];
    Py_ssize_t length;
    PyObject *owned;
    const char *bytes = utf8_of(text, &length, &owned);
    size_t size = text_escape(shown, sizeof shown, bytes, (size_t)length);
    Py_XDECREF(owned);
    return PyUnicode_DecodeUTF8(shown, (Py_ssize_t)size, "replace");
}

PyMethodDef utf8_methods[] = {
    {"shown_text", shown_text, METH_O, shown_doc},
    {NULL, NULL, 0, NULL},
};
