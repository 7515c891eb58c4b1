/* uvloop: trampolines around what a program calls on its loops, and around its callbacks.
 *
 * Its idle time is that of libuv's epoll_pwait. The loop's methods are Cython functions, which read their ml_meth at every call. Steps of tasks pass steps.c's
 * trampolines. Any other callback is handed to uvloop in an envelope of ours, which shows when it runs; what the program
 * sees of it, its repr and its attributes, are the callback's. */
#include "signals/asyncio/uvloop.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "python/cython.h"
#include "ring/hot.h"
#include "ring/streams.h"
#include "signals/asyncio/contexts.h"
#include "signals/asyncio/found.h"
#include "signals/asyncio/identity.h"
#include "signals/asyncio/loops.h"
#include "signals/asyncio/running.h"
#include "signals/asyncio/steps.h"
#include "signals/asyncio/tasks.h"
#include "signals/calls/libc.h"
#include "signals/children.h"
#include "signals/envelopes.h"
#include "signals/gil/gil.h"
#include "signals/gil/got.h"

typedef PyObject *(*fast_keywords)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);

enum { ARGUMENTS = 16, SLOTS = 16, NS_PER_S = 1000000000 };

/* A task's step that is handed over in an envelope is recorded like one that is not. */
static void enveloped_begins(thread_buffer *b, PyObject *callback, const void *self, uint64_t due_ns)
{
    if (found_current())
        tasks_begin_scheduled(b, callback, self, due_ns);
}

static const envelope_hooks hooks_of_envelope = {enveloped_begins, tasks_end_callback};
static PyObject *str_when;

/* --- the loop's methods --- */

enum method { CALL_SOON, CALL_THREADSAFE, CALL_LATER, ADD_READER, ADD_WRITER, RUN, CLOSE, METHODS };

static wrapped_builtin methods[METHODS]; /* the originals stay set: threads may be inside */

static PyObject *call(enum method which, PyObject *loop, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    return ((fast_keywords)(void (*)(void))methods[which].original)(loop, args, count, keywords);
}

/* Calls the method with its argument `place`, a callback, in an envelope; the envelope, as a new reference, in `sealed`,
 * NULL if there is none. */
static PyObject *call_sealed(enum method which, Py_ssize_t place, PyObject *loop, PyObject *const *args,
                             Py_ssize_t count, PyObject *keywords, PyObject **sealed)
{
    Py_ssize_t all = count + (keywords ? PyTuple_GET_SIZE(keywords) : 0);
    PyObject *passed[ARGUMENTS];
    *sealed = all <= ARGUMENTS && PyCallable_Check(args[place]) ? envelopes_seal(args[place], &hooks_of_envelope) : NULL;
    if (!*sealed) {
        PyErr_Clear();
        return call(which, loop, args, count, keywords);
    }
    memcpy(passed, args, (size_t)all * sizeof *passed);
    passed[place] = *sealed;
    return call(which, loop, passed, count, keywords);
}

/* A callback is scheduled, or the step of a task of another kind than the C module's; `tick`: since when. */
static PyObject *schedule_sealed(enum method which, PyObject *loop, PyObject *const *args, Py_ssize_t count,
                                 PyObject *keywords, uint64_t tick)
{
    step_entry entry = steps_entry(ring_mine);
    PyObject *task = Py_XNewRef(identity_task_of(args[0])), *sealed;
    PyObject *result = call_sealed(which, 0, loop, args, count, keywords, &sealed);
    thread_buffer *b = result ? steps_same_recording(entry) : NULL;
    if (b && task)
        tasks_ready(b, tick, task, count > 1 ? args[1] : NULL);
    else if (b && sealed)
        tasks_callback_ready(b, tick, sealed);
    Py_XDECREF(task);
    Py_XDECREF(sealed);
    return result;
}

/* A callback's call_soon() or call_soon_threadsafe(). The loop may run it before the call has returned. */
static inline PyObject *schedule(enum method which, PyObject *loop, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    thread_buffer *b = count ? found_called() : NULL;
    if (!b)
        return call(which, loop, args, count, keywords);
    PyObject *task = identity_task_of(args[0]);
    const step *top = running_top(b);
    uint64_t tick = task && top && top->object == task ? 0 : clock_tick(); /* else the end of its step says so */
    if (!task || !PyObject_TypeCheck(task, identity.c_task))
        return schedule_sealed(which, loop, args, count, keywords, tick);
    step_entry entry = steps_entry(b);
    Py_INCREF(task);
    PyObject *result = call(which, loop, args, count, keywords);
    if (result && (b = steps_same_recording(entry)))
        tasks_ready(b, tick, task, count > 1 ? args[1] : NULL);
    Py_DECREF(task);
    return result;
}

static HOT PyObject *call_soon_traced(PyObject *loop, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    return schedule(CALL_SOON, loop, args, count, keywords);
}

static PyObject *call_threadsafe_traced(PyObject *loop, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    return schedule(CALL_THREADSAFE, loop, args, count, keywords);
}

/* When the timer is due, on libuv's clock, which counts milliseconds; 0: it is none, the delay was 0. */
static uint64_t due_of(PyObject *handle)
{
    PyObject *when = PyObject_HasAttr(handle, str_when) ? PyObject_CallMethodNoArgs(handle, str_when) : NULL;
    double seconds = when ? PyFloat_AsDouble(when) : 0.0;
    Py_XDECREF(when);
    PyErr_Clear();
    return seconds > 0.0 ? (uint64_t)(seconds * NS_PER_S) : 0;
}

static PyObject *call_later_traced(PyObject *loop, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    thread_buffer *b = count > 1 ? ring_current() : NULL;
    if (!b)
        return call(CALL_LATER, loop, args, count, keywords);
    uint64_t tick = clock_tick();
    step_entry entry = steps_entry(b);
    PyObject *sealed;
    PyObject *result = call_sealed(CALL_LATER, 1, loop, args, count, keywords, &sealed);
    if (result && sealed) {
        uint64_t due_ns = due_of(result);
        envelopes_due(sealed, due_ns);
        if (!due_ns && (b = steps_same_recording(entry)) && found_current())
            tasks_callback_ready(b, tick, sealed);
    }
    Py_XDECREF(sealed);
    return result;
}

static PyObject *watch_file(enum method which, PyObject *loop, PyObject *const *args, Py_ssize_t count,
                            PyObject *keywords)
{
    if (count < 2 || !ring_current())
        return call(which, loop, args, count, keywords);
    PyObject *sealed;
    PyObject *result = call_sealed(which, 1, loop, args, count, keywords, &sealed);
    Py_XDECREF(sealed);
    return result;
}

static PyObject *add_reader_traced(PyObject *loop, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    return watch_file(ADD_READER, loop, args, count, keywords);
}

static PyObject *add_writer_traced(PyObject *loop, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    return watch_file(ADD_WRITER, loop, args, count, keywords);
}

static PyObject *run_traced(PyObject *loop, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    thread_buffer *b = found_current();
    int runs = b && loops_uv_run(b, loop);
    PyObject *result = call(RUN, loop, args, count, keywords);
    PyObject *raised = result ? NULL : PyErr_GetRaisedException();
    if (runs && (b = ring_current()))
        loops_uv_stop(b, loop);
    if (raised)
        PyErr_SetRaisedException(raised);
    return result;
}

static PyObject *close_traced(PyObject *loop, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    PyObject *result = call(CLOSE, loop, args, count, keywords);
    thread_buffer *b = result ? ring_current() : NULL;
    if (b)
        loops_uv_close(b, clock_tick(), loop);
    return result;
}

#define METHOD(name, trampoline) \
    {NULL, name, METH_FASTCALL | METH_KEYWORDS, (PyCFunction)(void (*)(void))trampoline}
static const builtin_wrapper trampolines[METHODS] = {
    [CALL_SOON] = METHOD("call_soon", call_soon_traced),
    [CALL_THREADSAFE] = METHOD("call_soon_threadsafe", call_threadsafe_traced),
    [CALL_LATER] = METHOD("call_later", call_later_traced),
    [ADD_READER] = METHOD("add_reader", add_reader_traced),
    [ADD_WRITER] = METHOD("add_writer", add_writer_traced),
    [RUN] = METHOD("run_forever", run_traced),
    [CLOSE] = METHOD("close", close_traced),
};

/* --- contexts --- */

/* A thread whose loop is not known yet, or that runs one of another kind. */
static ALONE void enter_first(void)
{
    thread_buffer *b = found_current();
    if (b && b->in_libuv)
        contexts_enter(b);
}

static HOT int enter_traced(PyObject *context)
{
    int result = PyContext_Enter(context);
    if (result)
        return result;
    thread_buffer *b = ring_known();
    if (b && b->in_libuv)
        contexts_enter(b);
    else
        enter_first();
    return 0;
}

/* Whatever ran in it. */
static ALONE int exit_any(PyObject *context)
{
    thread_buffer *b = found_current();
    if (b && b->in_libuv && (tasks_adopting || !contexts_leave_known(b))) {
        uint64_t tick = clock_tick();
        PyObject *raised = contexts_tstate(b)->current_exception ? PyErr_GetRaisedException() : NULL;
        if (contexts_leave(b, tick))
            tasks_end_step(b, tick, NULL);
        if (tasks_adopting)
            tasks_end_adopted(b, tick);
        if (raised)
            PyErr_SetRaisedException(raised);
    }
    return PyContext_Exit(context);
}

static HOT int exit_traced(PyObject *context)
{
    thread_buffer *b = ring_known();
    if (!b || !b->in_libuv || tasks_adopting || !contexts_leave_known(b))
        return exit_any(context);
    return PyContext_Exit(context);
}

/* --- polls --- */

typedef int (*poll_function)(int, struct epoll_event *, int, int, const sigset_t *);

static poll_function original_poll = epoll_pwait; /* or the hook that calls/libc.c has put there */

/* libuv waits for something to do, here or on a thread of its own. The GIL is released. */
static HOT int poll_traced(int fd, struct epoll_event *events, int count, int timeout_ms, const sigset_t *signals)
{
    thread_buffer *b = ring_mine;
    step_entry entry = steps_entry(b);
    b = steps_same_recording(entry);
    int polls = b && b->in_libuv && loops_uv_poll(b, timeout_ms);
    int result = original_poll(fd, events, count, timeout_ms, signals);
    int error = errno;
    if (polls && (b = steps_same_recording(entry)))
        loops_uv_polled(b);
    errno = error;
    return result;
}

/* --- reads and writes --- */

typedef ssize_t (*read_function)(int, void *, size_t);
typedef ssize_t (*write_function)(int, const void *, size_t);

static read_function original_read = read; /* as above */

/* libuv reads what has come as soon as uvloop has given it a buffer, which takes and releases the GIL. (The other hook looks
 * at the clock.) */
static HOT ssize_t read_traced(int fd, void *bytes, size_t count)
{
    thread_buffer *b = ring_mine;
    if (b && b->in_libuv && libc_reads_at_release(b, fd))
        return read(fd, bytes, count);
    return original_read(fd, bytes, count);
}

enum { QUICK_BYTES = 1 << 16 };
static write_function original_write = write; /* as above */

/* uvloop tries to write at once, with the GIL: its descriptors do not block, and so few bytes are no work. (The other
 * hook looks at the clock before and after.) */
static HOT ssize_t write_traced(int fd, const void *bytes, size_t count)
{
    const thread_buffer *b = ring_mine;
    if (count <= QUICK_BYTES && b && b->has_gil && !streams_on)
        return write(fd, bytes, count);
    return original_write(fd, bytes, count);
}

/* --- subprocesses --- */

/* The beginning of libuv's uv_process_options_t. */
typedef struct {
    void *on_exit;
    const char *file;
    char **args, **env;
    const char *cwd;
} process_options;
typedef int (*spawn_function)(void *loop, void *process, const process_options *options);

static spawn_function original_spawn;
static _Thread_local pid_t forked; /* by uv_spawn(), which forks once … */
static _Thread_local const children_native *starting; /* … for this program */

static pid_t fork_traced(void)
{
    pid_t pid = fork();
    if (pid > 0)
        forked = pid;
    else if (pid == 0 && starting)
        children_native_forked(starting);
    return pid;
}

/* The thread is attached. */
static int spawn_traced(void *loop, void *process, process_options *options)
{
    children_native child = {.file = options->file, .folder = options->cwd, .words = options->args,
                             .environment = options->env};
    process_options given = *options;
    children_native_starts(&child);
    options->args = child.words;
    options->env = child.environment;
    forked = 0;
    starting = &child;
    int error = original_spawn(loop, process, options);
    starting = NULL;
    options->args = given.args;
    options->env = given.env;
    children_native_started(&child, error ? 0 : forked);
    return error;
}

/* --- in uvloop's shared object --- */

static got_hook hooks[] = {
    {"uv_spawn", (void *)spawn_traced, NULL}, /* its own */
    {"fork", (void *)fork_traced, (void *)fork},
    {"PyContext_Enter", (void *)enter_traced, (void *)PyContext_Enter},
    {"PyContext_Exit", (void *)exit_traced, (void *)PyContext_Exit},
    {"epoll_pwait", (void *)poll_traced, (void *)epoll_pwait},
    {"read", (void *)read_traced, (void *)read},
    {"write", (void *)write_traced, (void *)write},
};
static got_change slots[SLOTS];
static int slot_count;

/* Detached: both take the loader's lock, whose holder may want the GIL. */
static void patch(const void *inside)
{
    Dl_info about;
    void *uvloop = dladdr(inside, &about) ? dlopen(about.dli_fname, RTLD_LAZY | RTLD_NOLOAD) : NULL;
    hooks[0].theirs = uvloop ? dlsym(uvloop, "uv_spawn") : NULL;
    original_spawn = (spawn_function)hooks[0].theirs;
    if (uvloop)
        dlclose(uvloop); /* it stays loaded */
    int from = original_spawn ? 0 : 1;
    slot_count = got_patch_object(inside, hooks + from, (int)(sizeof hooks / sizeof *hooks) - from, slots, SLOTS);
    for (int i = 0; i < slot_count; i++) {
        if (slots[i].ours == (void *)poll_traced)
            original_poll = (poll_function)got_below(&slots[i]);
        if (slots[i].ours == (void *)read_traced)
            original_read = (read_function)got_below(&slots[i]);
        if (slots[i].ours == (void *)write_traced)
            original_write = (write_function)got_below(&slots[i]);
    }
}

static int is_in_object_of(const void *address, const void *inside)
{
    Dl_info one, other;
    return dladdr(address, &one) && dladdr(inside, &other) && one.dli_fbase == other.dli_fbase;
}

/* --- set-up --- */

PyDoc_STRVAR(watch_doc, "watch_uvloop(loop)\n\nWatches the loops of uvloop's type `loop`, after setup_asyncio().\n"
"Raises RuntimeError if this uvloop is unknown.");

static PyObject *watch_uvloop(PyObject *module, PyObject *loop)
{
    (void)module;
    PyMethodDef *defs[METHODS];
    if (!identity.handle || !PyType_Check(loop)) {
        PyErr_SetString(PyExc_RuntimeError, "asyncio is not watched");
        return NULL;
    }
    int known = 1;
    for (int i = 0; known && i < METHODS; i++)
        known = (defs[i] = cython_method(loop, &trampolines[i])) != NULL;
    const void *inside = known ? (const void *)(uintptr_t)((PyTypeObject *)loop)->tp_new : NULL;
    gil_follow_loads(); /* its hooks go below ours */
    Py_BEGIN_ALLOW_THREADS
    for (int i = 0; known && i < METHODS; i++)
        known = is_in_object_of(defs[i], inside);
    if (known && !slot_count)
        patch(inside);
    Py_END_ALLOW_THREADS
    if (!identity.handle) { /* the recording has ended meanwhile */
        uvloop_unwatch();
        Py_RETURN_NONE;
    }
    if (!known) {
        PyErr_SetString(PyExc_RuntimeError, "this uvloop works in an unknown way: tasks on its loops are not recorded");
        return NULL;
    }
    if (!str_when && !(str_when = PyUnicode_InternFromString("when")))
        return NULL;
    if (envelopes_setup() < 0)
        return NULL;
    Py_XSETREF(identity.uv_loop, (PyTypeObject *)Py_NewRef(loop));
    for (int i = 0; i < METHODS; i++)
        builtin_put(defs[i], &trampolines[i], &methods[i]);
    Py_RETURN_NONE;
}

void uvloop_unwatch(void)
{
    for (int i = 0; i < METHODS; i++)
        builtin_unwrap(&trampolines[i], &methods[i]);
    got_undo(slots, slot_count);
    slot_count = 0;
}

PyMethodDef uvloop_methods[] = {
    {"watch_uvloop", watch_uvloop, METH_O, watch_doc},
    {NULL, NULL, 0, NULL},
};
