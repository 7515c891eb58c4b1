/* The variables of running calls and of suspended ones. */
#include "signals/heap/variables.h"

#include "signals/slices.h"

enum { VARIABLES = 128 /* told at a time */ };

static int add_value(PyObject *list, const PyThreadState *thread, PyCodeObject *code, int index, PyObject *value)
{
    PyObject *row = Py_BuildValue("(kOOO)", thread->thread_id, (PyObject *)code,
                                  PyTuple_GET_ITEM(code->co_localsplusnames, index), value);
    int failed = !row || PyList_Append(list, row) < 0 ? -1 : 0;
    Py_XDECREF(row);
    return failed;
}

static PyThreadState *thread_from(uint64_t id)
{
    PyThreadState *found = NULL;
    for (PyThreadState *at = PyInterpreterState_ThreadHead(PyInterpreterState_Get()); at; at = PyThreadState_Next(at))
        if (at->id >= id && (!found || at->id < found->id))
            found = at;
    return found;
}

PyDoc_STRVAR(values_doc, "variables(own, thread, calls) -> (list, thread, calls)\n\n"
"Local variables of running calls: (thread, code, name, value). It begins with the thread of that number, 0 at first, and\n"
"leaves out so many of its calls; a hundred variables at a time. What it returns is for the next call, until the\n"
"thread is 0. Not of the calling thread's innermost `own` calls.");

static PyObject *variables(PyObject *module, PyObject *args)
{
    (void)module;
    Py_ssize_t own;
    unsigned long long id, calls;
    if (!PyArg_ParseTuple(args, "nKK", &own, &id, &calls))
        return NULL;
    PyThreadState *thread = thread_from(id);
    PyObject *list = PyList_New(0);
    if (!list || !thread)
        return list ? Py_BuildValue("(Nii)", list, 0, 0) : NULL;
    id = thread->id;
    unsigned long long left_out = calls + (thread == PyThreadState_Get() ? (unsigned long long)own : 0);
    compat_frame *at = *compat_frame_slot(thread);
    for (; at && PyList_GET_SIZE(list) < VARIABLES; at = at->previous) {
        PyCodeObject *code = compat_frame_code(at);
        if (!code || left_out) {
            left_out -= code != NULL;
            continue;
        }
        calls++;
        for (int i = 0; i < code->co_nlocalsplus; i++) {
            PyObject *value = compat_frame_local(at, i);
            if (value && add_value(list, thread, code, i, value) < 0) {
                Py_DECREF(list);
                return NULL;
            }
        }
    }
    slices_give_way((uint32_t)PyList_GET_SIZE(list));
    return Py_BuildValue("(NKK)", list, at ? id : id + 1, at ? calls : 0ull);
}

PyDoc_STRVAR(suspended_doc, "suspended_variables(object) -> list\n\n"
"The local variables of a suspended coroutine or generator: (name, value). Nothing of other objects.");

static PyObject *suspended_variables(PyObject *module, PyObject *object)
{
    (void)module;
    PyObject *list = PyList_New(0);
    if (!PyGen_Check(object) && !PyCoro_CheckExact(object) && !PyAsyncGen_CheckExact(object))
        return list;
    if (!compat_gen_is_suspended(object))
        return list;
    PyCodeObject *code = compat_gen_code(object);
    for (int i = 0; list && i < code->co_nlocalsplus; i++) {
        PyObject *value = compat_gen_local(object, i);
        PyObject *row = value ? PyTuple_Pack(2, PyTuple_GET_ITEM(code->co_localsplusnames, i), value) : NULL;
        if (value && (!row || PyList_Append(list, row) < 0))
            Py_CLEAR(list);
        Py_XDECREF(row);
    }
    return list;
}

PyMethodDef variables_methods[] = {
    {"suspended_variables", suspended_variables, METH_O, suspended_doc},
    {"variables", variables, METH_VARARGS, values_doc},
    {NULL, NULL, 0, NULL},
};
