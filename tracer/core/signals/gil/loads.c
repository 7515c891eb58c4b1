/* Follows what the program loads, so that an extension's calls are watched from the first one on.
 *
 * The writer looks for new objects with each pass, which is too late for a call right after an
 * import. So the functions with which Python loads objects get a wrapper that looks when they return. */
#include "signals/gil/loads.h"

#include "python/trampolines.h"
#include "signals/calls/calls.h"
#include "signals/gil/gil.h"

enum { LOADERS = 4 };

typedef PyObject *(*two_args)(PyObject *, PyObject *);
typedef PyObject *(*fast)(PyObject *, PyObject *const *, Py_ssize_t);

static struct {
    PyMethodDef *def;     /* NULL: not wrapped */
    PyCFunction original; /* stays set: threads may be inside */
} loaders[LOADERS];

/* Also after a load that failed: its dependencies may have been loaded. */
static PyObject *follow(PyObject *result)
{
    gil_follow_loads();
    return result;
}

#define WRAPPERS(n)                                                                              \
    static PyObject *two_##n(PyObject *self, PyObject *a)                                        \
    {                                                                                            \
        return follow(((two_args)loaders[n].original)(self, a));                                 \
    }                                                                                            \
    static PyObject *fast_##n(PyObject *self, PyObject *const *a, Py_ssize_t c)                  \
    {                                                                                            \
        return follow(((fast)(void (*)(void))loaders[n].original)(self, a, c));                  \
    }
#define ENTRY(n) {[0] = two_##n, [2] = (PyCFunction)(void (*)(void))fast_##n}
WRAPPERS(0) WRAPPERS(1) WRAPPERS(2) WRAPPERS(3)
static const PyCFunction wrappers[LOADERS][CALLS_CONVENTIONS] = {ENTRY(0), ENTRY(1), ENTRY(2), ENTRY(3)};

/* NULL: it has another calling convention. */
static PyCFunction wrapper_of(int place, const PyMethodDef *def)
{
    int which = calls_convention(def->ml_flags);
    return which < 0 ? NULL : wrappers[place][which];
}

PyDoc_STRVAR(wrap_doc, "wrap_loader(function) -> bool\n\n"
"Watches what this C function loads before it returns. False if it cannot be wrapped.");

static PyObject *wrap_loader(PyObject *module, PyObject *function)
{
    (void)module;
    PyMethodDef *def = compat_method_def(function);
    int place = 0;
    while (place < LOADERS && loaders[place].def && loaders[place].def != def)
        place++;
    if (!def || place == LOADERS || !wrapper_of(place, def))
        Py_RETURN_FALSE;
    if (!loaders[place].def) {
        loaders[place].def = def;
        trampoline_put(def, wrapper_of(place, def), &loaders[place].original);
    }
    Py_RETURN_TRUE;
}

/* A function that other code has wrapped after us keeps both wrappers, and its place. */
static PyObject *unwrap_loaders(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    for (int place = 0; place < LOADERS; place++) {
        PyMethodDef *def = loaders[place].def;
        if (def && trampoline_take(def, wrapper_of(place, def), loaders[place].original))
            loaders[place].def = NULL;
    }
    Py_RETURN_NONE;
}

PyMethodDef loads_methods[] = {
    {"wrap_loader", wrap_loader, METH_O, wrap_doc},
    {"unwrap_loaders", unwrap_loaders, METH_NOARGS, "Removes the wrappers."},
    {NULL, NULL, 0, NULL},
};
