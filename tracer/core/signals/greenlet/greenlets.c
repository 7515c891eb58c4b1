/* Greenlets by address: numbers, names, and how they ended. */
#include "signals/greenlet/greenlets.h"

#include <string.h>

#include "python/codes.h"
#include "python/plain.h"
#include "python/utf8.h"
#include "ring/intern.h"
#include "ring/map.h"
#include "ring/memory.h"
#include "signals/asyncio/identity.h"

/* Where greenlet.h puts its functions. */
enum { API_TYPE = 0, API_EXIT = 2, API_CURRENT = 4, API_STARTED = 9, API_ACTIVE = 10, API_PARENT = 11 };

/* The beginning of a greenlet, as greenlet.h has it. */
typedef struct {
    PyObject_HEAD
    PyObject *weakrefs, *dict;
} greenlet_head;

greenlet_interface greenlet_api;
static map by_object, by_ref;
static void (*on_lost)(thread_buffer *b);
static PyObject *on_gone; /* called with a weak reference when its greenlet is gone */
static PyTypeObject *hub_type; /* NULL: gevent is not there */
static PyObject *own_types;    /* a tuple */
static PyObject *thread_code;  /* threading.Thread._bootstrap's; NULL: not known */
static PyObject *str_run, *str_own_run, *str_name, *str_target, *str_thread_name, *str_exception;

int greenlets_is_own(PyObject *object)
{
    for (Py_ssize_t i = 0; own_types && i < PyTuple_GET_SIZE(own_types); i++)
        if (PyObject_TypeCheck(object, (PyTypeObject *)PyTuple_GET_ITEM(own_types, i)))
            return 1;
    return 0;
}

known_greenlet *greenlets_find(const void *object)
{
    const uint64_t *slot = map_find(&by_object, (uint64_t)(uintptr_t)object);
    return slot ? (known_greenlet *)(uintptr_t)*slot : NULL;
}

/* --- what it is --- */

static uint32_t nameless(const char *name)
{
    return intern_function(intern_string(name, strlen(name)), intern_string("?:0", 3));
}

/* A function in C has no line. */
static uint32_t with_site(uint32_t func)
{
    intern_func known = intern_function_of(func);
    return known.site ? func : intern_function(known.name, intern_string("?:0", 3));
}

/* The function of a frame's outermost caller: where a greenlet that runs has begun. */
static uint32_t function_of_running(void)
{
    PyCodeObject *outermost = NULL;
    for (compat_frame *at = *compat_frame_slot(PyThreadState_Get()); at; at = at->previous) {
        PyCodeObject *code = compat_frame_code(at);
        outermost = code ? code : outermost;
    }
    return outermost ? codes_of(outermost)->func : nameless("greenlet");
}

/* What a greenlet is to run, where that can be seen without running the program's code: a new reference, or NULL.
 * gevent's keep it as `_run`. */
static PyObject *runs_what(PyObject *object)
{
    PyObject *dict = ((greenlet_head *)object)->dict;
    PyObject *found = dict ? PyDict_GetItemWithError(dict, str_own_run) : NULL;
    if (!found && (!(found = _PyType_Lookup(Py_TYPE(object), str_own_run)) || !PyFunction_Check(found)))
        found = _PyType_Lookup(Py_TYPE(object), str_run);
    if (found && Py_IS_TYPE(found, &PyGetSetDescr_Type))
        found = PyObject_GenericGetAttr(object, str_run);
    else
        Py_XINCREF(found);
    PyErr_Clear();
    return found;
}

/* The thread that a greenlet is, where threading is patched, borrowed from `run`; NULL: none. */
static PyObject *thread_run_by(PyObject *run)
{
    int is_thread = run && thread_code && PyMethod_Check(run) && PyFunction_Check(PyMethod_GET_FUNCTION(run)) &&
                    PyFunction_GET_CODE(PyMethod_GET_FUNCTION(run)) == thread_code;
    return is_thread ? PyMethod_GET_SELF(run) : NULL;
}

/* What the program has a thread run: its target, or the run() of its class. */
static uint32_t function_of_thread(PyObject *thread)
{
    PyObject *target = plain_attribute(thread, str_target);
    PyObject *called = target && target != Py_None ? target : _PyType_Lookup(Py_TYPE(thread), str_run);
    uint32_t func = called ? codes_callable(called) : nameless("greenlet");
    Py_XDECREF(target);
    return func;
}

static uint32_t function_of(PyObject *object, int is_running)
{
    PyObject *parent = greenlet_api.parent(object);
    PyErr_Clear();
    if (!parent)
        return nameless("main greenlet");
    Py_DECREF(parent);
    PyObject *run = runs_what(object);
    PyObject *thread = thread_run_by(run);
    uint32_t func = thread ? function_of_thread(thread) : run ? codes_callable(run)
                  : is_running ? function_of_running() : nameless("greenlet");
    Py_XDECREF(run);
    PyErr_Clear();
    return with_site(func);
}

static void emit_name(thread_buffer *b, uint32_t id, PyObject *name)
{
    Py_ssize_t length;
    PyObject *owned;
    const char *text = utf8_of(name, &length, &owned);
    ring_emit_text(b, REC_TASK_NAME, 0, id, text, (size_t)length, 0);
    Py_XDECREF(owned);
}

/* gevent makes a name when it is asked for one, and counts how often: so only names that are there are read. */
void greenlets_name(thread_buffer *b, const known_greenlet *known, PyObject *object)
{
    PyObject *dict = ((greenlet_head *)object)->dict;
    PyObject *name = dict ? PyDict_GetItemWithError(dict, str_name) : NULL;
    PyErr_Clear();
    PyObject *run = name ? NULL : runs_what(object), *thread = thread_run_by(run);
    PyObject *of_thread = thread ? plain_attribute(thread, str_thread_name) : NULL;
    name = name ? name : of_thread;
    if (name && PyUnicode_CheckExact(name) && known->id)
        emit_name(b, known->id, name);
    Py_XDECREF(of_thread);
    Py_XDECREF(run);
}

static known_greenlet *enroll(PyObject *object)
{
    known_greenlet *known = memory_take(sizeof *known);
    PyObject *ref = known ? PyWeakref_NewRef(object, on_gone) : NULL;
    if (!ref) {
        PyErr_Clear();
        memory_give(known, sizeof *known);
        return NULL;
    }
    known->object = object;
    known->ref = ref;
    uint64_t *slot = map_put(&by_object, (uint64_t)(uintptr_t)object);
    uint64_t *of_ref = map_put(&by_ref, (uint64_t)(uintptr_t)ref);
    if (slot)
        *slot = (uint64_t)(uintptr_t)known;
    if (of_ref)
        *of_ref = (uint64_t)(uintptr_t)known;
    return known;
}

known_greenlet *greenlets_introduce(thread_buffer *b, uint64_t tick, PyObject *object, uint8_t origin)
{
    known_greenlet *known = greenlets_find(object);
    if (known)
        return known;
    int is_hub = hub_type && PyObject_TypeCheck(object, hub_type);
    int runs = origin == ORIGIN_ADOPTED;
    uint32_t func = is_hub ? 0 : function_of(object, runs);
    known = enroll(object);
    if (!known)
        return NULL;
    known->has_begun = (uint8_t)runs;
    if (!is_hub) {
        known->id = ++identity.next_task;
        ring_emit(b, tick, REC_TASK_NEW, origin, known->id, func, b->greenlets.loop);
        greenlets_name(b, known, object);
    }
    return known;
}

/* --- how it ends --- */

static void dismiss(known_greenlet *known)
{
    if (known->ref) {
        map_remove(&by_object, (uint64_t)(uintptr_t)known->object);
        map_remove(&by_ref, (uint64_t)(uintptr_t)known->ref);
        Py_DECREF(known->ref);
    }
    memory_give(known, sizeof *known);
}

int greenlets_is_over(const known_greenlet *known)
{
    PyObject *object = (PyObject *)(uintptr_t)known->object;
    return !known->ref || (greenlet_api.started(object) && !greenlet_api.active(object));
}

/* gevent's keep what they failed with, also where the program handles the errors of its hub itself. */
static uint32_t failure_kept_by(PyObject *object)
{
    PyObject *kept = hub_type && _PyType_Lookup(Py_TYPE(object), str_exception) ? plain_attribute(object, str_exception) : NULL;
    uint32_t failure = kept && PyExceptionInstance_Check(kept) ? codes_type_name(kept) : 0;
    Py_XDECREF(kept);
    return failure;
}

void greenlets_end(thread_buffer *b, uint64_t tick, known_greenlet *known, PyObject *raised, PyObject *result)
{
    int was_killed = known->is_killed || (result && greenlet_api.exit && PyObject_TypeCheck(result, (PyTypeObject *)greenlet_api.exit));
    if (known->id && known->ref && !raised && !was_killed && !known->failure)
        known->failure = failure_kept_by((PyObject *)(uintptr_t)known->object);
    if (known->id && (raised || known->failure))
        ring_emit(b, tick, REC_STEP_DONE, OUTCOME_FAILED, known->id,
                  raised ? codes_type_name(raised) : known->failure, 0);
    else if (known->id)
        ring_emit(b, tick, REC_STEP_DONE, was_killed ? OUTCOME_CANCELLED : OUTCOME_DONE, known->id, 0, 0);
    dismiss(known);
}

void greenlets_on_failure(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)b, (void)tick, (void)value;
    PyThreadState *tstate = PyThreadState_Get();
    PyObject *context = compat_local(tstate, 1), *raised = compat_local(tstate, 3);
    known_greenlet *known = context ? greenlets_find(context) : NULL;
    if (known && raised && PyExceptionInstance_Check(raised))
        known->failure = codes_type_name(raised);
}

/* One that was to begin is held until then, unless it was killed. */
static void emit_gone(thread_buffer *b, const known_greenlet *known)
{
    if (known->is_killed || !known->has_begun)
        ring_emit(b, clock_tick(), REC_STEP_DONE, OUTCOME_CANCELLED, known->id, 0, 0);
    else
        ring_emit(b, clock_tick(), REC_TASK_DESTROYED, 0, known->id, 0, 0);
}

static PyObject *gone(PyObject *module, PyObject *ref)
{
    (void)module;
    const uint64_t *slot = map_find(&by_ref, (uint64_t)(uintptr_t)ref);
    known_greenlet *known = slot ? (known_greenlet *)(uintptr_t)*slot : NULL;
    if (!known)
        Py_RETURN_NONE;
    map_remove(&by_object, (uint64_t)(uintptr_t)known->object);
    map_remove(&by_ref, (uint64_t)(uintptr_t)ref);
    known->ref = NULL;
    thread_buffer *b = ring_current();
    if (b && b->greenlets.current == known) {
        on_lost(b); /* which ends it, now or when the switch that it was in returns */
    } else {
        if (b && known->id && !known->is_running) /* else its thread has ended, and it with that */
            emit_gone(b, known);
        memory_give(known, sizeof *known);
    }
    Py_DECREF(ref);
    Py_RETURN_NONE;
}

static PyMethodDef gone_def = {"tracer_greenlet_gone", gone, METH_O, NULL};

/* --- set-up --- */

int greenlets_setup(void **interface, void (*lost)(thread_buffer *b))
{
    on_lost = lost;
    if (!on_gone) {
        on_gone = PyCFunction_New(&gone_def, NULL);
        str_run = PyUnicode_InternFromString("run");
        str_own_run = PyUnicode_InternFromString("_run");
        str_name = PyUnicode_InternFromString("name");
        str_target = PyUnicode_InternFromString("_target");
        str_thread_name = PyUnicode_InternFromString("_name");
        str_exception = PyUnicode_InternFromString("exception");
    }
    if (!on_gone || !str_run || !str_own_run || !str_name || !str_target || !str_thread_name || !str_exception)
        return -1;
    greenlet_api = (greenlet_interface){
        .type = (PyTypeObject *)interface[API_TYPE],
        .current = (PyObject *(*)(void))(uintptr_t)interface[API_CURRENT],
        .parent = (PyObject *(*)(PyObject *))(uintptr_t)interface[API_PARENT],
        .started = (int (*)(PyObject *))(uintptr_t)interface[API_STARTED],
        .active = (int (*)(PyObject *))(uintptr_t)interface[API_ACTIVE],
        .exit = (PyObject *)interface[API_EXIT],
    };
    return 0;
}

PyObject *greenlets_of_threads(PyObject *module, PyObject *code)
{
    (void)module;
    Py_XSETREF(thread_code, Py_NewRef(code));
    Py_RETURN_NONE;
}

void greenlets_of_gevent(PyObject *hub, PyObject *own)
{
    Py_XSETREF(hub_type, (PyTypeObject *)Py_NewRef(hub));
    Py_XSETREF(own_types, Py_NewRef(own));
}

/* Numbers keep counting up, as those of tasks. */
void greenlets_forget(void)
{
    for (uint32_t i = 0; by_object.slots && i <= by_object.mask; i++) {
        known_greenlet *known = (known_greenlet *)(uintptr_t)by_object.slots[i].value;
        if (!by_object.slots[i].key)
            continue;
        Py_DECREF(known->ref);
        memory_give(known, sizeof *known);
    }
    map_free(&by_object);
    map_free(&by_ref);
    Py_CLEAR(hub_type);
    Py_CLEAR(own_types);
    Py_CLEAR(thread_code);
}
