/* The sampler's part of the module; it gives the signal up if the program sets a handler for it. */
#include "sampler/methods.h"

#include "python/codes.h"
#include "python/notes.h"
#include "python/trampolines.h"
#include "ring/records.h"
#include "sampler/sampler.h"

typedef PyObject *(*fast_function)(PyObject *, PyObject *const *, Py_ssize_t);

/* The method definition of _signal.signal: every way of setting a handler in Python goes through it. */
static PyMethodDef *set_handler;
static PyCFunction original_set_handler;

static PyObject *set_handler_watched(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    int number = sampler_signal();
    int overflow;
    if (number && count && PyLong_Check(args[0]) &&
        PyLong_AsLongAndOverflow(args[0], &overflow) == number) {
        sampler_give_way();
        notes_write(NOTE_HOOK_DISABLED, "cpu", "the program uses the sampler's signal itself");
    }
    return ((fast_function)(void (*)(void))original_set_handler)(module, args, count);
}
#define SET_HANDLER_HOOK ((PyCFunction)(void (*)(void))set_handler_watched)

static void watch_set_handler(void)
{
    PyObject *module = set_handler ? NULL : PyImport_ImportModule("_signal");
    PyObject *function = module ? PyObject_GetAttrString(module, "signal") : NULL;
    if (function && PyCFunction_CheckExact(function)) {
        PyMethodDef *found = ((PyCFunctionObject *)function)->m_ml;
        if (found->ml_flags == METH_FASTCALL)
            set_handler = found;
    }
    Py_XDECREF(function);
    Py_XDECREF(module);
    PyErr_Clear();
    if (set_handler)
        trampoline_put(set_handler, SET_HANDLER_HOOK, &original_set_handler);
}

PyDoc_STRVAR(start_doc, "start_sampler(hz)\n\nSamples every thread's CPU time from now on.");

static PyObject *start_sampler(PyObject *module, PyObject *hz)
{
    (void)module;
    long rate = PyLong_AsLong(hz);
    if (rate == -1 && PyErr_Occurred())
        return NULL;
    if (rate < 1 || rate > SAMPLER_HZ_MOST)
        return PyErr_Format(PyExc_ValueError, "%ld is not a rate from 1 to %d Hz", rate, SAMPLER_HZ_MOST);
    if (codes_start() < 0)
        return NULL;
    const char *why = sampler_start((uint32_t)rate);
    if (why)
        return PyErr_Format(PyExc_RuntimeError, "no CPU samples: %s", why);
    watch_set_handler();
    Py_RETURN_NONE;
}

PyDoc_STRVAR(note_doc, "note_sampler()\n\nSays in the trace what the sampler could not do, while that is still heard.");

static PyObject *note_sampler(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    uint32_t refused = sampler_refused();
    char text[96];
    if (sampler_was_ousted())
        notes_write(NOTE_HOOK_DISABLED, "cpu", "a library of the program took the sampler's signal");
    if (sampler_hz() && refused) {
        PyOS_snprintf(text, sizeof text, "threads not sampled, since the system had no timer for them: %u", refused);
        notes_write(NOTE_OTHER, "cpu", text);
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(stop_doc, "stop_sampler()\n\nNo more samples; those taken stay in the buffers.");

static PyObject *stop_sampler(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    if (set_handler)
        trampoline_take(set_handler, SET_HANDLER_HOOK, original_set_handler);
    sampler_stop();
    Py_RETURN_NONE;
}

static PyObject *sample_wall_clock(PyObject *module, PyObject *yes)
{
    (void)module;
    sampler_use_wall_clock(yes == Py_True);
    Py_RETURN_NONE;
}

PyMethodDef sampling_methods[] = {
    {"sample_wall_clock", sample_wall_clock, METH_O, "For tests: thousands of signals a second, also of idle threads."},
    {"note_sampler", note_sampler, METH_NOARGS, note_doc},
    {"start_sampler", start_sampler, METH_O, start_doc},
    {"stop_sampler", stop_sampler, METH_NOARGS, stop_doc},
    {NULL, NULL, 0, NULL},
};
