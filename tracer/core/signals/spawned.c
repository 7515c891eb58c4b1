/* Whether a program that is about to be started is this Python and can record itself; and what it is told. */
#define _GNU_SOURCE
#include "signals/spawned.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "python/plain.h"
#include "ring/family.h"
#include "signals/command.h"

#define SEARCHED "PYTHONPATH" /* where Python finds our sitecustomize … */
#define ORDER "TRACER_CHILD"  /* … and what that one is told */

enum { HEAD_BYTES = 512, DEEPEST = 3 };

extern char **environ;

static PyObject *site_folder, *order; /* bytes; NULL: children that are a new Python do not record themselves */

static unsigned long long family;

uint64_t spawned_family(void)
{
    return family;
}

int spawned_is_armed(void)
{
    return order && family_folder()[0];
}

/* --- which file --- */

/* The text of a path; 0: it has none, or too much. */
static int path_text(PyObject *item, char *path, size_t room)
{
    PyObject *bytes = NULL;
    if (PyUnicode_Check(item)) {
        bytes = PyUnicode_EncodeFSDefault(item);
    } else if (PyBytes_Check(item)) {
        bytes = Py_NewRef(item);
    } else { /* a pathlib.Path keeps its text once it was asked for it */
        char word[COMMAND_WORD];
        int known = command_text(item, word) && strlen(word) < COMMAND_WORD - 8;
        bytes = known ? PyBytes_FromString(word) : NULL;
    }
    size_t length = bytes ? (size_t)PyBytes_GET_SIZE(bytes) : 0;
    int fits = length && length < room && strlen(PyBytes_AS_STRING(bytes)) == length;
    if (fits)
        memcpy(path, PyBytes_AS_STRING(bytes), length + 1);
    Py_XDECREF(bytes);
    PyErr_Clear();
    return fits;
}

static int can_execute(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISREG(about.st_mode) && access(path, X_OK) == 0;
}

static int join(char *path, size_t room, const char *folder, size_t length, const char *name)
{
    int all = snprintf(path, room, "%.*s/%s", (int)length, folder, name);
    return all > 0 && (size_t)all < room;
}

int spawned_find(PyObject *paths, PyObject *folder, char *path, size_t room)
{
    int several = paths && (PyTuple_Check(paths) || PyList_Check(paths));
    Py_ssize_t count = !paths ? 0 : several ? PySequence_Size(paths) : 1;
    char from[PATH_MAX] = "", one[PATH_MAX];
    if (folder && folder != Py_None && !path_text(folder, from, sizeof from))
        return 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = several ? PySequence_GetItem(paths, i) : Py_NewRef(paths);
        int known = item && path_text(item, one, sizeof one);
        Py_XDECREF(item);
        PyErr_Clear();
        if (!known)
            return 0;
        int whole = from[0] && one[0] != '/' ? join(path, room, from, strlen(from), one)
                                             : snprintf(path, room, "%s", one) < (int)room;
        if (whole && can_execute(path))
            return 1;
    }
    return 0;
}

static int search(const char *name, char *path, size_t room)
{
    const char *folders = getenv("PATH");
    if (strchr(name, '/'))
        return snprintf(path, room, "%s", name) < (int)room && can_execute(path);
    for (const char *at = folders ? folders : "/bin:/usr/bin"; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
        size_t length = strcspn(at, ":");
        if (join(path, room, length ? at : ".", length ? length : 1, name) && can_execute(path))
            return 1;
    }
    return 0;
}

int spawned_search(PyObject *name, char *path, size_t room)
{
    char one[PATH_MAX];
    return path_text(name, one, sizeof one) && search(one, path, room);
}

/* --- what it is --- */

/* Whether it is the file that this process runs: environments share it by links. */
static int is_this_python(const char *path)
{
    struct stat ours, theirs;
    return stat("/proc/self/exe", &ours) == 0 && stat(path, &theirs) == 0 && ours.st_dev == theirs.st_dev &&
           ours.st_ino == theirs.st_ino;
}

static int is_called_python(const char *path)
{
    const char *name = command_base(path);
    return strncmp(name, "python", 6) == 0 && strspn(name + 6, "0123456789.t") == strlen(name + 6);
}

static void refuse(spawned_program *program, const char *why)
{
    snprintf(program->why, sizeof program->why, "%s", why);
}

/* Notes the first of the options in a word after which Python runs no sitecustomize of ours. Returns the letter at which
 * an option with a value begins, or 0. */
static char read_options(const char *word, spawned_program *program)
{
    for (const char *c = word + 1; *c; c++) {
        if (strchr("IES", *c) && !program->why[0])
            refuse(program, (const char[]){'-', *c, 0});
        if (strchr("mcWX", *c))
            return *c;
    }
    return 0;
}

static char *next_word(char **at)
{
    char *word = *at + strspn(*at, " \t");
    size_t length = strcspn(word, " \t");
    *at = word + length + (word[length] != 0);
    word[length] = 0;
    return length ? word : NULL;
}

static int starts_with(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void judge_file(const char *path, spawned_program *program, int depth);

/* A script: `line` is its first one, `second` the one after it. */
static void judge_script(char *line, char *second, spawned_program *program, int depth)
{
    char found[PATH_MAX];
    char *word = next_word(&line);
    if (!word)
        return;
    if (strcmp(command_base(word), "env") == 0) {
        do
            word = next_word(&line);
        while (word && (strcmp(word, "-S") == 0 || strchr(word, '=')));
        if (!word || !search(word, found, sizeof found))
            return;
        word = found;
    } else if (starts_with(second, "'''exec' ")) { /* how installers write a path that is too long for the first line */
        int quoted = second[9] == '"';
        word = second + 9 + quoted;
        word[strcspn(word, quoted ? "\"" : " ")] = 0;
    }
    judge_file(word, program, depth + 1);
    while (program->is_python && (word = next_word(&line)))
        if (word[0] == '-')
            read_options(word, program);
}

static void judge_file(const char *path, spawned_program *program, int depth)
{
    char head[HEAD_BYTES + 1];
    if (is_this_python(path)) {
        program->is_python = 1;
        return;
    }
    if (is_called_python(path)) {
        program->is_python = 1;
        refuse(program, "another Python");
        return;
    }
    int fd = depth < DEEPEST ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    ssize_t length = fd < 0 ? 0 : read(fd, head, HEAD_BYTES);
    if (fd >= 0)
        close(fd);
    if (length < 3 || memcmp(head, "#!", 2))
        return;
    head[length] = 0;
    char *end = strchr(head, '\n');
    if (!end)
        return;
    *end = 0;
    end[1 + strcspn(end + 1, "\n")] = 0;
    judge_script(head + 2, end + 1, program, depth);
}

/* What multiprocessing starts is known by its code. */
static void judge_code(const char *code, spawned_program *program)
{
    if (starts_with(code, "import sys; ")) /* the fork server of 3.14 */
        code += sizeof "import sys; " - 1;
    int tracks = starts_with(code, "from multiprocessing.resource_tracker import main");
    int serves = starts_with(code, "from multiprocessing.forkserver import main");
    program->is_helper = tracks || serves;
    if (tracks)
        refuse(program, "multiprocessing's resource tracker");
    else if (serves)
        program->how = SPAWNED_SERVER;
    else if (starts_with(code, "from multiprocessing.spawn import spawn_main"))
        program->how = SPAWNED_PROCESS;
}

static void judge_options(PyObject *words, spawned_program *program)
{
    char word[COMMAND_WORD], code[COMMAND_WORD];
    for (Py_ssize_t i = 1; command_word(words, i, word) && word[0] == '-' && word[1] && strcmp(word, "--"); i++) {
        if (word[1] == '-') {
            i += strcmp(word, "--check-hash-based-pycs") == 0;
            continue;
        }
        char option = read_options(word, program);
        char *value = option ? strchr(word + 1, option) + 1 : word;
        if (option == 'c' && (*value || command_word(words, i + 1, code)))
            judge_code(*value ? value : code, program);
        if (option == 'c' || option == 'm')
            return;
        i += option && !*value;
    }
}

void spawned_judge(const char *path, PyObject *words, spawned_program *program)
{
    *program = (spawned_program){.how = SPAWNED_PLAIN};
    judge_file(path, program, 0);
    if (program->is_python && !program->why[0] && is_this_python(path))
        judge_options(words, program);
}

/* --- a shell's line --- */

/* The first word of a line that is one command or more; 0: none that is plain. An `exec` before it is left out. */
static size_t first_word(const char *line, size_t *start)
{
    *start = strspn(line, " \t");
    if (starts_with(line + *start, "exec "))
        *start += 5 + strspn(line + *start + 5, " \t");
    size_t length = strcspn(line + *start, " \t\n;|&<>()$`\\\"'*?[#~={}!");
    return !line[*start + length] || strchr(" \t;|&<>", line[*start + length]) ? length : 0;
}

static const char *bytes_of(PyObject *line, PyObject **owned)
{
    *owned = PyUnicode_Check(line) ? PyUnicode_EncodeFSDefault(line) : PyBytes_Check(line) ? Py_NewRef(line) : NULL;
    PyErr_Clear();
    return *owned && strlen(PyBytes_AS_STRING(*owned)) == (size_t)PyBytes_GET_SIZE(*owned) ? PyBytes_AS_STRING(*owned) : NULL;
}

/* The words up to the end of the command, as the shell will take them apart if nothing is quoted. */
static PyObject *words_of(const char *text)
{
    PyObject *list = PyList_New(0);
    size_t all = strcspn(text, "\n;|&<>");
    for (size_t at = 0; list && at < all;) {
        at += strspn(text + at, " \t");
        size_t length = strcspn(text + at, " \t\n;|&<>");
        PyObject *word = length ? PyBytes_FromStringAndSize(text + at, (Py_ssize_t)length) : NULL;
        if (word)
            PyList_Append(list, word);
        Py_XDECREF(word);
        at += length ? length : 1;
    }
    PyErr_Clear();
    return list;
}

void spawned_judge_line(PyObject *line, spawned_program *program)
{
    char path[PATH_MAX], name[PATH_MAX];
    PyObject *owned;
    size_t start, length;
    const char *text = bytes_of(line, &owned);
    *program = (spawned_program){.how = SPAWNED_PLAIN};
    if (text && (length = first_word(text, &start)) && length < sizeof name) {
        memcpy(name, text + start, length);
        name[length] = 0;
        PyObject *words = search(name, path, sizeof path) ? words_of(text + start) : NULL;
        if (words)
            spawned_judge(path, words, program);
        Py_XDECREF(words);
        if (program->is_python && strstr(text, SEARCHED) && !program->why[0])
            refuse(program, "a shell's line with " SEARCHED);
    }
    Py_XDECREF(owned);
    PyErr_Clear();
}

/* --- its environment --- */

/* `was`: how the variable was that the child finds changed: u, unset; e, empty; s, set. */
static PyObject *order_entry(const char *before, const spawned_program *program, uint64_t flow, char was)
{
    return PyBytes_FromFormat("%s%zu %ld %c%c\n%s", before, (size_t)flow, (long)getpid(), program->how, was,
                              PyBytes_AS_STRING(order));
}

/* The value of PYTHONPATH, behind the text in `before`; `value` is "" for none. */
static PyObject *searched_entry(const char *before, const char *value)
{
    return PyBytes_FromFormat("%s%s%s%s", before, PyBytes_AS_STRING(site_folder), *value ? ":" : "", value);
}

static int append(PyObject *list, PyObject *item)
{
    int failed = !item || PyList_Append(list, item) < 0;
    Py_XDECREF(item);
    return failed ? -1 : 0;
}

static int fill_list(PyObject *list, const char *entry, char *was)
{
    if (starts_with(entry, ORDER "="))
        return 0;
    if (*was != 'u' || !starts_with(entry, SEARCHED "="))
        return append(list, PyBytes_FromString(entry));
    const char *value = entry + sizeof SEARCHED;
    *was = *value ? 's' : 'e';
    return append(list, searched_entry(SEARCHED "=", value));
}

PyObject *spawned_list(PyObject *given, const spawned_program *program, uint64_t flow)
{
    PyObject *list = PyList_New(0);
    char was = 'u';
    int failed = !list;
    if (given == Py_None) {
        for (char **at = environ; !failed && at && *at; at++)
            failed = fill_list(list, *at, &was) < 0;
    } else {
        failed |= !PyList_Check(given) && !PyTuple_Check(given);
        for (Py_ssize_t i = 0; !failed && i < PySequence_Fast_GET_SIZE(given); i++) {
            PyObject *entry = PySequence_Fast_GET_ITEM(given, i);
            failed = !PyBytes_CheckExact(entry) || fill_list(list, PyBytes_AS_STRING(entry), &was) < 0;
        }
    }
    if (!failed && was == 'u')
        failed = append(list, searched_entry(SEARCHED "=", "")) < 0;
    if (!failed)
        failed = append(list, order_entry(ORDER "=", program, flow, was)) < 0;
    if (failed)
        Py_CLEAR(list);
    PyErr_Clear();
    return list;
}

char **spawned_array(PyObject *list)
{
    Py_ssize_t count = PyList_GET_SIZE(list);
    char **array = PyMem_RawMalloc(((size_t)count + 1) * sizeof *array);
    for (Py_ssize_t i = 0; array && i < count; i++)
        array[i] = PyBytes_AS_STRING(PyList_GET_ITEM(list, i));
    if (array)
        array[count] = NULL;
    return array;
}

/* A new dict; NULL if the mapping is no dict inside. Runs no code of the program. */
static PyObject *copied(PyObject *mapping)
{
    if (PyDict_CheckExact(mapping))
        return PyDict_Copy(mapping);
    PyObject *key = PyUnicode_InternFromString("_data"); /* of os.environ */
    PyObject *data = key && strcmp(Py_TYPE(mapping)->tp_name, "_Environ") == 0 ? plain_attribute(mapping, key) : NULL;
    PyObject *dict = data && PyDict_CheckExact(data) ? PyDict_Copy(data) : NULL;
    Py_XDECREF(data);
    Py_XDECREF(key);
    return dict;
}

static PyObject *own_environment(void)
{
    PyObject *dict = PyDict_New();
    for (char **at = environ; dict && at && *at; at++) {
        const char *equals = strchr(*at + (**at != 0), '=');
        PyObject *key = equals ? PyBytes_FromStringAndSize(*at, equals - *at) : NULL;
        PyObject *value = key ? PyBytes_FromString(equals + 1) : NULL;
        if (value && !PyDict_Contains(dict, key) && PyDict_SetItem(dict, key, value) < 0)
            Py_CLEAR(dict);
        Py_XDECREF(value);
        Py_XDECREF(key);
    }
    return dict;
}

static PyObject *key_of(PyObject *dict, const char *name)
{
    PyObject *key, *value;
    for (Py_ssize_t at = 0; PyDict_Next(dict, &at, &key, &value);)
        if ((PyUnicode_Check(key) && PyUnicode_CompareWithASCIIString(key, name) == 0) ||
            (PyBytes_Check(key) && strcmp(PyBytes_AS_STRING(key), name) == 0))
            return key;
    return NULL;
}

static int set(PyObject *dict, PyObject *key, PyObject *value)
{
    int failed = !key || !value || PyDict_SetItem(dict, key, value) < 0;
    Py_XDECREF(key);
    Py_XDECREF(value);
    return failed ? -1 : 0;
}

PyObject *spawned_dict(PyObject *given, const spawned_program *program, uint64_t flow)
{
    PyObject *dict = given == Py_None ? own_environment() : copied(given);
    PyObject *key = dict ? key_of(dict, SEARCHED) : NULL, *value = key ? PyDict_GetItemWithError(dict, key) : NULL;
    PyObject *text = value && PyUnicode_Check(value) ? PyUnicode_EncodeFSDefault(value) : Py_XNewRef(value);
    const char *bytes = !text ? "" : PyBytes_Check(text) ? PyBytes_AS_STRING(text) : NULL;
    int failed = !dict || !bytes || (value && !text);
    if (!failed && text && strlen(bytes) != (size_t)PyBytes_GET_SIZE(text))
        failed = 1;
    if (!failed)
        failed = set(dict, key ? Py_NewRef(key) : PyBytes_FromString(SEARCHED), searched_entry("", bytes)) < 0 ||
                 set(dict, PyBytes_FromString(ORDER),
                     order_entry("", program, flow, !key ? 'u' : *bytes ? 's' : 'e')) < 0;
    if (failed)
        Py_CLEAR(dict);
    Py_XDECREF(text);
    PyErr_Clear();
    return dict;
}

/* In single quotes, as a shell takes it. */
static PyObject *quoted(PyObject *text)
{
    PyObject *quote = PyBytes_FromString("'"), *parts = NULL, *result = NULL;
    const char *from = PyBytes_AS_STRING(text);
    result = quote;
    for (; result && *from; from++) {
        parts = *from == '\'' ? PyBytes_FromString("'\\''") : PyBytes_FromStringAndSize(from, 1);
        PyBytes_ConcatAndDel(&result, parts);
    }
    if (result)
        PyBytes_ConcatAndDel(&result, PyBytes_FromString("'"));
    return result;
}

/* Adds NAME='value' and a space, of an entry that it owns. */
static void add_assignment(PyObject **line, PyObject *entry)
{
    PyObject *value = entry ? quoted(entry) : NULL;
    Py_XDECREF(entry);
    if (*line)
        PyBytes_ConcatAndDel(line, value);
    else
        Py_XDECREF(value);
    if (*line)
        PyBytes_ConcatAndDel(line, PyBytes_FromString(" "));
}

/* The value of PYTHONPATH in an environment of either kind, as bytes; NULL: it has none. */
static PyObject *searched_in(PyObject *environment)
{
    const char *own = getenv(SEARCHED);
    if (environment == Py_None)
        return own ? PyBytes_FromString(own) : NULL;
    if (PyList_Check(environment) || PyTuple_Check(environment)) {
        for (Py_ssize_t i = 0; i < PySequence_Size(environment); i++) {
            PyObject *entry = PySequence_Fast_GET_ITEM(environment, i);
            if (PyBytes_Check(entry) && starts_with(PyBytes_AS_STRING(entry), SEARCHED "="))
                return PyBytes_FromString(PyBytes_AS_STRING(entry) + sizeof SEARCHED);
        }
        return NULL;
    }
    PyObject *dict = copied(environment), *key = dict ? key_of(dict, SEARCHED) : NULL;
    PyObject *value = key ? PyDict_GetItemWithError(dict, key) : NULL;
    PyObject *bytes = value && PyUnicode_Check(value) ? PyUnicode_EncodeFSDefault(value)
                      : value && PyBytes_Check(value) ? Py_NewRef(value) : NULL;
    Py_XDECREF(dict);
    return bytes;
}

PyObject *spawned_line(PyObject *given, const spawned_program *program, uint64_t flow)
{
    PyObject *owned, *line = NULL;
    size_t start;
    const char *text = bytes_of(PyTuple_GET_ITEM(given, 0), &owned);
    PyObject *before = searched_in(PyTuple_GET_ITEM(given, 1));
    const char *was = before ? PyBytes_AS_STRING(before) : NULL;
    if (text && first_word(text, &start)) {
        line = PyBytes_FromString(SEARCHED "="); /* also before an `exec` */
        add_assignment(&line, searched_entry("", was ? was : ""));
        if (line)
            PyBytes_ConcatAndDel(&line, PyBytes_FromString(ORDER "="));
        add_assignment(&line, order_entry("", program, flow, !was ? 'u' : *was ? 's' : 'e'));
        if (line)
            PyBytes_ConcatAndDel(&line, PyBytes_FromString(text));
    }
    Py_XDECREF(before);
    Py_XDECREF(owned);
    PyErr_Clear();
    return line;
}

PyDoc_STRVAR(follow_doc, "follow_spawned(folder, order, family)\n\n"
"From now on children that are a new Python record themselves: sitecustomize in the folder is given the order.\n"
"None: they do not.");

static PyObject *follow_spawned(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *folder, *text;
    if (!PyArg_ParseTuple(args, "OOK", &folder, &text, &family))
        return NULL;
    Py_CLEAR(order);
    Py_CLEAR(site_folder);
    if (folder == Py_None)
        Py_RETURN_NONE;
    if (!PyUnicode_FSConverter(folder, &site_folder))
        return NULL;
    order = PyUnicode_EncodeFSDefault(text);
    if (!order)
        return NULL;
    Py_RETURN_NONE;
}

PyMethodDef spawned_methods[] = {
    {"follow_spawned", follow_spawned, METH_VARARGS, follow_doc},
    {NULL, NULL, 0, NULL},
};
