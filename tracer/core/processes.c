/* The module's part about the processes of a run: who follows, and what they count together. */
#include "processes.h"

#include <errno.h>
#include <string.h>

#include "ring/family.h"
#include "signals/asyncio/found.h"
#include "signals/asyncio/identity.h"
#include "signals/asyncio/locks.h"
#include "signals/asyncio/permits.h"
#include "signals/asyncio/timers.h"
#include "signals/asyncio/unsent.h"
#include "signals/asyncio/unasked.h"
#include "signals/kernel/kernel.h"
#include "signals/locks/locks.h"
#include "signals/twisted/deferreds.h"

PyDoc_STRVAR(follow_doc, "follow_children(folder, file, most_bytes, most_files)\n\n"
"Children may record themselves in the folder from now on; None: they may not. All together may write so many bytes\n"
"and be so many processes. Raises OSError.");

static PyObject *follow_children(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *folder, *file;
    unsigned long long most_bytes, most_files;
    if (!PyArg_ParseTuple(args, "OO&KK", &folder, PyUnicode_FSConverter, &file, &most_bytes, &most_files))
        return NULL;
    PyObject *path = NULL;
    if (folder != Py_None && !PyUnicode_FSConverter(folder, &path)) {
        Py_DECREF(file);
        return NULL;
    }
    errno = family_follow(path ? PyBytes_AS_STRING(path) : NULL, PyBytes_AS_STRING(file), most_bytes, most_files);
    Py_XDECREF(path);
    Py_DECREF(file);
    if (errno)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(rejoin_doc, "rejoin_family(folder)\n\n"
"In a process that another one of the family has spawned, instead of follow_children(). Raises OSError.");

static PyObject *rejoin(PyObject *module, PyObject *folder)
{
    (void)module;
    PyObject *path;
    if (!PyUnicode_FSConverter(folder, &path))
        return NULL;
    errno = family_rejoin(PyBytes_AS_STRING(path));
    Py_DECREF(path);
    if (errno)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(leave_doc, "leave_parent()\n\nIn a forked child: forgets the parent's tasks, and who holds locks.");

static PyObject *leave_parent(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    identity_leave_parent();
    unasked_leave_parent();
    timers_forget();
    unsent_forget();
    found_await_nothing();
    locks_leave_parent();
    async_locks_leave_parent();
    permits_forget();
    deferreds_leave_parent();
    kernel_leave_parent();
    Py_RETURN_NONE;
}

static PyObject *enter(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyLong_FromUnsignedLong(family_enter());
}

static PyObject *leave(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    family_leave();
    Py_RETURN_NONE;
}

static PyObject *count_program(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    family_count_program();
    Py_RETURN_NONE;
}

PyDoc_STRVAR(counts_doc, "family_counts() -> (children that were to record themselves, those that did, programs that\n"
"processes became, why no child could)");

static PyObject *counts(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    uint64_t asked, begun, programs;
    family_counts(&asked, &begun, &programs);
    return Py_BuildValue("KKKs", (unsigned long long)asked, (unsigned long long)begun, (unsigned long long)programs,
                         family_error() ? strerror(family_error()) : "");
}

PyMethodDef processes_methods[] = {
    {"follow_children", follow_children, METH_VARARGS, follow_doc},
    {"rejoin_family", rejoin, METH_O, rejoin_doc},
    {"leave_parent", leave_parent, METH_NOARGS, leave_doc},
    {"enter_family", enter, METH_NOARGS, "enter_family() -> int: number of this process in it; 0: there are too many."},
    {"leave_family", leave, METH_NOARGS, "This process has a number in it, but cannot record itself."},
    {"count_program", count_program, METH_NOARGS, "This process of it has become another program, with a file of its own."},
    {"family_counts", counts, METH_NOARGS, counts_doc},
    {NULL, NULL, 0, NULL},
};
