/* Cancel scopes of anyio on asyncio whose deadline has come, and whose task waits on: what it awaits is shielded, as a
 * thread that is not abandoned. Where it has effect, the scope cancels its task. */
#include "signals/asyncio/scopes.h"

#include "python/plain.h"
#include "signals/asyncio/identity.h"

static PyObject *str_called, *str_host, *str_cancelling;

/* A task that runs has not come to its wait yet. */
static int waits(PyObject *task)
{
    PyObject *waiter = identity_read(task, FIELD_WAITER);
    Py_XDECREF(waiter);
    return waiter && waiter != Py_None;
}

static int has_method_of(PyObject *task, PyTypeObject *type, PyObject *method)
{
    return type && PyObject_TypeCheck(task, type) && method == _PyType_Lookup(type, str_cancelling);
}

/* Also where only the program knows, since it has a method of its own: that is not called. */
static int is_cancelled(PyObject *task)
{
    PyObject *method = _PyType_Lookup(Py_TYPE(task), str_cancelling);
    if (!method || (!has_method_of(task, identity.c_task, method) && !has_method_of(task, identity.py_task, method)))
        return 1;
    PyObject *count = PyObject_CallOneArg(method, task);
    int cancelled = !count || PyObject_IsTrue(count);
    Py_XDECREF(count);
    return cancelled;
}

void scopes_due(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)value;
    PyObject *scope = compat_local(PyThreadState_Get(), 0);
    if (!str_called) {
        str_called = PyUnicode_InternFromString("_cancel_called");
        str_host = PyUnicode_InternFromString("_host_task");
        str_cancelling = PyUnicode_InternFromString("cancelling");
    }
    PyObject *called = scope && str_called && str_host && str_cancelling ? plain_attribute(scope, str_called) : NULL;
    PyObject *host = called == Py_True ? plain_attribute(scope, str_host) : NULL;
    uint32_t id = host ? identity_id(host) : 0;
    if (id && waits(host) && !is_cancelled(host))
        ring_emit(b, tick, REC_TASK_TOLD, TOLD_REFUSED, id, 0, 0);
    PyErr_Clear();
    Py_XDECREF(called);
    Py_XDECREF(host);
}
