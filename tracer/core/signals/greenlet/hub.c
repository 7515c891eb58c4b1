/* gevent's hub: what is scheduled on its loop, and when that loop is idle.
 *
 * Its loop is idle in the epoll_wait or epoll_pwait of the library that gevent brings along, libev or libuv. A callback
 * that is a greenlet's switch() makes that greenlet ready. Any other is handed over in an envelope. */
#include "signals/greenlet/hub.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/epoll.h>

#include "python/codes.h"
#include "python/cython.h"
#include "signals/asyncio/steps.h"
#include "signals/envelopes.h"
#include "signals/gil/gil.h"
#include "signals/gil/got.h"
#include "signals/greenlet/callbacks.h"
#include "signals/greenlet/greenlets.h"
#include "signals/greenlet/switches.h"

typedef PyObject *(*fast_keywords)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);

enum { ARGUMENTS = 16, SLOTS = 8, METHODS = 2 };

/* --- what is scheduled --- */

static void enveloped_begins(thread_buffer *b, PyObject *callback, const void *self, uint64_t due_ns)
{
    (void)due_ns;
    callbacks_begin(b, callback, self);
}

static void enveloped_ends(thread_buffer *b, uint64_t tick, PyObject *callback)
{
    (void)callback;
    callbacks_end(b, tick);
}

static const envelope_hooks around = {enveloped_begins, enveloped_ends};

static wrapped_builtin methods[METHODS]; /* the originals stay set: threads may be inside */
static PyTypeObject *waiter_type; /* gevent's Waiter */
static PyObject *str_callback, *str_on_async;

static PyObject *call(int which, PyObject *loop, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    return ((fast_keywords)(void (*)(void))methods[which].original)(loop, args, count, keywords);
}

/* gevent.sleep(0) schedules its own Waiter's switch(), and waits for that. */
static int is_own_waiter(const thread_buffer *b, PyObject *callback)
{
    return waiter_type && PyMethod_Check(callback) && Py_TYPE(PyMethod_GET_SELF(callback)) == waiter_type &&
           !greenlets_in_hub(b);
}

static PyObject *call_sealed(int which, PyObject *loop, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    Py_ssize_t all = count + (keywords ? PyTuple_GET_SIZE(keywords) : 0);
    PyObject *passed[ARGUMENTS];
    PyObject *sealed = all <= ARGUMENTS && PyCallable_Check(args[0]) ? envelopes_seal(args[0], &around) : NULL;
    if (!sealed) {
        PyErr_Clear();
        return call(which, loop, args, count, keywords);
    }
    uint64_t tick = clock_tick();
    step_entry entry = steps_entry(ring_mine);
    memcpy(passed, args, (size_t)all * sizeof *passed);
    passed[0] = sealed;
    PyObject *result = call(which, loop, passed, count, keywords);
    thread_buffer *b = steps_same_recording(entry);
    if (result && b) {
        callbacks_show(b);
        ring_emit(b, tick, REC_CB_READY, 0, 0, (uint64_t)(uintptr_t)sealed, 0);
    }
    Py_DECREF(sealed);
    return result;
}

static PyObject *schedule(int which, PyObject *loop, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    thread_buffer *b = count ? ring_current() : NULL;
    if (!b)
        return call(which, loop, args, count, keywords);
    PyObject *target = switches_target(args[0]);
    if (!target && !is_own_waiter(b, args[0]))
        return call_sealed(which, loop, args, count, keywords);
    uint64_t tick = clock_tick();
    step_entry entry = steps_entry(b);
    Py_XINCREF(target);
    PyObject *result = call(which, loop, args, count, keywords);
    b = result ? steps_same_recording(entry) : NULL;
    if (b && target)
        switches_ready(b, tick, target);
    else if (b)
        b->greenlets.is_yielding = 1;
    Py_XDECREF(target);
    return result;
}

static PyObject *run_traced(PyObject *loop, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    return schedule(0, loop, args, count, keywords);
}

static PyObject *run_threadsafe_traced(PyObject *loop, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    return schedule(1, loop, args, count, keywords);
}

static const builtin_wrapper trampolines[METHODS] = {
    {NULL, "run_callback", METH_FASTCALL | METH_KEYWORDS, (PyCFunction)(void (*)(void))run_traced},
    {NULL, "run_callback_threadsafe", METH_FASTCALL | METH_KEYWORDS, (PyCFunction)(void (*)(void))run_threadsafe_traced},
};

void hub_on_scheduled(thread_buffer *b, uint64_t tick, PyObject *callback)
{
    PyObject *what = callback ? PyObject_GetAttr(callback, str_callback) : NULL;
    PyObject *target = what ? switches_target(what) : NULL;
    PyObject *sealed = NULL;
    if (target) {
        switches_ready(b, tick, target);
    } else if (what && is_own_waiter(b, what)) {
        b->greenlets.is_yielding = 1;
    } else if (what && PyCallable_Check(what) && (sealed = envelopes_seal(what, &around)) &&
               PyObject_SetAttr(callback, str_callback, sealed) == 0) {
        callbacks_show(b);
        ring_emit(b, tick, REC_CB_READY, 0, 0, (uint64_t)(uintptr_t)sealed, 0);
    }
    PyErr_Clear();
    Py_XDECREF(sealed);
    Py_XDECREF(what);
}

/* --- jobs of its thread pool --- */

/* Where both threads have the job's result. */
static uint64_t key_of(PyObject *result)
{
    return (uint64_t)(uintptr_t)result;
}

void hub_on_job_done(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    ring_emit(b, clock_tick(), REC_CB_READY, 0, 0, key_of(compat_local(PyThreadState_Get(), 0)), 0);
}

void hub_on_job_taken(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    PyObject *result = compat_local(PyThreadState_Get(), 0);
    PyObject *function = result && str_on_async ? _PyType_Lookup(Py_TYPE(result), str_on_async) : NULL;
    if (function)
        callbacks_begin(b, function, result);
}

void hub_on_job_told(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)value;
    callbacks_end(b, tick);
}

/* --- polls --- */

typedef int (*wait_function)(int, struct epoll_event *, int, int);
typedef int (*pwait_function)(int, struct epoll_event *, int, int, const sigset_t *);

static wait_function original_wait = epoll_wait; /* or the hook that calls/libc.c has put there */
static pwait_function original_pwait = epoll_pwait;

/* The thread is detached. */
static thread_buffer *poll_begins(int timeout_ms)
{
    thread_buffer *b = steps_same_recording(steps_entry(ring_mine));
    if (!b || !greenlets_in_hub(b) || (b->loop && b->depth > b->poll_depth))
        return NULL;
    b->greenlets.is_polling = timeout_ms != 0;
    if (b->greenlets.is_polling)
        ring_emit_detached(b, clock_tick(), REC_POLL_BEGIN, 0, 0);
    return b;
}

static void poll_ends(step_entry entry)
{
    int error = errno;
    thread_buffer *b = steps_same_recording(entry);
    if (b)
        ring_emit_detached(b, clock_tick(), b->greenlets.is_polling ? REC_POLL_END : REC_POLL_INSTANT, 0, 0);
    errno = error;
}

static int wait_traced(int fd, struct epoll_event *events, int count, int timeout_ms)
{
    step_entry entry = steps_entry(poll_begins(timeout_ms));
    int result = original_wait(fd, events, count, timeout_ms);
    poll_ends(entry);
    return result;
}

static int pwait_traced(int fd, struct epoll_event *events, int count, int timeout_ms, const sigset_t *signals)
{
    step_entry entry = steps_entry(poll_begins(timeout_ms));
    int result = original_pwait(fd, events, count, timeout_ms, signals);
    poll_ends(entry);
    return result;
}

static const got_hook hooks[] = {
    {"epoll_wait", (void *)wait_traced, (void *)epoll_wait},
    {"epoll_pwait", (void *)pwait_traced, (void *)epoll_pwait},
};
static got_change slots[SLOTS];
static int slot_count;

/* Detached: it takes the loader's lock, whose holder may want the GIL. */
static void patch(const char *path)
{
    struct link_map *library = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
    if (!library)
        return;
    const void *inside = library->l_ld;
    dlclose(library); /* it stays loaded */
    slot_count = got_patch_object(inside, hooks, sizeof hooks / sizeof *hooks, slots, SLOTS);
    for (int i = 0; i < slot_count; i++) {
        void *below = got_below(&slots[i]);
        if (slots[i].ours == (void *)wait_traced)
            original_wait = (wait_function)below;
        else
            original_pwait = (pwait_function)below;
    }
}

/* --- set-up --- */

PyDoc_STRVAR(polls_doc, "watch_hub_polls(path)\n\nWatches the polls of the loaded library `path`, in which the hubs' loops are.");

static PyObject *watch_hub_polls(PyObject *module, PyObject *args)
{
    (void)module;
    const char *path;
    if (!PyArg_ParseTuple(args, "s", &path))
        return NULL;
    gil_follow_loads(); /* its hooks go below ours */
    Py_BEGIN_ALLOW_THREADS
    if (!slot_count)
        patch(path);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

PyDoc_STRVAR(watch_doc, "watch_hub(hub, own, loop, waiter)\n\n"
"gevent's classes: its hub, a tuple of greenlets of its own, its loop if that is compiled, else None, and Waiter.");

static PyObject *watch_hub(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *hub, *own, *loop, *waiter;
    if (!PyArg_ParseTuple(args, "O!O!OO!", &PyType_Type, &hub, &PyTuple_Type, &own, &loop, &PyType_Type, &waiter))
        return NULL;
    if (envelopes_setup() < 0 || (!str_callback && !(str_callback = PyUnicode_InternFromString("callback"))) ||
        (!str_on_async && !(str_on_async = PyUnicode_InternFromString("_on_async"))))
        return NULL;
    greenlets_of_gevent(hub, own);
    Py_XSETREF(waiter_type, (PyTypeObject *)Py_NewRef(waiter));
    PyMethodDef *defs[METHODS] = {NULL};
    for (int i = 0; i < METHODS && PyType_Check(loop); i++) {
        if (!(defs[i] = cython_method(loop, &trampolines[i]))) {
            PyErr_SetString(PyExc_RuntimeError, "gevent's loop works in an unknown way: who makes its greenlets ready "
                                                "is not recorded");
            return NULL;
        }
    }
    for (int i = 0; i < METHODS && defs[i]; i++)
        builtin_put(defs[i], &trampolines[i], &methods[i]);
    Py_RETURN_NONE;
}

static PyObject *unwatch_hub(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    for (int i = 0; i < METHODS; i++)
        builtin_unwrap(&trampolines[i], &methods[i]);
    got_undo(slots, slot_count);
    slot_count = 0;
    Py_CLEAR(waiter_type);
    Py_RETURN_NONE;
}

PyMethodDef hub_methods[] = {
    {"watch_hub", watch_hub, METH_VARARGS, watch_doc},
    {"greenlet_threads", greenlets_of_threads, METH_O, "The code that begins a thread: where threading is patched, a greenlet's."},
    {"watch_hub_polls", watch_hub_polls, METH_VARARGS, polls_doc},
    {"unwatch_hub", unwatch_hub, METH_NOARGS, "Removes the trampolines."},
    {NULL, NULL, 0, NULL},
};
