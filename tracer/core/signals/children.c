/* Wrappers around the functions that start a process: each child that came to be is a record. */
#include "signals/children.h"

#include <string.h>
#include <unistd.h>

#include "python/plain.h"
#include "python/stacks.h"
#include "python/trampolines.h"
#include "python/utf8.h"
#include "ring/family.h"
#include "ring/ring.h"
#include "ring/text.h"
#include "signals/gil/got.h"

typedef PyObject *(*fast)(PyObject *, PyObject *const *, Py_ssize_t);
typedef PyObject *(*fast_keywords)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);

enum starter { FORK, FORKPTY, SPAWN, SPAWNP, SYSTEM, FORK_EXEC, STARTERS };

static wrapped_builtin hooks[STARTERS];

/* --- the name of a command: what is run, without values, which may be secret --- */

enum { WORD = 200, NAME = 2 * WORD };

typedef struct {
    char text[NAME];
    size_t length;
} command_name;

static void add(command_name *name, const char *text, size_t length)
{
    if (name->length && name->length < NAME)
        name->text[name->length++] = ' ';
    length = text_fit(text, length, NAME - name->length);
    memcpy(name->text + name->length, text, length);
    name->length += length;
}

static void add_word(command_name *name, const char *word)
{
    add(name, word, strlen(word));
}

/* An argument as UTF-8, cut to fit; 0 if it is no text. Runs no code of the program. */
static int text_of(PyObject *item, char word[WORD])
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
    size_t kept = utf8 ? text_fit(utf8, (size_t)length, WORD - 1) : 0;
    memcpy(word, utf8 ? utf8 : "", kept);
    word[kept] = 0;
    Py_XDECREF(owned);
    Py_XDECREF(text);
    PyErr_Clear();
    return kept > 0;
}

static int word_at(PyObject *words, Py_ssize_t at, char word[WORD])
{
    PyObject *item = words && (PyList_Check(words) || PyTuple_Check(words)) ? PySequence_GetItem(words, at) : NULL;
    int found = text_of(item, word);
    Py_XDECREF(item);
    PyErr_Clear();
    return found;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* The module, the script or the first words of the code that Python is to run. */
static void add_python(command_name *name, PyObject *words)
{
    char word[WORD], value[WORD];
    for (Py_ssize_t i = 1; word_at(words, i, word); i++) {
        char option = word[1];
        if (word[0] != '-') {
            add_word(name, base_name(word));
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
static void name_line(command_name *name, const char *line)
{
    size_t length = strcspn(line, " \n;|&<>");
    add_word(name, "sh -c");
    if (length && !memchr(line, '=', length))
        add(name, line, length);
}

/* `paths` are where the program was looked for. */
static void name_command(command_name *name, PyObject *words, PyObject *paths)
{
    char word[WORD], line[WORD];
    if (!word_at(words, 0, word) && !word_at(paths, 0, word))
        return;
    const char *program = base_name(word);
    if (strcmp(program, "sh") == 0 && word_at(words, 1, line) && strcmp(line, "-c") == 0 && word_at(words, 2, line)) {
        name_line(name, line);
        return;
    }
    add_word(name, program);
    if (strncmp(program, "python", 6) == 0)
        add_python(name, words);
}

/* --- whether a child records itself --- */

static _Thread_local uint64_t forking; /* while this thread forks: flow to the child's trace, 0 = it has none … */
static _Thread_local int executing;    /* … and whether the child executes another program at once */

/* A number that no other process of the family uses for a flow. */
static uint64_t new_flow(void)
{
    static _Atomic uint64_t count;
    uint64_t x = clock_ns_of(CLOCK_MONOTONIC) + ((uint64_t)getpid() << 40) + ++count;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return (x ^ (x >> 31)) | 1;
}

/* The flow to a child that is about to be started and shall record itself; 0: it shall not. It begins at this
 * moment, since the child may have begun before the call that starts it returns. */
static uint64_t begin_flow(void)
{
    thread_buffer *b = atomic_load(&ring_active) && family_is_ready() ? ring_current() : NULL;
    uint64_t flow = b ? new_flow() : 0;
    if (flow)
        ring_emit(b, clock_tick(), REC_FOLLOWED, 0, 0, flow, 0);
    return flow;
}

static void drop_flow(uint64_t flow)
{
    thread_buffer *b = flow ? ring_current() : NULL;
    if (b)
        ring_emit(b, clock_tick(), REC_FOLLOWED, 0, 0, 0, 0);
}

PyDoc_STRVAR(forked_doc, "forked() -> int\n\n"
"In a forked child, before os.fork() returns: the flow to it; 0 if it does not record itself.");

static PyObject *forked(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyLong_FromUnsignedLongLong(executing || !got_loads_nothing() ? 0 : forking);
}

PyDoc_STRVAR(arrived_doc, "process_started(flow)\n\nThis thread is the first of a followed child.");

static PyObject *process_started(PyObject *module, PyObject *flow)
{
    (void)module;
    unsigned long long id = PyLong_AsUnsignedLongLong(flow);
    thread_buffer *b = PyErr_Occurred() ? NULL : ring_current();
    if (b)
        ring_emit(b, clock_tick(), REC_PROCESS_STARTED, 0, 0, id, 0);
    PyErr_Clear();
    Py_RETURN_NONE;
}

/* --- the wrappers --- */

_Atomic uint64_t children_started, children_followed;

/* A child that came to be; `pid` is 0 where it is unknown. `flow`: to its trace, 0 = it has none. */
static void tell(PyObject *pid, enum child_kind kind, const command_name *name, uint64_t flow)
{
    int64_t child = pid && PyLong_Check(pid) ? PyLong_AsLongLong(pid) : -1;
    thread_buffer *b = child >= 0 ? ring_current() : NULL;
    PyErr_Clear();
    if (!b)
        return;
    children_started++;
    if (flow) {
        children_followed++;
        family_count_child();
    }
    ring_emit_text(b, REC_CHILD, (uint8_t)kind, stacks_named(stacks_capture(PyThreadState_Get())), name->text,
                   name->length, (uint64_t)child);
}

/* The child has this thread with its `forking`, while the functions registered with os.register_at_fork run. */
static PyObject *fork_hook(PyObject *module, PyObject *unused)
{
    uint64_t flow = forking = begin_flow();
    PyObject *pid = hooks[FORK].original(module, unused);
    forking = 0;
    if (!pid)
        drop_flow(flow);
    else if (PyLong_Check(pid) && PyLong_AsLongLong(pid) != 0) /* in the parent */
        tell(pid, CHILD_FORK, &(command_name){0}, flow);
    return pid;
}

static PyObject *forkpty_hook(PyObject *module, PyObject *unused)
{
    uint64_t flow = forking = begin_flow();
    PyObject *pair = hooks[FORKPTY].original(module, unused);
    forking = 0;
    PyObject *pid = pair && PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) ? PyTuple_GET_ITEM(pair, 0) : NULL;
    if (!pair)
        drop_flow(flow);
    else if (pid && PyLong_Check(pid) && PyLong_AsLongLong(pid) != 0)
        tell(pid, CHILD_FORK, &(command_name){0}, flow);
    return pair;
}

static PyObject *spawned(PyObject *pid, PyObject *words, PyObject *paths)
{
    command_name name = {0};
    if (pid) {
        name_command(&name, words, paths);
        tell(pid, CHILD_SPAWN, &name, 0);
    }
    return pid;
}

void children_spawned(int64_t pid, char *const *words)
{
    PyObject *child = PyLong_FromLongLong(pid), *list = PyList_New(0);
    for (; list && words && *words; words++) {
        PyObject *word = PyBytes_FromString(*words);
        if (!word || PyList_Append(list, word) < 0)
            PyErr_Clear();
        Py_XDECREF(word);
    }
    if (child && list)
        spawned(child, list, NULL);
    Py_XDECREF(child);
    Py_XDECREF(list);
    PyErr_Clear();
}

void children_on_name(thread_buffer *b, PyObject *named)
{
    PyObject *key = PyUnicode_InternFromString("_name");
    PyObject *name = named && PyUnicode_Check(named) ? Py_NewRef(named)
                     : key && named ? plain_attribute(named, key) : NULL;
    char word[WORD];
    PyErr_Clear();
    if (name && text_of(name, word))
        ring_emit_text(b, REC_PROCESS_NAMED, 0, 0, word, strlen(word), 0);
    Py_XDECREF(name);
    Py_XDECREF(key);
}

#define SPAWN_HOOK(function, how)                                                                                \
    static PyObject *function(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names)        \
    {                                                                                                            \
        PyObject *pid = ((fast_keywords)(void (*)(void))hooks[how].original)(module, args, count, names);        \
        return spawned(pid, count > 1 ? args[1] : NULL, NULL);                                                   \
    }
SPAWN_HOOK(spawn_hook, SPAWN)
SPAWN_HOOK(spawnp_hook, SPAWNP)

static PyObject *fork_exec_hook(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    executing = 1;
    PyObject *pid = ((fast)(void (*)(void))hooks[FORK_EXEC].original)(module, args, count);
    executing = 0;
    return spawned(pid, count > 1 ? args[0] : NULL, count > 1 ? args[1] : NULL);
}

static PyObject *system_hook(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    PyObject *status = ((fast_keywords)(void (*)(void))hooks[SYSTEM].original)(module, args, count, names);
    int given = count + (names ? PyTuple_GET_SIZE(names) : 0) == 1;
    char line[WORD];
    command_name name = {0};
    if (status && given && text_of(args[0], line)) {
        name_line(&name, line);
        tell(Py_False, CHILD_SPAWN, &name, 0); /* its pid is unknown: 0 */
    }
    return status;
}

#define HOOK(function) (PyCFunction)(void (*)(void))(function)
static const builtin_wrapper table[STARTERS] = {
    [FORK] = {"posix", "fork", METH_NOARGS, fork_hook},
    [FORKPTY] = {"posix", "forkpty", METH_NOARGS, forkpty_hook},
    [SPAWN] = {"posix", "posix_spawn", METH_FASTCALL | METH_KEYWORDS, HOOK(spawn_hook)},
    [SPAWNP] = {"posix", "posix_spawnp", METH_FASTCALL | METH_KEYWORDS, HOOK(spawnp_hook)},
    [SYSTEM] = {"posix", "system", METH_FASTCALL | METH_KEYWORDS, HOOK(system_hook)},
    [FORK_EXEC] = {"_posixsubprocess", "fork_exec", METH_FASTCALL, HOOK(fork_exec_hook)},
};

PyDoc_STRVAR(watch_doc, "watch_children(module)\n\n"
"From now on children that the module's functions start are recorded.");

static PyObject *watch_children(PyObject *self, PyObject *module)
{
    (void)self;
    const char *module_name = PyModule_GetName(module);
    for (int i = 0; module_name && i < STARTERS; i++) {
        if (!strcmp(table[i].module, module_name))
            builtin_wrap(module, &table[i], &hooks[i]);
    }
    if (!module_name)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *unwatch_children(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    for (int i = 0; i < STARTERS; i++)
        builtin_unwrap(&table[i], &hooks[i]);
    Py_RETURN_NONE;
}

PyMethodDef children_methods[] = {
    {"watch_children", watch_children, METH_O, watch_doc},
    {"unwatch_children", unwatch_children, METH_NOARGS, "Removes the wrappers."},
    {"forked", forked, METH_NOARGS, forked_doc},
    {"process_started", process_started, METH_O, arrived_doc},
    {NULL, NULL, 0, NULL},
};
