/* Threads as threading.Thread shows them, and the collector's callbacks. */
#include "signals/hooks.h"

#include <string.h>

#include "signals/gil/attached.h"
#include "sampler/sampler.h"

static void emit_thread_name(thread_buffer *b, uint32_t tid, PyObject *name)
{
    Py_ssize_t length;
    const char *text = name && PyUnicode_Check(name) ? PyUnicode_AsUTF8AndSize(name, &length) : NULL;
    if (text)
        ring_emit_text(b, REC_THREAD_NAME, 0, tid, text, (size_t)length);
    PyErr_Clear();
}

void threads_on_start(thread_buffer *b, PyObject *thread)
{
    ring_emit(b, clock_tick(), REC_THREAD_SPAWN, 0, 0, (uint64_t)(uintptr_t)thread, 0);
}

void threads_on_bootstrap(thread_buffer *b, PyObject *thread)
{
    if (gil_mode == GIL_ABSENT)
        attached_begin(b);
    PyObject *name = thread ? PyObject_GetAttrString(thread, "_name") : NULL;
    emit_thread_name(b, (uint32_t)b->tid, name);
    sampler_arm_self();
    Py_XDECREF(name);
    PyErr_Clear();
    ring_emit(b, clock_tick(), REC_THREAD_BEGIN, 0, 0, (uint64_t)(uintptr_t)thread, 0);
}

void threads_on_rename(thread_buffer *b, PyObject *thread, PyObject *name)
{
    PyObject *tid = thread ? PyObject_GetAttrString(thread, "_native_id") : NULL;
    if (tid && PyLong_Check(tid)) /* a thread that has not started gives its name when it does */
        emit_thread_name(b, (uint32_t)PyLong_AsUnsignedLong(tid), name);
    Py_XDECREF(tid);
    PyErr_Clear();
}

PyDoc_STRVAR(name_doc, "name_thread(tid, name)\n\nNames a thread that ran before the recording.");

static PyObject *name_thread(PyObject *module, PyObject *args)
{
    (void)module;
    unsigned int tid;
    PyObject *name;
    if (!PyArg_ParseTuple(args, "IU", &tid, &name))
        return NULL;
    thread_buffer *b = ring_current();
    if (b)
        emit_thread_name(b, tid, name);
    Py_RETURN_NONE;
}

static uint64_t number(PyObject *info, const char *key)
{
    PyObject *value = PyDict_Check(info) ? PyDict_GetItemString(info, key) : NULL;
    uint64_t result = value && PyLong_Check(value) ? PyLong_AsUnsignedLongLong(value) : 0;
    PyErr_Clear();
    return result;
}

PyDoc_STRVAR(gc_doc, "on_gc(phase, info)\n\nFor gc.callbacks.");

static PyObject *on_gc(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    uint64_t tick = clock_tick();
    thread_buffer *b = count == 2 && PyUnicode_Check(args[0]) ? ring_current() : NULL;
    if (!b)
        Py_RETURN_NONE;
    int starts = PyUnicode_CompareWithASCIIString(args[0], "start") == 0;
    uint32_t generation = (uint32_t)number(args[1], "generation");
    if (starts)
        ring_emit(b, clock_tick(), REC_GC_BEGIN, 0, generation, 0, 0);
    else
        ring_emit(b, tick, REC_GC_END, 0, generation, number(args[1], "collected"),
                  number(args[1], "uncollectable"));
    Py_RETURN_NONE;
}

PyMethodDef threads_methods[] = {
    {"name_thread", name_thread, METH_VARARGS, name_doc},
    {"on_gc", (PyCFunction)(void (*)(void))on_gc, METH_FASTCALL, gc_doc},
    {NULL, NULL, 0, NULL},
};
