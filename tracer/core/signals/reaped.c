/* Wrappers around the functions by which a process learns how a child ended. */
#include "signals/reaped.h"

#include <string.h>
#include <sys/wait.h>

#include "python/trampolines.h"
#include "ring/ring.h"

typedef PyObject *(*fast)(PyObject *, PyObject *const *, Py_ssize_t);
typedef PyObject *(*fast_keywords)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);

enum waiter { WAIT, WAITPID, WAIT3, WAIT4, WAITID, WAITERS };

static wrapped_builtin hooks[WAITERS];

static long number_at(PyObject *items, Py_ssize_t at)
{
    PyObject *item = PyTuple_Check(items) && at < PyTuple_GET_SIZE(items) ? PyTuple_GET_ITEM(items, at) : NULL;
    long number = item && PyLong_Check(item) ? PyLong_AsLong(item) : -1;
    PyErr_Clear();
    return number;
}

static void emit(long pid, int is_signal, long value)
{
    thread_buffer *b = pid > 0 ? ring_current() : NULL;
    if (b)
        ring_emit(b, clock_tick(), REC_CHILD_ENDED, (uint8_t)is_signal, (uint32_t)value, (uint64_t)pid, 0);
}

/* The result of all but waitid: (pid, status, …). A child that is only stopped has not ended. */
static PyObject *tell(PyObject *result)
{
    long status = result ? number_at(result, 1) : -1;
    if (status >= 0 && WIFEXITED(status))
        emit(number_at(result, 0), 0, WEXITSTATUS(status));
    else if (status >= 0 && WIFSIGNALED(status))
        emit(number_at(result, 0), 1, WTERMSIG(status));
    return result;
}

static PyObject *wait_hook(PyObject *module, PyObject *unused)
{
    return tell(hooks[WAIT].original(module, unused));
}

static PyObject *waitpid_hook(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    return tell(((fast)(void (*)(void))hooks[WAITPID].original)(module, args, count));
}

static PyObject *wait3_hook(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    return tell(((fast_keywords)(void (*)(void))hooks[WAIT3].original)(module, args, count, names));
}

static PyObject *wait4_hook(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    return tell(((fast_keywords)(void (*)(void))hooks[WAIT4].original)(module, args, count, names));
}

/* The result: (si_pid, si_uid, si_signo, si_status, si_code), or None. */
static PyObject *waitid_hook(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    PyObject *result = ((fast)(void (*)(void))hooks[WAITID].original)(module, args, count);
    long code = result ? number_at(result, 4) : -1;
    if (code == CLD_EXITED || code == CLD_KILLED || code == CLD_DUMPED)
        emit(number_at(result, 0), code != CLD_EXITED, number_at(result, 3));
    return result;
}

#define HOOK(function) (PyCFunction)(void (*)(void))(function)
static const builtin_wrapper table[WAITERS] = {
    [WAIT] = {"posix", "wait", METH_NOARGS, wait_hook},
    [WAITPID] = {"posix", "waitpid", METH_FASTCALL, HOOK(waitpid_hook)},
    [WAIT3] = {"posix", "wait3", METH_FASTCALL | METH_KEYWORDS, HOOK(wait3_hook)},
    [WAIT4] = {"posix", "wait4", METH_FASTCALL | METH_KEYWORDS, HOOK(wait4_hook)},
    [WAITID] = {"posix", "waitid", METH_FASTCALL, HOOK(waitid_hook)},
};

PyDoc_STRVAR(watch_doc, "watch_waits(posix)\n\nFrom now on the ends of children are recorded that the module's functions tell.");

static PyObject *watch_waits(PyObject *self, PyObject *module)
{
    (void)self;
    for (int i = 0; i < WAITERS; i++)
        builtin_wrap(module, &table[i], &hooks[i]);
    Py_RETURN_NONE;
}

static PyObject *unwatch_waits(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    for (int i = 0; i < WAITERS; i++)
        builtin_unwrap(&table[i], &hooks[i]);
    Py_RETURN_NONE;
}

PyMethodDef reaped_methods[] = {
    {"watch_waits", watch_waits, METH_O, watch_doc},
    {"unwatch_waits", unwatch_waits, METH_NOARGS, "Removes the wrappers."},
    {NULL, NULL, 0, NULL},
};
