/* The words of a command. */
#include "signals/words.h"

#include <string.h>

#include "python/plain.h"
#include "python/utf8.h"
#include "ring/text.h"

int word_text(PyObject *item, char word[WORD_BYTES])
{
    PyObject *text = NULL;
    if (item && PyUnicode_Check(item)) {
        text = Py_NewRef(item);
    } else if (item && PyBytes_Check(item)) {
        text = PyUnicode_DecodeUTF8(PyBytes_AS_STRING(item), PyBytes_GET_SIZE(item), "replace");
    } else if (item) { /* a pathlib.Path keeps the text that the call has made of it */
        PyObject *kept = PyUnicode_InternFromString("_str");
        text = kept ? plain_attribute(item, kept) : NULL;
        Py_XDECREF(kept);
    }
    Py_ssize_t length;
    PyObject *owned = NULL;
    const char *utf8 = text && PyUnicode_Check(text) ? utf8_of(text, &length, &owned) : NULL;
    size_t kept = utf8 ? text_fit(utf8, (size_t)length, WORD_BYTES - 1) : 0;
    memcpy(word, utf8 ? utf8 : "", kept);
    word[kept] = 0;
    Py_XDECREF(owned);
    Py_XDECREF(text);
    PyErr_Clear();
    return kept > 0;
}

int word_at(PyObject *words, Py_ssize_t at, char word[WORD_BYTES])
{
    PyObject *item = words && (PyList_Check(words) || PyTuple_Check(words)) ? PySequence_GetItem(words, at) : NULL;
    int found = word_text(item, word);
    Py_XDECREF(item);
    PyErr_Clear();
    return found;
}

const char *word_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}
