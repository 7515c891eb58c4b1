/* The garbage collector: when each collection began and ended, as gc.callbacks tell. */
#include "signals/gc.h"

#include "ring/ring.h"

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

PyMethodDef gc_methods[] = {
    {"on_gc", (PyCFunction)(void (*)(void))on_gc, METH_FASTCALL, gc_doc},
    {NULL, NULL, 0, NULL},
};
