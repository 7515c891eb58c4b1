/* The name of a command: what is run, without values, which may be secret. */
#include "signals/command.h"

#include <string.h>

#include "python/plain.h"
#include "python/utf8.h"
#include "ring/text.h"

static void add(command_name *name, const char *text, size_t length)
{
    if (name->length && name->length < COMMAND_NAME)
        name->text[name->length++] = ' ';
    length = text_fit(text, length, COMMAND_NAME - name->length);
    memcpy(name->text + name->length, text, length);
    name->length += length;
}

static void add_word(command_name *name, const char *word)
{
    add(name, word, strlen(word));
}

/* An argument as UTF-8, cut to fit; 0 if it is no text. Runs no code of the program. */
int command_text(PyObject *item, char word[COMMAND_WORD])
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
    size_t kept = utf8 ? text_fit(utf8, (size_t)length, COMMAND_WORD - 1) : 0;
    memcpy(word, utf8 ? utf8 : "", kept);
    word[kept] = 0;
    Py_XDECREF(owned);
    Py_XDECREF(text);
    PyErr_Clear();
    return kept > 0;
}

int command_word(PyObject *words, Py_ssize_t at, char word[COMMAND_WORD])
{
    PyObject *item = words && (PyList_Check(words) || PyTuple_Check(words)) ? PySequence_GetItem(words, at) : NULL;
    int found = command_text(item, word);
    Py_XDECREF(item);
    PyErr_Clear();
    return found;
}

const char *command_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* The module, the script or the first words of the code that Python is to run. */
static void add_python(command_name *name, PyObject *words)
{
    char word[COMMAND_WORD], value[COMMAND_WORD];
    for (Py_ssize_t i = 1; command_word(words, i, word); i++) {
        char option = word[1];
        if (word[0] != '-') {
            add_word(name, command_base(word));
            return;
        }
        const char *its = word[1] && word[2] ? word + 2 : command_word(words, i + 1, value) ? value : "";
        if (option == 'm' || option == 'c') {
            add(name, word, 2);
            its += strspn(its, " \n\t");
            add(name, its, strcspn(its, option == 'c' ? "\"'=(;\n" : " "));
            return;
        }
        if ((option == 'W' || option == 'X') && its == value)
            i++;
    }
}

/* `sh -c` and the program that the line begins with. */
void command_of_line(command_name *name, const char *line)
{
    size_t length = strcspn(line, " \n;|&<>");
    add_word(name, "sh -c");
    if (length && !memchr(line, '=', length))
        add(name, line, length);
}

/* `paths` are where the program was looked for. */
void command_of(command_name *name, PyObject *words, PyObject *paths)
{
    char word[COMMAND_WORD], line[COMMAND_WORD];
    if (!command_word(words, 0, word) && !command_word(paths, 0, word))
        return;
    const char *program = command_base(word);
    if (strcmp(program, "sh") == 0 && command_word(words, 1, line) && strcmp(line, "-c") == 0 && command_word(words, 2, line)) {
        command_of_line(name, line);
        return;
    }
    add_word(name, program);
    if (strncmp(program, "python", 6) == 0)
        add_python(name, words);
}
