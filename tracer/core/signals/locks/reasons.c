/* Names the standard library's waits, from the frames that are inside it. */
#include "signals/locks/reasons.h"

#include "python/codes.h"
#include "python/plain.h"
#include "ring/intern.h"
#include "ring/ring.h"
#include "schema.h"
#include "signals/libraries.h"

enum { INNERMOST_FRAMES = 64 };

uint32_t reason_names[KINDS];
static uint32_t import_wait;
static PyObject *running_threads; /* threading._active; NULL: not imported */

/* What the code that many frames out waits for, borrowed; NULL: unknown. Sets the slots of a pool. */
static PyObject *object_at(PyThreadState *tstate, uint32_t depth, uint32_t *slots)
{
    const compat_frame *at = *compat_frame_slot(tstate);
    while (at && (!compat_frame_code(at) || depth--))
        at = at->previous;
    if (!at)
        return NULL;
    uint8_t pool = codes_of(compat_frame_code(at))->pool;
    if (!pool)
        return compat_frame_local(at, 0);
    library_pool found = library_pool_of(pool, at);
    *slots = found.slots;
    return found.object;
}

/* The tid of a threading.Thread; 0: unknown. */
static uint32_t tid_of(PyObject *thread)
{
    static PyObject *attribute;
    PyObject *tid = NULL;
    if (attribute || (attribute = PyUnicode_InternFromString("_native_id")))
        tid = plain_attribute(thread, attribute);
    uint32_t number = tid && PyLong_CheckExact(tid) ? (uint32_t)PyLong_AsUnsignedLong(tid) : 0;
    Py_XDECREF(tid);
    PyErr_Clear();
    return number;
}

static uint32_t joined_thread(PyThreadState *tstate)
{
    compat_frame *at = *compat_frame_slot(tstate);
    for (int depth = 0; at && depth < INNERMOST_FRAMES; at = at->previous, depth++) {
        PyCodeObject *code = compat_frame_code(at);
        const code_facts *facts = code ? codes_of(code) : NULL;
        if (facts && !facts->inside_library)
            return 0;
        PyObject *thread = facts && facts->wait == reason_names[KIND_THREAD] ? compat_frame_local(at, 0) : NULL;
        uint32_t tid = thread ? tid_of(thread) : 0;
        if (tid)
            return tid;
    }
    return 0;
}

static int is_daemon(PyObject *thread)
{
    static PyObject *attribute;
    PyObject *value = NULL;
    if (attribute || (attribute = PyUnicode_InternFromString("_daemonic")))
        value = plain_attribute(thread, attribute);
    PyErr_Clear();
    Py_XDECREF(value); /* bools are immortal */
    return value != Py_False;
}

/* The one thread that interpreter shutdown waits for; 0: there are several, which end in any order. */
static uint32_t last_thread(uint32_t own)
{
    PyObject *threads = running_threads ? PyDict_Values(running_threads) : NULL;
    uint32_t found = 0;
    int count = 0;
    for (Py_ssize_t i = 0; threads && i < PyList_GET_SIZE(threads); i++) {
        PyObject *thread = PyList_GET_ITEM(threads, i);
        uint32_t tid = is_daemon(thread) ? 0 : tid_of(thread);
        if (tid && tid != own) {
            found = tid;
            count++;
        }
    }
    Py_XDECREF(threads);
    PyErr_Clear();
    return count == 1 ? found : 0;
}

/* The pthread_t of the thread that a handle stands for; 0: unknown. */
static uint64_t pthread_of(PyObject *handle)
{
    static PyObject *attribute;
    PyObject *ident = NULL;
    if (attribute || (attribute = PyUnicode_InternFromString("ident")))
        ident = plain_attribute(handle, attribute);
    uint64_t number = ident && PyLong_CheckExact(ident) ? PyLong_AsUnsignedLongLong(ident) : 0;
    Py_XDECREF(ident);
    PyErr_Clear();
    return number;
}

/* A plain lock serves as a signal where the library takes one that it already holds, or whose owner does
 * not show: the lock of Condition.wait; that of a module, whose importer holds another one; and, until
 * 3.12, that of a thread, which holds it until it ends. */
static int is_signal(uint32_t wait, uint32_t owner, uint32_t own)
{
    return wait == reason_names[KIND_THREAD] || wait == import_wait || (wait && (!owner || owner == own));
}

wait_reason reason_of(enum kind kind, PyObject *self, PyThreadState *tstate, const stack_facts *stack,
                      uint32_t owner)
{
    wait_reason found = {.what = reason_names[kind]};
    PyCodeObject *code = compat_frame_code(*compat_frame_slot(tstate));
    uint32_t own = (uint32_t)ring_mine->tid, wait = stack ? stack->wait : 0;
    uint32_t innermost = kind == KIND_LOCK && wait && code ? codes_of(code)->wait : 0;
    int is_known = innermost && codes_of(code)->is_signal;
    found.is_signal =
        !can_be_held(kind) || (kind == KIND_LOCK && wait && (is_known || is_signal(innermost, owner, own)));
    if (!found.is_signal)
        return found;
    if (wait) {
        found.what = wait;
        PyObject *about = object_at(tstate, stack->wait_depth, &found.slots);
        if (about && PyType_SUPPORTS_WEAKREFS(Py_TYPE(about))) /* else each wait would be for another one */
            found.about = about;
    }
    found.is_end = kind >= KIND_THREAD || innermost == reason_names[KIND_THREAD];
    if (!found.is_end)
        return found;
    found.joined = kind == KIND_THREADS ? last_thread(own) : joined_thread(tstate);
    if (!found.joined && owner != own)
        found.joined = owner; /* until 3.12: a thread holds it until it ends */
    if (!found.joined && kind == KIND_THREAD)
        found.pthread = pthread_of(self);
    return found;
}

static uint32_t wait_name(const char *what)
{
    char text[64];
    int length = PyOS_snprintf(text, sizeof text, "%s%s", SCHEMA_TEXT_LOCK_WAIT_PREFIX, what);
    return intern_string(text, (size_t)length);
}

void reasons_start(void)
{
    static const char *const names[KINDS] = {"Lock", "RLock", "SimpleQueue.get", "Thread.join", "Thread.join"};
    for (int kind = 0; kind < KINDS; kind++)
        reason_names[kind] = wait_name(names[kind]);
    import_wait = wait_name("import");
}

PyDoc_STRVAR(threads_doc, "waited_threads(running)\n\n"
"Sets threading._active, whose values are the running threads. None: forgets it.");

static PyObject *waited_threads(PyObject *module, PyObject *running)
{
    (void)module;
    Py_XSETREF(running_threads, PyDict_CheckExact(running) ? Py_NewRef(running) : NULL);
    Py_RETURN_NONE;
}

PyMethodDef reasons_methods[] = {
    {"waited_threads", waited_threads, METH_O, threads_doc},
    {NULL, NULL, 0, NULL},
};
