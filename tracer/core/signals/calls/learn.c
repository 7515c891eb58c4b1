/* Names for unknown blocking C functions, learned where they have blocked.
 *
 * When a thread comes back late from a call that no trampoline names, but libc saw it block,
 * the line that made the call is known: its code gets local CALL events, and from the next time
 * on the callee's name is used instead of libc's. Code that never blocks is never instrumented.
 * A site that stops blocking is dropped; if it blocks again it is learned again, after a longer
 * pause each time. */
#include "signals/calls/learn.h"

#include <string.h>

#include "python/codes.h"
#include "ring/hot.h"
#include "ring/intern.h"
#include "ring/map.h"
#include "ring/ring.h"
#include "ring/text.h"
#include "schema.h"
#include "signals/watched.h"

enum { NAME_BYTES = 256, SITES = 512, PENDING = 16, PATIENCE = 1000, FIRST_PAUSE_NS = 1000 * 1000 * 1000, DOUBLINGS = 5 };

typedef struct {
    PyCodeObject *code; /* borrowed: the code watcher reports its death; NULL: free */
    int offset;
    uint32_t quick;     /* calls since it last blocked */
    uint8_t live;       /* its CALL events are wanted */
    uint8_t lessons;    /* how many times it was learned */
    uint64_t again_tick; /* not learned again before then */
} site;

/* All of this is used with the GIL. */
static site sites[SITES];
static int site_count;
static struct {
    PyCodeObject *code;
    int offset;
} pending[PENDING];
static int pending_count;
static PyObject *set_events, *tool, *mask, *disable, *zero;
static map names; /* PyMethodDef* -> string */
HOT_DATA _Atomic int learn_pending;

static site *find_site(const PyCodeObject *code, int offset)
{
    for (int i = 0; i < site_count; i++)
        if (sites[i].code == code && sites[i].offset == offset)
            return &sites[i];
    return NULL;
}

void learn_blocked(PyThreadState *tstate)
{
    compat_frame *frame = set_events && tstate ? *compat_frame_slot(tstate) : NULL;
    PyCodeObject *code = frame ? compat_frame_code(frame) : NULL;
    if (!code || !compat_is_main_interpreter(tstate))
        return;
    int offset = compat_frame_offset(frame);
    site *known = find_site(code, offset);
    if (known && known->live)
        known->quick = 0;
    if ((known && (known->live || clock_tick() < known->again_tick)) || pending_count == PENDING)
        return;
    pending[pending_count].code = code;
    pending[pending_count++].offset = offset;
    atomic_store_explicit(&learn_pending, 1, memory_order_relaxed);
}

static void set_code_events(PyCodeObject *code, PyObject *events)
{
    PyObject *done = PyObject_CallFunctionObjArgs(set_events, tool, code, events, NULL);
    if (!done)
        PyErr_Clear(); /* code that cannot be instrumented (Cython's) */
    Py_XDECREF(done);
}

static site *new_site(PyCodeObject *code, int offset)
{
    site *at = find_site(code, offset);
    for (int i = 0; !at && i < site_count; i++)
        if (!sites[i].code)
            at = &sites[i];
    if (!at && site_count < SITES)
        at = &sites[site_count++];
    if (at && at->code != code)
        *at = (site){.code = code, .offset = offset};
    return at;
}

void learn_resolve(void)
{
    PyObject *raised = PyErr_GetRaisedException();
    atomic_store_explicit(&learn_pending, 0, memory_order_relaxed);
    while (set_events && pending_count) {
        PyCodeObject *code = pending[--pending_count].code;
        int offset = pending[pending_count].offset;
        if (watched_has(code) || codes_of(code)->inside_scheduler)
            continue;
        site *at = new_site(code, offset);
        if (!at || at->live)
            continue;
        uint64_t pause = (uint64_t)FIRST_PAUSE_NS << (at->lessons < DOUBLINGS ? at->lessons : DOUBLINGS);
        at->live = 1;
        at->quick = 0;
        at->lessons++;
        at->again_tick = clock_tick() + clock_ticks_of(pause);
        Py_INCREF(code);
        set_code_events(code, zero); /* re-enables the sites that were disabled */
        set_code_events(code, mask);
        Py_DECREF(code);
    }
    PyErr_SetRaisedException(raised);
}

static uint32_t name_of(PyObject *callable)
{
    PyMethodDef *def = compat_method_def(callable);
    if (!def)
        return 0;
    uint64_t *known = map_put(&names, (uint64_t)(uintptr_t)def);
    if (known && *known)
        return (uint32_t)*known;
    const char *owner = "";
    if (PyCFunction_Check(callable)) {
        PyObject *self = PyCFunction_GET_SELF(callable);
        owner = !self ? "" : PyModule_Check(self) ? PyModule_GetName(self) : Py_TYPE(self)->tp_name;
    } else {
        owner = ((PyMethodDescrObject *)callable)->d_common.d_type->tp_name;
    }
    if (!owner) {
        PyErr_Clear();
        owner = "";
    }
    char text[NAME_BYTES];
    int length = PyOS_snprintf(text, sizeof text, "%s%s%s%s", SCHEMA_TEXT_IO_PREFIX, owner, *owner ? "." : "", def->ml_name);
    uint32_t name = intern_string(text, text_fit(text, (size_t)length, sizeof text - 1));
    if (known)
        *known = name;
    return name;
}

/* args: code, offset, callable, first argument. DISABLE for every site that is not learned. */
PyObject *learn_on_call(PyObject *const *args)
{
    int overflow;
    long offset = PyLong_AsLongAndOverflow(args[1], &overflow);
    site *at = find_site((PyCodeObject *)args[0], (int)offset);
    if (!at || !at->live || !disable)
        return Py_NewRef(disable && set_events ? disable : Py_None);
    if (at->quick++ >= PATIENCE) {
        at->live = 0;
        return Py_NewRef(disable);
    }
    thread_buffer *b = ring_current();
    if (b) {
        b->learned = name_of(args[2]);
        b->learned_frame = compat_running_frame();
    }
    Py_RETURN_NONE;
}

void learn_on_end(void)
{
    thread_buffer *b = ring_mine;
    if (b)
        b->learned = 0;
    if (atomic_load_explicit(&learn_pending, memory_order_relaxed))
        learn_resolve();
}

void learn_code_dies(PyCodeObject *code)
{
    for (int i = 0; i < site_count; i++)
        if (sites[i].code == code)
            sites[i] = (site){0};
    for (int i = 0; i < pending_count;)
        if (pending[i].code == code)
            pending[i] = pending[--pending_count];
        else
            i++;
}

PyDoc_STRVAR(learn_doc, "learn_calls(set_local_events, tool, mask, disable)\n\n"
"From now on call sites that block are watched for the callee's name.");

static PyObject *learn_calls(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *events, *id, *wanted, *answer;
    if (!PyArg_ParseTuple(args, "OOOO", &events, &id, &wanted, &answer))
        return NULL;
    if (!zero && !(zero = PyLong_FromLong(0)))
        return NULL;
    Py_XSETREF(set_events, Py_NewRef(events));
    Py_XSETREF(tool, Py_NewRef(id));
    Py_XSETREF(mask, Py_NewRef(wanted));
    Py_XSETREF(disable, Py_NewRef(answer));
    Py_RETURN_NONE;
}

PyDoc_STRVAR(stop_doc, "stop_learning()\n\nSwitches every event off.");

static PyObject *stop_learning(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    for (int i = 0; set_events && i < site_count; i++)
        if (sites[i].code) {
            PyCodeObject *code = (PyCodeObject *)Py_NewRef(sites[i].code);
            set_code_events(code, zero);
            Py_DECREF(code);
        }
    site_count = pending_count = 0;
    Py_CLEAR(set_events);
    Py_CLEAR(tool);
    Py_CLEAR(mask);
    Py_CLEAR(disable);
    Py_RETURN_NONE;
}

PyMethodDef learn_methods[] = {
    {"learn_calls", learn_calls, METH_VARARGS, learn_doc},
    {"stop_learning", stop_learning, METH_NOARGS, stop_doc},
    {NULL, NULL, 0, NULL},
};
