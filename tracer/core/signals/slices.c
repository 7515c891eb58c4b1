/* The clock of slices, and the pause between two. */
#define _GNU_SOURCE
#include "signals/slices.h"

#include <time.h>

#include "ring/clock.h"

static const uint64_t SLICE_NS = 1800 * 1000, PAUSE_NS = 1000 * 1000;

static _Thread_local uint64_t began_ns;
/* With the GIL. In a test each unit of work takes `unit_ns`, and nothing else takes time. */
static uint64_t unit_ns, work, longest_ns;

uint64_t slices_now_ns(void)
{
    return unit_ns ? work * unit_ns : clock_ns_of(CLOCK_MONOTONIC);
}

void slices_begin(void)
{
    began_ns = slices_now_ns();
}

int slices_is_over(uint32_t units)
{
    work += units;
    uint64_t now = slices_now_ns(), took = now > began_ns ? now - began_ns : 0;
    if (took > longest_ns)
        longest_ns = took;
    return took >= SLICE_NS;
}

void slices_pause(void)
{
    const struct timespec pause = {0, (long)PAUSE_NS};
    Py_BEGIN_ALLOW_THREADS
    nanosleep(&pause, NULL);
    Py_END_ALLOW_THREADS
    slices_begin();
}

int slices_give_way(uint32_t units)
{
    int is_over = slices_is_over(units);
    if (is_over)
        slices_pause();
    return is_over;
}

PyDoc_STRVAR(way_doc, "give_way()\n\nA unit of work is done: lets go of the GIL for a moment if the slice is over.");

static PyObject *give_way(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    slices_give_way(1);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(measure_doc, "measure_slices(unit_ns) -> int\n\n"
"For tests: the longest slice since the last call, in ns. From now on each unit of work takes so long; 0: the clock says.");

static PyObject *measure(PyObject *module, PyObject *arg)
{
    (void)module;
    unsigned long long unit = PyLong_AsUnsignedLongLong(arg);
    if (PyErr_Occurred())
        return NULL;
    PyObject *longest = PyLong_FromUnsignedLongLong(longest_ns);
    unit_ns = unit;
    longest_ns = 0;
    slices_begin();
    return longest;
}

PyMethodDef slices_methods[] = {
    {"give_way", give_way, METH_NOARGS, way_doc},
    {"measure_slices", measure, METH_O, measure_doc},
    {NULL, NULL, 0, NULL},
};
