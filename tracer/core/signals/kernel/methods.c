/* kernel.h for Python: what signals/sched.py calls, and the doors of the tests. */
#include "signals/kernel/methods.h"

#include <stdlib.h>

#include "signals/kernel/kernel.h"
#include "signals/kernel/rings.h"
#include "output/writer.h"

PyDoc_STRVAR(kernel_start_doc, "kernel_start(refusal) -> str\n\n"
"Context switches are recorded from now on: ''; or counters instead, and why. `refusal`: an errno\n"
"the kernel is taken to answer with, for tests; 0 asks it.");

static PyObject *start_kernel(PyObject *module, PyObject *args)
{
    (void)module;
    int refusal;
    char why[192];
    if (!PyArg_ParseTuple(args, "i", &refusal))
        return NULL;
    return PyUnicode_FromString(kernel_start(refusal, why, sizeof why) ? why : "");
}

/* --- for tests --- */

static void append_switch(void *list, uint32_t tid, uint64_t ns, enum kernel_state state, uint64_t lost)
{
    PyObject *item = Py_BuildValue("IKiK", tid, (unsigned long long)ns, (int)state, (unsigned long long)lost);
    if (item && !PyErr_Occurred())
        PyList_Append(list, item);
    Py_XDECREF(item);
}

PyDoc_STRVAR(kernel_feed_doc, "kernel_feed(until_ns, finish) -> [(tid, ns, state, lost)]\n\n"
"For tests, without a recording: what the writer would be told; to the end and closed if `finish`.");

static PyObject *feed_kernel(PyObject *module, PyObject *args)
{
    (void)module;
    unsigned long long until_ns;
    int finish;
    if (!PyArg_ParseTuple(args, "Kp", &until_ns, &finish))
        return NULL;
    if (writer_running()) {
        PyErr_SetString(PyExc_RuntimeError, "the writer reads them");
        return NULL;
    }
    PyObject *list = PyList_New(0);
    if (!list)
        return NULL;
    kernel_feed(until_ns, append_switch, list);
    if (finish) {
        kernel_finish(append_switch, list);
        kernel_stop();
    }
    if (PyErr_Occurred())
        Py_CLEAR(list);
    return list;
}

PyDoc_STRVAR(kernel_merge_doc, "kernel_merge(rings, untils, pid, ignored) -> [(tid, ns, state, lost)]\n\n"
"For tests: what rings of (bytes, offset at which they begin) give when asked up to each time.");

static PyObject *merge_kernel(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *images, *untils, *list = PyList_New(0);
    kernel_rings *k = calloc(1, sizeof *k);
    unsigned int ignored;
    if (!list || !k || !PyArg_ParseTuple(args, "O!O!II", &PyList_Type, &images, &PyList_Type, &untils,
                                         &k->pid, &ignored))
        goto done;
    k->ignored[0] = ignored;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(images) && i < KERNEL_CPUS; i++) {
        const char *bytes;
        Py_ssize_t length;
        unsigned long long at;
        kernel_ring *r = &k->rings[i];
        if (!PyArg_ParseTuple(PyList_GET_ITEM(images, i), "y#K", &bytes, &length, &at))
            goto done;
        for (r->size = 64; r->size < (uint64_t)length;)
            r->size *= 2;
        uint8_t *memory = calloc(1, sizeof *r->page + r->size);
        if (!memory)
            goto done;
        r->page = (struct perf_event_mmap_page *)memory;
        r->data = memory + sizeof *r->page;
        for (Py_ssize_t b = 0; b < length; b++)
            memory[sizeof *r->page + (at + (uint64_t)b) % r->size] = (uint8_t)bytes[b];
        r->at = r->page->data_tail = at;
        r->page->data_head = at + (uint64_t)length;
        k->count++;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(untils); i++)
        kernel_rings_feed(k, PyLong_AsUnsignedLongLong(PyList_GET_ITEM(untils, i)), append_switch, list);
done:
    for (uint32_t i = 0; k && i < KERNEL_CPUS; i++)
        free(k->rings[i].page);
    free(k);
    if (PyErr_Occurred())
        Py_CLEAR(list);
    return list;
}

PyMethodDef kernel_methods[] = {
    {"kernel_start", start_kernel, METH_VARARGS, kernel_start_doc},
    {"kernel_feed", feed_kernel, METH_VARARGS, kernel_feed_doc},
    {"kernel_merge", merge_kernel, METH_VARARGS, kernel_merge_doc},
    {NULL, NULL, 0, NULL},
};
