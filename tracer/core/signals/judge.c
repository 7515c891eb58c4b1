/* What a program is that is about to be started: this Python, which can record itself, or why it cannot. */
#define _GNU_SOURCE
#include "signals/judge.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "signals/launchers.h"
#include "signals/lines.h"
#include "signals/words.h"

enum { HEAD_BYTES = 512, SCRIPT_BYTES = 64 << 10, DEEPEST = 3 };

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
        char word[WORD_BYTES];
        int known = word_text(item, word) && strlen(word) < WORD_BYTES - 8;
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

int judge_find(PyObject *paths, PyObject *folder, char *path, size_t room)
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

int judge_search_in(const char *folders, const char *name, char *path, size_t room)
{
    for (const char *at = folders; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
        size_t length = strcspn(at, ":");
        if (join(path, room, length ? at : ".", length ? length : 1, name) && can_execute(path))
            return 1;
    }
    return 0;
}

static int search(const char *name, char *path, size_t room)
{
    const char *folders = getenv("PATH");
    if (strchr(name, '/'))
        return snprintf(path, room, "%s", name) < (int)room && can_execute(path);
    return judge_search_in(folders ? folders : "/bin:/usr/bin", name, path, room);
}

int judge_search(PyObject *name, char *path, size_t room)
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
    const char *name = word_base(path);
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

static int is_shell(const char *path)
{
    static const char *const shells[] = {"sh", "bash", "dash", "ash", "ksh", "zsh"};
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
        if (!strcmp(shells[i], word_base(path)))
            return 1;
    return 0;
}

/* Python itself, or a script of its: gunicorn, pytest. */
static int runs_python(const char *name)
{
    char path[PATH_MAX];
    spawned_program program = {0};
    if (search(name, path, sizeof path))
        judge_file(path, &program, 0);
    return program.is_python;
}

/* Which of its commands will run is known to the shell alone, so none is followed. */
static void judge_text(const char *text, spawned_program *program, const char *what)
{
    if (program->is_python || !lines_have(text, 1, runs_python))
        return;
    program->is_python = 1;
    refuse(program, what);
}

/* The beginning of a file, as text; what a pipe or a terminal has is the child's to read. Returns its length, 0: none. */
static ssize_t read_head(const char *path, char *text, size_t size)
{
    struct stat is;
    if (stat(path, &is) < 0 || !S_ISREG(is.st_mode))
        return 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int is_file = fd >= 0 && fstat(fd, &is) == 0 && S_ISREG(is.st_mode);
    ssize_t length = is_file ? read(fd, text, size) : 0;
    if (fd >= 0)
        close(fd);
    length = length < 0 ? 0 : length;
    text[length] = 0;
    return length;
}

static void judge_shell_script(const char *path, spawned_program *program)
{
    char *text = PyMem_RawMalloc(SCRIPT_BYTES + 1);
    if (text && read_head(path, text, SCRIPT_BYTES))
        judge_text(text, program, "a shell's script");
    PyMem_RawFree(text);
}

/* A script: `line` is its first one, `second` the one after it. */
static void judge_script(char *line, char *second, spawned_program *program, int depth)
{
    char found[PATH_MAX];
    char *word = next_word(&line);
    if (!word)
        return;
    if (strcmp(word_base(word), "env") == 0) {
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
    program->is_script = is_shell(word);
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
    if (depth >= DEEPEST || read_head(path, head, HEAD_BYTES) < 3 || memcmp(head, "#!", 2))
        return;
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
    int is_loky = starts_with(code, "from joblib.externals.loky.backend.resource_tracker import main") ||
                  starts_with(code, "from loky.backend.resource_tracker import main");
    int tracks = is_loky || starts_with(code, "from multiprocessing.resource_tracker import main");
    int serves = starts_with(code, "from multiprocessing.forkserver import main");
    program->is_helper = tracks || serves;
    if (tracks)
        refuse(program, is_loky ? "loky's resource tracker" : "multiprocessing's resource tracker");
    else if (serves)
        program->how = SPAWNED_SERVER;
    else if (starts_with(code, "from multiprocessing.spawn import spawn_main"))
        program->how = SPAWNED_PROCESS;
}

static void judge_options(PyObject *words, spawned_program *program)
{
    char word[WORD_BYTES], code[WORD_BYTES];
    for (Py_ssize_t i = 1; word_at(words, i, word) && word[0] == '-' && word[1] && strcmp(word, "--"); i++) {
        if (word[1] == '-') {
            i += strcmp(word, "--check-hash-based-pycs") == 0;
            continue;
        }
        char option = read_options(word, program);
        char *value = option ? strchr(word + 1, option) + 1 : word;
        if (option == 'c' && (*value || word_at(words, i + 1, code)))
            judge_code(*value ? value : code, program);
        if (option == 'c' || option == 'm')
            return;
        i += option && !*value;
    }
}

/* A shell with a script or a line of its own; `sh -c` alone is judge_line()'s. */
static void judge_shell(PyObject *words, spawned_program *program)
{
    char path[PATH_MAX], word[WORD_BYTES];
    Py_ssize_t at = 1;
    int has_line = 0;
    if (!words || (!PyList_Check(words) && !PyTuple_Check(words)))
        return;
    for (; word_at(words, at, word) && (word[0] == '-' || word[0] == '+') && word[1]; at++)
        has_line |= word[1] != '-' && strchr(word, 'c') != NULL;
    PyObject *item = at < PySequence_Size(words) ? PySequence_GetItem(words, at) : NULL, *owned = NULL;
    const char *line = item && has_line ? judge_bytes(item, &owned) : NULL;
    if (line)
        judge_text(line, program, "a shell's line");
    else if (item && !has_line && path_text(item, path, sizeof path))
        judge_shell_script(path, program);
    Py_XDECREF(owned);
    Py_XDECREF(item);
    PyErr_Clear();
}

static void refuse_launched(spawned_program *program, const char *launcher)
{
    snprintf(program->why, sizeof program->why, "started by %s", launcher);
}

static void judge_words(const char *path, PyObject *words, spawned_program *program, int depth);

/* What the words from that one on start. */
static void judge_from(Py_ssize_t at, PyObject *words, spawned_program *program, int depth)
{
    char path[PATH_MAX];
    PyObject *command = PySequence_GetSlice(words, at, PY_SSIZE_T_MAX);
    PyObject *first = command ? PySequence_GetItem(command, 0) : NULL;
    if (first && judge_search(first, path, sizeof path))
        judge_words(path, command, program, depth + 1);
    Py_XDECREF(first);
    Py_XDECREF(command);
    PyErr_Clear();
}

/* The command is the first word that names a program; behind an option that may be its value (sudo -u git). */
static void judge_first_program(PyObject *words, spawned_program *program, int depth)
{
    char path[PATH_MAX], word[WORD_BYTES];
    int is_certain = 0, is_value = 0;
    for (Py_ssize_t i = 1; !is_certain && !program->is_python && word_at(words, i, word); i++) {
        int is_option = word[0] == '-';
        if (!is_option && search(word, path, sizeof path)) {
            is_certain = !is_value;
            judge_from(i, words, program, depth);
        }
        is_value = is_option;
    }
}

/* A program that runs the one that its arguments name. */
static void judge_launched(const launched *by, PyObject *words, spawned_program *program, int depth)
{
    if (by->command)
        judge_from(by->command, words, program, depth);
    else
        judge_first_program(words, program, depth);
    if (program->is_python && !by->command)
        refuse_launched(program, by->name);
    if (program->is_python && by->changes && !program->why[0])
        refuse(program, by->changes);
    if (by->forks)
        program->forked_by = by->name;
}

static void judge_words(const char *path, PyObject *words, spawned_program *program, int depth)
{
    launched by;
    judge_file(path, program, 0);
    if (program->is_python) {
        if (!program->why[0] && is_this_python(path))
            judge_options(words, program);
    } else if (program->is_script) {
        judge_shell_script(path, program);
    } else if (is_shell(path)) {
        judge_shell(words, program);
    } else if (depth < DEEPEST && launchers_read(path, words, &by)) {
        judge_launched(&by, words, program, depth);
    }
}

void judge_program(const char *path, PyObject *words, spawned_program *program)
{
    *program = (spawned_program){.how = SPAWNED_PLAIN};
    judge_words(path, words, program, 0);
}

void judge_exec(const char *path, PyObject *words, spawned_program *program)
{
    judge_program(path, words, program);
    if (program->is_python && program->forked_by && !program->why[0])
        refuse_launched(program, program->forked_by); /* it takes this process's place, Python is its child */
    program->how = SPAWNED_EXEC;
}

/* --- a shell's line --- */

const char *judge_bytes(PyObject *line, PyObject **owned)
{
    *owned = PyUnicode_Check(line) ? PyUnicode_EncodeFSDefault(line) : PyBytes_Check(line) ? Py_NewRef(line) : NULL;
    PyErr_Clear();
    return *owned && strlen(PyBytes_AS_STRING(*owned)) == (size_t)PyBytes_GET_SIZE(*owned) ? PyBytes_AS_STRING(*owned) : NULL;
}

/* The words up to the end of the command, as the shell will take them apart if nothing is quoted. */
static PyObject *words_of(const char *text)
{
    PyObject *list = PyList_New(0);
    size_t all = lines_words(text);
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

/* Whether an earlier command or an assignment before it may have changed where its program is found. */
static int is_moved(const char *line, const lines_command *command)
{
    const char *path = strstr(line, "PATH="), *name = command->name;
    if (path && path < command->words && !strchr(name, '/'))
        return 1;
    return command->at > strspn(line, " \t\n") && strchr(name, '/') && name[0] != '/';
}

/* The first command that is plainly a Python. Returns what follows its name; NULL: there is none. */
static const char *judge_commands(const char *line, spawned_program *program)
{
    char path[PATH_MAX];
    lines_command command;
    for (size_t at = 0;; at = command.end) {
        int is_plain = lines_read(line, at, &command);
        if (is_plain && !is_moved(line, &command) && search(command.name, path, sizeof path)) {
            PyObject *words = words_of(command.words);
            if (words)
                judge_words(path, words, program, 0);
            Py_XDECREF(words);
        }
        program->line_at = command.at;
        if (program->is_python)
            return command.words + strlen(command.name);
        if (!is_plain || !command.end)
            return NULL;
    }
}

void judge_line(PyObject *line, spawned_program *program)
{
    PyObject *owned;
    const char *text = judge_bytes(line, &owned);
    *program = (spawned_program){.how = SPAWNED_PLAIN};
    if (text) {
        const char *rest = judge_commands(text, program);
        if (program->is_python && strstr(text, "PYTHONPATH") && !program->why[0])
            refuse(program, "a shell's line with PYTHONPATH");
        program->has_more = rest && !program->why[0] && lines_have(rest, 0, runs_python);
        judge_text(text, program, "a shell's line");
    }
    Py_XDECREF(owned);
    PyErr_Clear();
}
