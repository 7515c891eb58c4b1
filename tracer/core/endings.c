/* Wrappers around the functions by which a process ends itself: they write what was recorded first. */
#include "endings.h"

#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "output/killed.h"
#include "output/remarks.h"
#include "python/notes.h"
#include "python/stacks.h"
#include "python/trampolines.h"
#include "recording.h"
#include "ring/records.h"
#include "signals/children.h"
#include "signals/spawned.h"

typedef PyObject *(*two_args)(PyObject *, PyObject *);
typedef PyObject *(*fast)(PyObject *, PyObject *const *, Py_ssize_t);
typedef PyObject *(*fast_keywords)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);

enum ending { EXIT, ABORT, EXECV, EXECVE, KILL, KILLPG, PTHREAD_KILL, RAISE_SIGNAL, ENDINGS };

static wrapped_builtin hooks[ENDINGS];

/* --- signals that may end the process --- */

enum verdict { GOES_ON, MAY_END, ENDS };

/* Whether the signal, sent to this process, would end it. */
static enum verdict of_signal(long number, int to_this_thread)
{
    static const int harmless[] = {SIGCHLD, SIGCONT, SIGURG, SIGWINCH, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
    struct sigaction action;
    sigset_t blocked;
    if (number <= 0 || number >= NSIG)
        return GOES_ON;
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (number == harmless[i])
            return GOES_ON;
    if (number != SIGKILL && (sigaction((int)number, NULL, &action) < 0 || action.sa_handler != SIG_DFL))
        return GOES_ON;
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    int held = number != SIGKILL && sigismember(&blocked, (int)number) == 1;
    if (held && to_this_thread)
        return GOES_ON;
    return held || getpid() == 1 ? MAY_END : ENDS; /* process 1 of a container survives such a signal */
}

static long number_of(PyObject *object)
{
    int overflow = 0;
    long value = PyLong_Check(object) ? PyLong_AsLongAndOverflow(object, &overflow) : 0;
    return overflow ? 0 : value;
}

static enum verdict of_call(enum ending how, PyObject *const *args, Py_ssize_t count)
{
    long first = count > 0 ? number_of(args[0]) : 0, second = count > 1 ? number_of(args[1]) : 0;
    switch (how) {
    case EXIT:
        return count == 1 && PyLong_Check(args[0]) && first == (int)first ? ENDS : GOES_ON;
    case ABORT:
        return ENDS;
    case KILL:
        return first == getpid() || (count == 2 && PyLong_Check(args[0]) && first == 0) || -first == getpgrp()
                   ? of_signal(second, 0) : GOES_ON;
    case KILLPG:
        return first == getpgrp() || (count == 2 && PyLong_Check(args[0]) && first == 0) ? of_signal(second, 0) : GOES_ON;
    case PTHREAD_KILL: {
        int here = count > 0 && PyLong_Check(args[0]) && PyLong_AsUnsignedLongMask(args[0]) == (unsigned long)pthread_self();
        enum verdict found = of_signal(second, here);
        return found == ENDS && !here ? MAY_END : found; /* that thread may block it */
    }
    case RAISE_SIGNAL:
        return of_signal(first, 1);
    default:
        return GOES_ON;
    }
}

/* The exit code or the signal of a call that ends the process. */
static long value_of_call(enum ending how, PyObject *const *args, Py_ssize_t count)
{
    static const int at[ENDINGS] = {[KILL] = 1, [KILLPG] = 1, [PTHREAD_KILL] = 1};
    if (how == ABORT)
        return SIGABRT;
    long value = at[how] < count ? number_of(args[at[how]]) : 0;
    return how == EXIT ? value & 0xff : value;
}

/* Of a signal: a server that was told to stop often sends it to itself once it has stopped (uvicorn), which is no crash. */
static int asks_to_end(long number)
{
    return number == SIGTERM || number == SIGINT || number == SIGHUP;
}

/* Called before the process ends, or may end, in this way. */
static void before(enum ending how, PyObject *const *args, Py_ssize_t count)
{
    enum verdict found = recording_runs() ? of_call(how, args, count) : GOES_ON;
    if (found == ENDS) {
        long value = value_of_call(how, args, count);
        remarks_ends(how != EXIT, (int)value);
        recording_finish(how == EXIT || asks_to_end(value));
    }
    if (found == MAY_END && recording_checkpoint(NULL))
        recording_go_on();
}

/* --- exec --- */

/* The path, as bytes, of an executable file; NULL (without an exception) for any other file, and for a
 * descriptor, which exec accepts too. */
static PyObject *executable(PyObject *path)
{
    PyObject *encoded = NULL;
    if (!path || PyLong_Check(path) || !PyUnicode_FSConverter(path, &encoded)) {
        PyErr_Clear();
        return NULL;
    }
    if (access(PyBytes_AS_STRING(encoded), X_OK) == 0)
        return encoded;
    Py_DECREF(encoded);
    return NULL;
}

/* Where an argument is: its number among all, or -1. */
static Py_ssize_t place(Py_ssize_t at, Py_ssize_t count, PyObject *names, const char *name)
{
    if (at < count)
        return at;
    for (Py_ssize_t i = 0; names && i < PyTuple_GET_SIZE(names); i++)
        if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, i), name) == 0)
            return count + i;
    return -1;
}

enum { EXEC_ARGUMENTS = 3 }; /* path, argv, env */

/* Calls exec. It returns only if it failed. While it runs this thread has the GIL, so nobody else changes `environ`. */
static PyObject *call_exec(enum ending how, PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names,
                           PyObject *environment, Py_ssize_t at)
{
    PyCFunction original = hooks[how].original;
    if (how == EXECVE) {
        PyObject *changed[EXEC_ARGUMENTS];
        if (environment) {
            memcpy(changed, args, sizeof changed);
            changed[at] = environment;
            args = changed;
        }
        return ((fast_keywords)(void (*)(void))original)(module, args, count, names);
    }
    char **own = environ, **array = environment ? spawned_array(environment) : NULL;
    if (array)
        environ = array;
    PyObject *result = ((fast)(void (*)(void))original)(module, args, count);
    if (array)
        environ = own;
    PyMem_RawFree(array);
    return result;
}

/* Whether the new program will record itself: it will find what it needs in its environment. */
static children_departure depart(enum ending how, PyObject *file, PyObject *const *args, Py_ssize_t words, Py_ssize_t at)
{
    spawned_program program = {0};
    if (!file || words < 0 || (how == EXECVE && at < 0) || !spawned_is_armed())
        return (children_departure){0};
    judge_exec(PyBytes_AS_STRING(file), args[words], &program);
    return how == EXECV ? children_exec_departs(&program, Py_None, spawned_list)
                        : children_exec_departs(&program, args[at], spawned_dict);
}

/* Calls exec once everything is written. */
static PyObject *execute(enum ending how, PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    Py_ssize_t first = place(0, count, names, "path"), at = place(2, count, names, "env");
    Py_ssize_t all = count + (names ? PyTuple_GET_SIZE(names) : 0);
    PyObject *path = recording_runs() && first >= 0 ? args[first] : NULL;
    PyObject *file = executable(path), *result;
    children_departure departs = {0};
    int written = 0;
    if (file || (path && PyLong_Check(path))) {
        const char *what = file ? PyBytes_AS_STRING(file) : "a file descriptor";
        if (all == (how == EXECV ? 2 : EXEC_ARGUMENTS))
            departs = depart(how, file, args, place(1, count, names, "argv"), at);
        notes_write(NOTE_EXEC, what, "");
        written = recording_checkpoint(departs.flow ? NULL : what);
    }
    result = call_exec(how, module, args, count, names, departs.environment, at);
    if (written) {
        notes_write(NOTE_EXEC_FAILED, "", "");
        recording_go_on();
    }
    Py_XDECREF(departs.environment);
    Py_XDECREF(file);
    return result;
}

/* --- the wrappers --- */

static PyObject *exit_hook(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    before(EXIT, args, count + (names ? PyTuple_GET_SIZE(names) : 0));
    return ((fast_keywords)(void (*)(void))hooks[EXIT].original)(module, args, count, names);
}

static PyObject *abort_hook(PyObject *module, PyObject *unused)
{
    before(ABORT, NULL, 0);
    return hooks[ABORT].original(module, unused);
}

static PyObject *execv_hook(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    return execute(EXECV, module, args, count, NULL);
}

static PyObject *execve_hook(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    return execute(EXECVE, module, args, count, names);
}

static PyObject *raise_signal_hook(PyObject *module, PyObject *number)
{
    before(RAISE_SIGNAL, &number, 1);
    return hooks[RAISE_SIGNAL].original(module, number);
}

#define FAST_HOOK(name, how)                                                                     \
    static PyObject *name(PyObject *module, PyObject *const *args, Py_ssize_t count)             \
    {                                                                                            \
        before(how, args, count);                                                                \
        return ((fast)(void (*)(void))hooks[how].original)(module, args, count);                 \
    }
FAST_HOOK(pass_kill, KILL)
FAST_HOOK(killpg_hook, KILLPG)
FAST_HOOK(pthread_kill_hook, PTHREAD_KILL)

/* Who ends other processes, or asks them to end, is told. */
static PyObject *kill_hook(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    PyObject *result = pass_kill(module, args, count);
    long pid = result && count == 2 ? number_of(args[0]) : 0, number = pid ? number_of(args[1]) : 0;
    thread_buffer *b = pid > 0 && pid != getpid() && number > 0 && number < NSIG ? ring_current() : NULL;
    if (b) {
        uint64_t tick = clock_tick();
        uint32_t stack = stacks_here();
        ring_emit(b, tick, REC_SIGNAL_SENT, (uint8_t)number, stack, (uint64_t)pid, 0);
    }
    return result;
}

#define HOOK(function) (PyCFunction)(void (*)(void))(function)
static const builtin_wrapper table[ENDINGS] = {
    [EXIT] = {"posix", "_exit", METH_FASTCALL | METH_KEYWORDS, HOOK(exit_hook)},
    [ABORT] = {"posix", "abort", METH_NOARGS, abort_hook},
    [EXECV] = {"posix", "execv", METH_FASTCALL, HOOK(execv_hook)},
    [EXECVE] = {"posix", "execve", METH_FASTCALL | METH_KEYWORDS, HOOK(execve_hook)},
    [KILL] = {"posix", "kill", METH_FASTCALL, HOOK(kill_hook)},
    [KILLPG] = {"posix", "killpg", METH_FASTCALL, HOOK(killpg_hook)},
    [PTHREAD_KILL] = {"_signal", "pthread_kill", METH_FASTCALL, HOOK(pthread_kill_hook)},
    [RAISE_SIGNAL] = {"_signal", "raise_signal", METH_O, raise_signal_hook},
};

PyDoc_STRVAR(watch_doc, "watch_endings()\n\n"
"From now on os._exit, os.abort, exec and signals that the process sends to itself end the recording first:\n"
"they call finish() or replaced() of the Recording.");

static PyObject *watch_endings(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    for (int i = 0; i < ENDINGS; i++) {
        PyObject *module_of = hooks[i].def ? NULL : PyImport_ImportModule(table[i].module);
        builtin_wrap(module_of, &table[i], &hooks[i]);
        Py_XDECREF(module_of);
    }
    Py_RETURN_NONE;
}

static PyObject *unwatch_endings(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    for (int i = 0; i < ENDINGS; i++)
        builtin_unwrap(&table[i], &hooks[i]);
    Py_RETURN_NONE;
}

static PyObject *heed_kill(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    killed_heed();
    Py_RETURN_NONE;
}

PyMethodDef endings_methods[] = {
    {"heed_kill", heed_kill, METH_NOARGS, "From now on a SIGTERM that ends the process lets the writer end first."},
    {"watch_endings", watch_endings, METH_NOARGS, watch_doc},
    {"unwatch_endings", unwatch_endings, METH_NOARGS, "Removes the wrappers."},
    {NULL, NULL, 0, NULL},
};
