/* What a future hands over as an await of it ends: a StopIteration with its result, and CPython tells of each exception whoever
 * asked for those that are raised. The recorder did (failures.c), and such a one is no failure.
 *
 * Mostly the result is None, as of each sleep and of each wait for data. C code may say that without an exception: then
 * there is nothing to tell. Where anybody else is told of exceptions, a debugger or a tool, all stays as it is. So it does on a Python on
 * which next() would then show its caller something else (COMPAT_CAN_END_QUIETLY). */
#include "signals/asyncio/results.h"

#include "ring/hot.h"
#include "signals/failures.h"

static PyTypeObject *type; /* a reference; NULL: not watched */
static HOT_DATA iternextfunc original; /* stays set: threads may be inside … */
static HOT_DATA sendfunc send;         /* … and so does this */

static COLD PyObject *end_with(PyObject *result)
{
    PyObject *error = PyObject_CallOneArg(PyExc_StopIteration, result); /* an exception or a tuple would be taken for more */
    if (error)
        PyErr_SetObject(PyExc_StopIteration, error);
    Py_XDECREF(error);
    Py_DECREF(result);
    return NULL;
}

static HOT PyObject *next_quiet(PyObject *iterator)
{
    if (!failures_are_heard_alone())
        return original(iterator);
    PyObject *result = NULL;
    PySendResult sent = send(iterator, Py_None, &result);
    if (sent == PYGEN_RETURN && result != Py_None)
        return end_with(result);
    if (sent == PYGEN_RETURN)
        Py_CLEAR(result);
    return result;
}

void results_watch(PyObject *iterator)
{
    PyTypeObject *found = iterator && PyType_Check(iterator) ? (PyTypeObject *)iterator : NULL;
    if (!COMPAT_CAN_END_QUIETLY || type || !found || !found->tp_iternext || !found->tp_as_async || !found->tp_as_async->am_send)
        return;
    type = (PyTypeObject *)Py_NewRef(found);
    send = type->tp_as_async->am_send;
    if (type->tp_iternext != next_quiet)
        original = type->tp_iternext;
    type->tp_iternext = next_quiet;
}

void results_unwatch(void)
{
    if (type && type->tp_iternext == next_quiet)
        type->tp_iternext = original;
    Py_CLEAR(type);
}
