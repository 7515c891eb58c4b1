/* Names what is awaited inside libraries, and finds the pool and its size: see signals/libraries.py. */
#include "signals/libraries.h"

#include <string.h>

#include "python/plain.h"

enum { POOLS = 64, TERMS = 4, PARTIALS = 4 };

/* Where a pool is found, and its size. */
typedef struct {
    int local;            /* the variable of the frame that leads to it */
    PyObject *identity;   /* names of attributes, one of another: what stands for it */
    PyObject *terms;      /* such tuples: numbers … */
    int is_sum;           /* … that add up; else the one that is not 0 */
    uint32_t slots;       /* if there are no terms */
    PyObject *holders;    /* such a tuple: a set of who has the slots; NULL: there is none */
} pool_row;

static pool_row rows[POOLS];
static uint8_t row_count;

static long number_at(PyObject *object, PyObject *names)
{
    PyObject *found = plain_path(object, names);
    long number = found && PyLong_CheckExact(found) ? PyLong_AsLong(found) : -1;
    PyErr_Clear();
    Py_XDECREF(found);
    return number;
}

static uint32_t slots_of(const pool_row *row, PyObject *object)
{
    long sum = 0;
    int set = 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(row->terms); i++) {
        long number = number_at(object, PyTuple_GET_ITEM(row->terms, i));
        if (number < 0 || (!row->is_sum && number && set++))
            return 0;
        sum += number;
    }
    return sum > 0 && sum < INT32_MAX ? (uint32_t)sum : row->slots;
}

library_pool library_pool_of(uint8_t number, const compat_frame *frame)
{
    library_pool found = {0};
    if (!number || number > row_count)
        return found;
    const pool_row *row = &rows[number - 1];
    PyObject *object = compat_frame_local(frame, row->local);
    if (object && PyCell_Check(object))
        object = PyCell_GET(object);
    if (!object || object == Py_None)
        return found;
    found.slots = slots_of(row, object);
    found.holders = row->holders ? plain_path(object, row->holders) : NULL;
    Py_XDECREF(found.holders); /* the pool holds it */
    found.object = plain_path(object, row->identity);
    Py_XDECREF(found.object); /* the pool holds it */
    return found;
}

static int is_users(PyCodeObject *code)
{
    const code_facts *facts = codes_of(code);
    return !facts->inside_library && !facts->inside_package;
}

/* The user's function that a callable is, or that a partial hands on to a library's function. */
static PyCodeObject *users_code(PyObject *callable, int depth)
{
    PyCodeObject *code = codes_of_callable(callable);
    if (code && is_users(code))
        return code;
    code = NULL;
    int is_partial = depth < PARTIALS && !strcmp(Py_TYPE(callable)->tp_name, "functools.partial");
    PyObject *inner = is_partial ? PyObject_GetAttrString(callable, "func") : NULL;
    PyObject *args = is_partial ? PyObject_GetAttrString(callable, "args") : NULL;
    PyObject *keywords = is_partial ? PyObject_GetAttrString(callable, "keywords") : NULL;
    PyObject *key, *value;
    for (Py_ssize_t i = 0; !code && args && PyTuple_Check(args) && i < PyTuple_GET_SIZE(args); i++)
        code = users_code(PyTuple_GET_ITEM(args, i), depth + 1);
    for (Py_ssize_t i = 0; !code && keywords && PyDict_Check(keywords) && PyDict_Next(keywords, &i, &key, &value);)
        code = users_code(value, depth + 1);
    if (!code && inner)
        code = users_code(inner, depth + 1);
    PyErr_Clear();
    Py_XDECREF(inner);
    Py_XDECREF(args);
    Py_XDECREF(keywords);
    return code;
}

PyCodeObject *library_job_of(uint8_t number, const compat_frame *frame)
{
    PyObject *called = library_pool_of(number, frame).object;
    return called ? users_code(called, 0) : NULL;
}

static int is_names(PyObject *names)
{
    for (Py_ssize_t i = 0; PyTuple_Check(names) && i < PyTuple_GET_SIZE(names); i++)
        if (!PyUnicode_Check(PyTuple_GET_ITEM(names, i)))
            return 0;
    return PyTuple_Check(names);
}

PyDoc_STRVAR(pool_doc, "library_pool(local, identity, terms, is_sum, slots, holders=None) -> int\n\n"
"The number of a kind of pool: which variable of a frame leads to it, the names of attributes that lead on\n"
"to what stands for it, and such tuples for the terms of its size; `slots` if there are none.\n"
"`holders`: such a tuple, for a set of the tasks that have the slots.");

static PyObject *add_pool(PyObject *module, PyObject *args)
{
    (void)module;
    pool_row row = {0};
    if (!PyArg_ParseTuple(args, "iO!O!pI|O!", &row.local, &PyTuple_Type, &row.identity, &PyTuple_Type, &row.terms,
                          &row.is_sum, &row.slots, &PyTuple_Type, &row.holders))
        return NULL;
    int is_known = is_names(row.identity) && PyTuple_GET_SIZE(row.terms) <= TERMS && row.local >= 0;
    for (Py_ssize_t i = 0; is_known && i < PyTuple_GET_SIZE(row.terms); i++)
        is_known = is_names(PyTuple_GET_ITEM(row.terms, i));
    if (!is_known || (row.holders && !is_names(row.holders)) || row_count == POOLS)
        return PyErr_Format(PyExc_ValueError, "no such pool");
    Py_INCREF(row.identity);
    Py_INCREF(row.terms);
    Py_XINCREF(row.holders);
    rows[row_count++] = row;
    return PyLong_FromLong(row_count);
}

PyDoc_STRVAR(label_doc, "label_library(code, awaits, waits, is_direct, pool)\n\n"
"Names waits inside `code`, a function of an installed package: a task's and, if `pool` is not 0, a thread's. Not in a\n"
"coroutine: it awaits its slot, and a thread that waits inside it waits for something else.\n"
"is_direct: only where this code itself awaits a future.");

static PyObject *label_library(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *code, *awaits, *waits;
    int is_direct;
    unsigned char pool;
    if (!PyArg_ParseTuple(args, "O!UUpb", &PyCode_Type, &code, &awaits, &waits, &is_direct, &pool))
        return NULL;
    code_facts *facts = codes_change((PyCodeObject *)code);
    if (facts->func) {
        facts->label = codes_text(awaits);
        facts->label_of = is_direct ? LABEL_OF_PACKAGE_DIRECT : LABEL_OF_PACKAGE;
        facts->pool = pool;
        int awaits_slot = ((PyCodeObject *)code)->co_flags & CO_COROUTINE;
        facts->wait = pool && !awaits_slot ? codes_text(waits) : 0;
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(runs_doc, "label_runner(code, number, in_greenlet)\n\n"
"`code` lets a greenlet, or else a thread, run functions for a task: `number` says where it has the greenlet or the\n"
"function, as library_pool().");

static PyObject *label_runner(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *code;
    unsigned char number;
    int in_greenlet;
    if (!PyArg_ParseTuple(args, "O!bp", &PyCode_Type, &code, &number, &in_greenlet))
        return NULL;
    code_facts *facts = codes_change((PyCodeObject *)code);
    if (facts->func)
        *(in_greenlet ? &facts->greenlet : &facts->job) = number;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(stand_in_doc, "label_stand_in(code, number)\n\n"
"A task that waits inside `code` has the slot of a limiter by an object of its own: `number` says where, as library_pool().");

static PyObject *label_stand_in(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *code;
    unsigned char number;
    if (!PyArg_ParseTuple(args, "O!b", &PyCode_Type, &code, &number))
        return NULL;
    code_facts *facts = codes_change((PyCodeObject *)code);
    if (facts->func)
        facts->stand_in = number;
    Py_RETURN_NONE;
}

PyMethodDef libraries_methods[] = {
    {"library_pool", add_pool, METH_VARARGS, pool_doc},
    {"label_library", label_library, METH_VARARGS, label_doc},
    {"label_runner", label_runner, METH_VARARGS, runs_doc},
    {"label_stand_in", label_stand_in, METH_VARARGS, stand_in_doc},
    {NULL, NULL, 0, NULL},
};
