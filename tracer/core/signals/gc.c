/* The garbage collector: when each collection began and ended, as the interpreter reports it to
 * gc.callbacks.
 *
 * The program does not find the recorder in gc.callbacks: the interpreter gets another list, with one
 * function of the recorder, which passes every call on to the program's functions. */
#include "signals/gc.h"

#include "python/stacks.h"
#include "python/trampolines.h"
#include "ring/ring.h"

static uint64_t number(PyObject *info, const char *key)
{
    PyObject *value = PyDict_Check(info) ? PyDict_GetItemString(info, key) : NULL;
    uint64_t result = value && PyLong_Check(value) ? PyLong_AsUnsignedLongLong(value) : 0;
    PyErr_Clear();
    return result;
}

/* --- gc.collect() --- */

typedef PyObject *(*fast_keywords)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);

/* The call of gc.collect() that this thread is in, until the collection begins. */
typedef struct {
    int is_made;
    uint32_t stack;
} collect_call;

static _Thread_local collect_call called;
static PyMethodDef *collect; /* NULL: not wrapped */
static PyCFunction collect_original;

static PyObject *collect_hook(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    collect_call outer = called;
    called = (collect_call){0};
    if (ring_current())
        called = (collect_call){1, stacks_here()};
    PyObject *result = ((fast_keywords)(void (*)(void))collect_original)(module, args, count, names);
    called = outer;
    return result;
}

#define COLLECT_HOOK (PyCFunction)(void (*)(void))collect_hook

PyDoc_STRVAR(watch_collect_doc, "watch_collect(function)\n\n"
"Marks the collections that gc.collect, the argument, is called for.");

static PyObject *watch_collect(PyObject *module, PyObject *function)
{
    (void)module;
    PyMethodDef *def = collect ? NULL : compat_method_def(function);
    if (def && def->ml_flags == (METH_FASTCALL | METH_KEYWORDS)) {
        collect = def; /* static: it outlives the function */
        trampoline_put(def, COLLECT_HOOK, &collect_original);
    }
    Py_RETURN_NONE;
}

/* If other code has wrapped it after us, it keeps both wrappers. */
static void unwatch_collect(void)
{
    if (collect && trampoline_take(collect, COLLECT_HOOK, collect_original))
        collect = NULL;
}

/* --- the callbacks --- */

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
    if (starts) {
        ring_emit(b, clock_tick(), REC_GC_BEGIN, (uint8_t)called.is_made, generation, called.stack, 0);
        called = (collect_call){0};
    } else {
        ring_emit(b, tick, REC_GC_END, 0, generation, number(args[1], "collected"),
                  number(args[1], "uncollectable"));
    }
    Py_RETURN_NONE;
}

static PyObject *hidden;     /* our list, while … */
static PyObject **place;     /* … the interpreter has it there … */
static PyObject *programs;   /* … instead of this one, whose reference we keep for it */
static int passing_on;       /* calls of the program's functions that are under way */
static int is_watched;

/* Calls them as the interpreter does. */
static void pass_on(PyObject *const *args, Py_ssize_t count)
{
    passing_on++;
    for (Py_ssize_t i = 0; programs && i < PyList_GET_SIZE(programs); i++) {
        PyObject *callback = Py_NewRef(PyList_GET_ITEM(programs, i));
        PyObject *result = PyObject_Vectorcall(callback, args, (size_t)count, NULL);
        if (!result)
            compat_gc_callback_failed(callback);
        Py_XDECREF(result);
        Py_DECREF(callback);
    }
    passing_on--;
}

/* The program's functions are not part of a collection. */
static PyObject *on_hidden_gc(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    int ends = count && PyUnicode_Check(args[0]) && PyUnicode_CompareWithASCIIString(args[0], "stop") == 0;
    if (ends && is_watched)
        Py_DECREF(on_gc(module, args, count));
    pass_on(args, count);
    if (!ends && is_watched)
        Py_DECREF(on_gc(module, args, count));
    Py_RETURN_NONE;
}

static PyMethodDef hidden_def = {"on_gc", (PyCFunction)(void (*)(void))on_hidden_gc, METH_FASTCALL, NULL};

PyDoc_STRVAR(watch_doc, "watch_gc(callbacks) -> bool\n\n"
"Watches collections without an entry in gc.callbacks, the argument. False if that is impossible.");

static PyObject *watch_gc(PyObject *module, PyObject *callbacks)
{
    (void)module;
    is_watched = 1;
    if (hidden)
        Py_RETURN_TRUE; /* it could not be removed again */
    place = compat_gc_callbacks(callbacks);
    PyObject *function = place ? PyCFunction_New(&hidden_def, NULL) : NULL;
    hidden = function ? PyList_New(1) : NULL;
    if (!hidden) {
        Py_XDECREF(function);
        PyErr_Clear();
        is_watched = 0;
        Py_RETURN_FALSE;
    }
    PyList_SET_ITEM(hidden, 0, function);
    PyObject_GC_UnTrack(hidden); /* gc.get_objects() does not show it */
    programs = callbacks;
    *place = hidden;
    Py_RETURN_TRUE;
}

/* While the program's functions run, the interpreter iterates over our list: keep it. */
static PyObject *unwatch_gc(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    is_watched = 0;
    unwatch_collect();
    if (hidden && !passing_on && *place == hidden) {
        *place = programs;
        programs = NULL;
        Py_CLEAR(hidden);
    }
    Py_RETURN_NONE;
}

PyMethodDef gc_methods[] = {
    {"watch_gc", watch_gc, METH_O, watch_doc},
    {"watch_collect", watch_collect, METH_O, watch_collect_doc},
    {"unwatch_gc", unwatch_gc, METH_NOARGS, "Stops watching collections."},
    {"on_gc", (PyCFunction)(void (*)(void))on_gc, METH_FASTCALL, gc_doc},
    {NULL, NULL, 0, NULL},
};
