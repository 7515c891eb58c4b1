/* Wrappers around the functions that start a process: each child that came to be is a record. */
#include "signals/children.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "python/forking.h"
#include "python/plain.h"
#include "python/stacks.h"
#include "python/trampolines.h"
#include "ring/family.h"
#include "ring/intern.h"
#include "ring/ring.h"
#include "signals/command.h"
#include "signals/gil/got.h"

typedef PyObject *(*fast)(PyObject *, PyObject *const *, Py_ssize_t);
typedef PyObject *(*fast_keywords)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);

enum starter { FORK, FORKPTY, SPAWN, SPAWNP, SYSTEM, FORK_EXEC, STARTERS };

static wrapped_builtin hooks[STARTERS];

/* --- whether a child records itself --- */

/* The start of a child that is under way: functions of os.register_at_fork may start others within it. */
typedef struct {
    uint64_t flow;   /* to the forked child's trace; 0 = it has none */
    int executes;    /* the child executes another program at once, … */
    char **inherits; /* … with the environment that a function of the program may change before */
    uint8_t depth;   /* how many are around it, and itself */
} child_under_way;

static _Thread_local child_under_way inner; /* of this thread; depth 0: none */

/* Returns the one around it, which goes on afterwards. */
static child_under_way enter(uint64_t flow, int executes, char **inherits)
{
    child_under_way outer = inner;
    inner = (child_under_way){flow, executes, inherits, (uint8_t)(outer.depth + (outer.depth < CHILD_TOO_DEEP))};
    return outer;
}

static uint64_t mixed(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return (x ^ (x >> 31)) | 1;
}

/* A number that no other process of the family uses for a flow. */
static uint64_t new_flow(void)
{
    static _Atomic uint64_t count;
    return mixed(clock_ns_of(CLOCK_MONOTONIC) + ((uint64_t)getpid() << 40) + ++count);
}

_Atomic uint64_t children_started, children_followed;

/* A forked child begins to record itself in one of the functions of os.register_at_fork. Those that the program
 * registered before run earlier, and may fork, too: who comes of that does not record itself, and is told of later. */
enum { MOST_EARLY = 8 };
static pid_t recorded_in; /* the process that records itself */
static struct {
    uint32_t count;
    int64_t pids[MOST_EARLY];
} early;

static int is_early(void)
{
    return inner.depth && recorded_in && recorded_in != getpid();
}

/* The flow to a child that is about to be started and shall record itself; 0: it shall not. It begins at this
 * moment, since the child may have begun before the call that starts it returns. */
static uint64_t begin_flow(uint8_t depth)
{
    int may_follow = atomic_load(&ring_active) && !is_early() && family_is_ready() && depth != CHILD_TOO_DEEP;
    thread_buffer *b = may_follow ? ring_current() : NULL;
    uint64_t flow = b ? new_flow() : 0;
    if (flow)
        ring_emit(b, clock_tick(), REC_FOLLOWED, 0, 0, flow, depth);
    return flow;
}

/* What was told of a child is not so: it did not come to be. */
static void take_back(uint8_t depth)
{
    thread_buffer *b = ring_current();
    if (b)
        ring_emit(b, clock_tick(), REC_FOLLOWED, 0, 0, 0, depth);
}

/* `flow`: to the trace of another program that the same shell runs, or 0. */
static void tell_why(const char *why, uint64_t flow, uint8_t depth)
{
    thread_buffer *b = ring_current();
    if (b)
        ring_emit(b, clock_tick(), REC_FOLLOWED, flow != 0, intern_string(why, strlen(why)), flow, depth);
}

static children_departure depart_at(uint8_t depth, const spawned_program *program, PyObject *given,
                                    spawned_environment *change)
{
    children_departure departs = {.is_helper = program->is_helper, .depth = depth};
    if (!program->is_python)
        return departs;
    departs.is_told = 1;
    departs.flow = program->why[0] ? 0 : begin_flow(depth);
    departs.environment = departs.flow ? change(given, program, departs.flow) : NULL;
    if (program->why[0] || (departs.flow && !departs.environment)) {
        tell_why(program->why[0] ? program->why : "an environment of its own kind", 0, depth);
        departs.flow = 0;
    }
    if (program->how == SPAWNED_SERVER && departs.flow) { /* its children are recorded, it is not */
        tell_why("multiprocessing's fork server", 0, depth);
        departs.flow = 0;
    }
    departs.leaves_one = departs.flow && program->has_more;
    if (departs.leaves_one)
        tell_why("another Python of the shell's line", departs.flow, depth);
    return departs;
}

children_departure children_exec_departs(const spawned_program *program, PyObject *given, spawned_environment *change)
{
    return depart_at(CHILD_EXEC, program, given, change);
}

void children_stay(children_departure *departs)
{
    if (departs->is_told)
        take_back(departs->depth);
    departs->flow = 0;
}

PyDoc_STRVAR(forked_doc, "forked() -> int\n\n"
"In a forked child, before os.fork() returns: the flow to it; 0 if it does not record itself.");

/* Where the thread that forked ends, the process ends with it. With a thread of ours it would go on, unless that one can
 * look whether any other is left. */
static int could_stay(void)
{
    return forking_was_in_thread() && access(ring_task_folder, F_OK) < 0;
}

static PyObject *forked(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    if (inner.inherits)
        environ = inner.inherits;
    return PyLong_FromUnsignedLongLong(inner.executes || could_stay() || !got_loads_nothing() ? 0 : inner.flow);
}

static uint64_t flow_of_served(uint64_t family, uint64_t pid)
{
    return mixed(family ^ mixed(pid << 1));
}

PyDoc_STRVAR(served_doc, "served_flow(family, pid) -> int\n\n"
"The flow to a child of multiprocessing's fork server: it and the process that asked for it both know these numbers.");

static PyObject *served_flow(PyObject *module, PyObject *args)
{
    (void)module;
    unsigned long long family, pid;
    if (!PyArg_ParseTuple(args, "KK", &family, &pid))
        return NULL;
    return PyLong_FromUnsignedLongLong(flow_of_served(family, pid));
}

PyDoc_STRVAR(arrived_doc, "process_started(flow)\n\nThis thread is the first of a followed child.");

static PyObject *process_started(PyObject *module, PyObject *flow)
{
    (void)module;
    unsigned long long id = PyLong_AsUnsignedLongLong(flow);
    thread_buffer *b = PyErr_Occurred() ? NULL : ring_current();
    if (b)
        ring_emit(b, clock_tick(), REC_PROCESS_STARTED, 0, 0, id, 0);
    recorded_in = getpid();
    for (uint32_t i = 0; b && i < early.count; i++) {
        tell_why("forked before its parent recorded itself", 0, inner.depth);
        ring_emit_text(b, REC_CHILD, (uint8_t)(CHILD_FORK | (unsigned)inner.depth << CHILD_DEPTH_SHIFT), 0, "", 0,
                       (uint64_t)early.pids[i]);
        children_started++;
    }
    early.count = 0;
    PyErr_Clear();
    Py_RETURN_NONE;
}

/* --- telling --- */

/* A child that came to be; `pid` is 0 where it is unknown. `flow`: to its trace, 0 = it has none. */
static void tell(PyObject *pid, enum child_kind kind, const command_name *name, uint64_t flow)
{
    int64_t child = pid && PyLong_Check(pid) ? PyLong_AsLongLong(pid) : -1;
    PyErr_Clear();
    if (is_early()) {
        if (early.count < MOST_EARLY)
            early.pids[early.count++] = child;
        return;
    }
    thread_buffer *b = child >= 0 ? ring_current() : NULL;
    if (!b)
        return;
    children_started++;
    if (flow) {
        children_followed++;
        family_count_child();
    }
    uint8_t flag = (uint8_t)(kind | (unsigned)inner.depth << CHILD_DEPTH_SHIFT);
    ring_emit_text(b, REC_CHILD, flag, stacks_here(), name->text,
                   name->length, (uint64_t)child);
}

/* `pid` is NULL if none came to be. */
static void forked_at(uint64_t flow, PyObject *pid)
{
    if (!pid && flow)
        take_back(inner.depth);
    else if (pid && PyLong_Check(pid) && PyLong_AsLongLong(pid) != 0) /* in the parent */
        tell(pid, CHILD_FORK, &(command_name){0}, flow);
}

/* The child has this thread with what is `inner` then, while the functions registered with os.register_at_fork run. */
static PyObject *fork_hook(PyObject *module, PyObject *unused)
{
    uint64_t flow = begin_flow(inner.depth);
    child_under_way outer = enter(flow, 0, NULL);
    PyObject *pid = hooks[FORK].original(module, unused);
    inner = outer;
    forked_at(flow, pid);
    return pid;
}

static PyObject *forkpty_hook(PyObject *module, PyObject *unused)
{
    uint64_t flow = begin_flow(inner.depth);
    child_under_way outer = enter(flow, 0, NULL);
    PyObject *pair = hooks[FORKPTY].original(module, unused);
    inner = outer;
    forked_at(flow, pair && PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) ? PyTuple_GET_ITEM(pair, 0) : NULL);
    return pair;
}

/* `pid` is NULL if none came to be. */
static PyObject *spawned(PyObject *pid, PyObject *words, PyObject *paths, children_departure *departs)
{
    command_name name = {0};
    if (pid) {
        command_of(&name, words, paths);
        tell(pid, CHILD_SPAWN, &name, departs->flow);
        children_started += (uint64_t)departs->leaves_one - (departs->is_helper != 0);
    } else {
        PyObject *raised = PyErr_GetRaisedException();
        children_stay(departs);
        PyErr_SetRaisedException(raised);
    }
    Py_CLEAR(departs->environment);
    return pid;
}

void children_on_name(thread_buffer *b, PyObject *named)
{
    PyObject *key = PyUnicode_InternFromString("_name");
    PyObject *name = named && PyUnicode_Check(named) ? Py_NewRef(named)
                     : key && named ? plain_attribute(named, key) : NULL;
    char word[WORD_BYTES];
    PyErr_Clear();
    if (name && word_text(name, word))
        ring_emit_text(b, REC_PROCESS_NAMED, 0, 0, word, strlen(word), 0);
    Py_XDECREF(name);
    Py_XDECREF(key);
}

/* --- multiprocessing's fork server, which another process asks for a child --- */

static _Thread_local PyObject *polled; /* the Popen whose end this thread asks for; only its address counts */

void children_on_request(thread_buffer *b)
{
    if (spawned_is_armed() && family_is_ready())
        ring_emit(b, clock_tick(), REC_FOLLOWED, 0, 0, 1, inner.depth); /* the pid, and so the flow, will be known later */
}

static long number_of(PyObject *popen, const char *name)
{
    PyObject *key = PyUnicode_InternFromString(name), *value = key ? plain_attribute(popen, key) : NULL;
    long number = value && PyLong_Check(value) ? PyLong_AsLong(value) : -1;
    Py_XDECREF(value);
    Py_XDECREF(key);
    PyErr_Clear();
    return number;
}

void children_on_served(thread_buffer *b, PyObject *popen)
{
    long pid = number_of(popen, "pid");
    uint64_t flow = pid > 0 && spawned_is_armed() && family_is_ready() ? flow_of_served(spawned_family(), (uint64_t)pid) : 0;
    if (flow)
        ring_emit(b, clock_tick(), REC_FOLLOWED, 1, 0, flow, inner.depth);
    PyObject *child = PyLong_FromLong(pid);
    tell(child, CHILD_SPAWN, &(command_name){0}, flow);
    Py_XDECREF(child);
    PyErr_Clear();
}

void children_on_poll(PyObject *popen)
{
    PyObject *key = PyUnicode_InternFromString("returncode"), *code = key ? plain_attribute(popen, key) : NULL;
    polled = code == Py_None ? popen : NULL;
    Py_XDECREF(code);
    Py_XDECREF(key);
    PyErr_Clear();
}

void children_on_polled(thread_buffer *b, PyObject *popen, PyObject *result)
{
    long pid = number_of(popen, "pid"), code = PyLong_Check(result) ? PyLong_AsLong(result) : 0;
    int is_end = popen == polled && PyLong_Check(result) && pid > 0;
    polled = NULL;
    PyErr_Clear();
    if (is_end)
        ring_emit(b, clock_tick(), REC_CHILD_ENDED, code < 0, (uint32_t)(code < 0 ? -code : code), (uint64_t)pid, 0);
}

/* --- the wrappers --- */

enum { MOST_ARGUMENTS = 32 };

/* Calls with one argument changed, if `with` is not NULL. */
static PyObject *call(enum starter how, PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names,
                      Py_ssize_t at, PyObject *with)
{
    PyObject *changed[MOST_ARGUMENTS];
    Py_ssize_t all = count + (names ? PyTuple_GET_SIZE(names) : 0);
    if (with) {
        memcpy(changed, args, (size_t)all * sizeof *args);
        changed[at] = with;
        args = changed;
    }
    PyCFunction original = hooks[how].original;
    return how == FORK_EXEC ? ((fast)(void (*)(void))original)(module, args, count)
                            : ((fast_keywords)(void (*)(void))original)(module, args, count, names);
}

/* Of `sh -c LINE` the line; NULL: it is another command. Borrowed. */
static PyObject *shell_line(PyObject *words, const char *path)
{
    char word[WORD_BYTES];
    const char *name = word_base(path);
    int is_shell = !strcmp(name, "sh") || !strcmp(name, "bash") || !strcmp(name, "dash");
    if (!is_shell || !word_at(words, 1, word) || strcmp(word, "-c") || PySequence_Size(words) < 3)
        return NULL;
    return PyList_Check(words) ? PyList_GET_ITEM(words, 2) : PyTuple_GET_ITEM(words, 2);
}

/* A copy of the words with another line. */
static PyObject *with_line(PyObject *words, PyObject *line)
{
    PyObject *list = line ? PySequence_List(words) : NULL;
    if (list && PyList_SetItem(list, 2, Py_NewRef(line)) < 0)
        Py_CLEAR(list);
    PyErr_Clear();
    return list;
}

/* What changes: the environment, by one of spawned.h's functions, or the words, with the line of a shell. */
static children_departure depart(const char *path, PyObject *words, PyObject *environment, spawned_environment *change,
                                 int *is_line)
{
    spawned_program program;
    PyObject *line = shell_line(words, path);
    *is_line = line != NULL;
    if (!line) {
        judge_program(path, words, &program);
        return depart_at(inner.depth, &program, environment, change);
    }
    judge_line(line, &program);
    PyObject *given = PyTuple_Pack(2, line, environment);
    children_departure departs = given ? depart_at(inner.depth, &program, given, spawned_line) : (children_departure){0};
    PyObject *changed = with_line(words, departs.environment);
    Py_XSETREF(departs.environment, changed);
    Py_XDECREF(given);
    PyErr_Clear();
    return departs;
}

/* os.posix_spawn(path, argv, env, …): these three have no keywords. */
static PyObject *spawn(enum starter how, PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    char path[PATH_MAX];
    children_departure departs = {0};
    int is_line = 0, is_known = count == 3 && spawned_is_armed() && (!names || PyTuple_GET_SIZE(names) < MOST_ARGUMENTS - 3);
    if (is_known && !COMPAT_SPAWN_TAKES_NONE && args[2] == Py_None)
        is_known = 0; /* it raises */
    if (is_known && (how == SPAWN ? judge_find(args[0], NULL, path, sizeof path) : judge_search(args[0], path, sizeof path)))
        departs = depart(path, args[1], args[2], spawned_dict, &is_line);
    PyObject *pid = call(how, module, args, count, names, is_line ? 1 : 2, departs.environment);
    return spawned(pid, count > 1 ? args[1] : NULL, NULL, &departs);
}

static PyObject *spawn_hook(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    return spawn(SPAWN, module, args, count, names);
}

static PyObject *spawnp_hook(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    return spawn(SPAWNP, module, args, count, names);
}

enum { FOLDER = 4, ENVIRONMENT = 5, PREEXEC = 21 };

/* fork_exec(words, paths, close_fds, pass_fds, folder, environment, …, preexec_fn, …) */
static PyObject *fork_exec_hook(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    char path[PATH_MAX];
    children_departure departs = {0};
    int is_line = 0, is_known = count > PREEXEC && count <= MOST_ARGUMENTS && spawned_is_armed();
    if (is_known && judge_find(args[1], args[FOLDER], path, sizeof path))
        departs = depart(path, args[0], args[ENVIRONMENT], spawned_list, &is_line);
    int changes = departs.environment && !is_line && args[ENVIRONMENT] == Py_None && args[PREEXEC] != Py_None;
    char **inherits = changes ? spawned_array(departs.environment) : NULL;
    child_under_way outer = enter(0, 1, inherits);
    PyObject *pid = call(FORK_EXEC, module, args, count, NULL, is_line ? 0 : ENVIRONMENT, inherits ? NULL : departs.environment);
    inner = outer;
    PyMem_RawFree(inherits);
    return spawned(pid, count > 1 ? args[0] : NULL, count > 1 ? args[1] : NULL, &departs);
}

static PyObject *system_hook(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    int is_given = count + (names ? PyTuple_GET_SIZE(names) : 0) == 1;
    PyObject *pair = is_given && spawned_is_armed() ? PyTuple_Pack(2, args[0], Py_None) : NULL;
    children_departure departs = {0};
    if (pair) {
        spawned_program program;
        judge_line(args[0], &program);
        departs = depart_at(inner.depth, &program, pair, spawned_line);
    }
    PyErr_Clear();
    PyObject *status = call(SYSTEM, module, args, count, names, 0, departs.environment);
    char line[WORD_BYTES];
    command_name name = {0};
    if (status && is_given && word_text(args[0], line)) {
        command_of_line(&name, line);
        tell(Py_False, CHILD_SPAWN, &name, departs.flow); /* its pid is unknown: 0 */
        children_started += (uint64_t)departs.leaves_one;
    } else {
        PyObject *raised = PyErr_GetRaisedException();
        children_stay(&departs);
        PyErr_SetRaisedException(raised);
    }
    Py_XDECREF(departs.environment);
    Py_XDECREF(pair);
    return status;
}

/* --- by native code --- */

static PyObject *list_of(char *const *words)
{
    PyObject *list = PyList_New(0);
    for (; list && words && *words; words++) {
        PyObject *word = PyBytes_FromString(*words);
        if (!word || PyList_Append(list, word) < 0)
            PyErr_Clear();
        Py_XDECREF(word);
    }
    return list;
}

/* As execvp() finds it once the child has its environment and its folder. */
static int find_native(const children_native *child, char *path, size_t room)
{
    const char *folders = NULL;
    for (char **at = child->environment; at && *at; at++)
        if (!strncmp(*at, "PATH=", 5))
            folders = *at + 5;
    if (child->environment && !strchr(child->file, '/'))
        return judge_search_in(folders ? folders : "/bin:/usr/bin", child->file, path, room);
    PyObject *file = PyBytes_FromString(child->file);
    PyObject *folder = child->folder ? PyBytes_FromString(child->folder) : NULL;
    int found = file && (strchr(child->file, '/') ? judge_find(file, folder, path, room) : judge_search(file, path, room));
    Py_XDECREF(folder);
    Py_XDECREF(file);
    return found;
}

void children_native_starts(children_native *child)
{
    char path[PATH_MAX];
    int is_line = 0;
    child->given = list_of(child->words);
    PyObject *environment = child->environment ? list_of(child->environment) : Py_NewRef(Py_None);
    if (child->given && environment && spawned_is_armed() && find_native(child, path, sizeof path))
        child->departs = depart(path, child->given, environment, spawned_list, &is_line);
    child->array = child->departs.environment ? spawned_array(child->departs.environment) : NULL;
    if (child->array && is_line)
        child->words = child->array;
    else if (child->array && child->environment)
        child->environment = child->array;
    Py_XDECREF(environment);
    PyErr_Clear();
}

void children_native_forked(const children_native *child)
{
    if (child->array && !child->environment && child->words != child->array)
        spawned_put(child->array); /* what runs between, like preexec_fn, has changed its own copy */
}

void children_native_started(children_native *child, int64_t pid)
{
    PyObject *number = pid ? PyLong_FromLongLong(pid) : NULL;
    spawned(number, child->given, NULL, &child->departs);
    Py_XDECREF(number);
    Py_CLEAR(child->given);
    PyMem_RawFree(child->array);
    PyErr_Clear();
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
    recorded_in = getpid();
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
    {"served_flow", served_flow, METH_VARARGS, served_doc},
    {"process_started", process_started, METH_O, arrived_doc},
    {NULL, NULL, 0, NULL},
};
