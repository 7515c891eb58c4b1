/* The name of a command: what is run, without values, which may be secret. */
#include "signals/command.h"

#include <string.h>

#include "ring/text.h"
#include "signals/launchers.h"

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

/* The module, the script or the first words of the code that Python is to run. */
static void add_python(command_name *name, PyObject *words)
{
    char word[WORD_BYTES], value[WORD_BYTES];
    for (Py_ssize_t i = 1; word_at(words, i, word); i++) {
        char option = word[1];
        if (word[0] != '-') {
            add_word(name, word_base(word));
            return;
        }
        const char *its = word[1] && word[2] ? word + 2 : word_at(words, i + 1, value) ? value : "";
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
    char word[WORD_BYTES], line[WORD_BYTES];
    launched by;
    if (!word_at(words, 0, word) && !word_at(paths, 0, word))
        return;
    const char *program = word_base(word);
    if (strcmp(program, "sh") == 0 && word_at(words, 1, line) && strcmp(line, "-c") == 0 && word_at(words, 2, line)) {
        command_of_line(name, line);
        return;
    }
    add_word(name, program);
    if (strncmp(program, "python", 6) == 0)
        add_python(name, words);
    if (!launchers_read(word, words, &by) || !by.command)
        return;
    PyObject *command = PySequence_GetSlice(words, by.command, PY_SSIZE_T_MAX);
    command_of(name, command, NULL);
    Py_XDECREF(command);
    PyErr_Clear();
}
