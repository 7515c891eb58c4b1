/* sys.monitoring callbacks: a table from watched code objects to what their events mean.
 *
 * Each role handles the events of one kind of code. A role that fails is switched off and says
 * so in the trace; nothing is ever raised into the program. */
#include "signals/monitor.h"

#include <string.h>

#include "python/codes.h"
#include "python/notes.h"
#include "ring/hot.h"
#include "signals/asyncio/await.h"
#include "signals/asyncio/eager.h"
#include "signals/asyncio/found.h"
#include "signals/asyncio/identity.h"
#include "signals/asyncio/locks.h"
#include "signals/asyncio/loops.h"
#include "signals/asyncio/permits.h"
#include "signals/asyncio/ready.h"
#include "signals/asyncio/results.h"
#include "signals/asyncio/scopes.h"
#include "signals/asyncio/steps.h"
#include "signals/asyncio/tasks.h"
#include "signals/asyncio/timers.h"
#include "signals/asyncio/unasked.h"
#include "signals/asyncio/unsent.h"
#include "signals/asyncio/uvloop.h"
#include "signals/billiard.h"
#include "signals/calls/learn.h"
#include "signals/failures.h"
#include "signals/greenlet/greenlets.h"
#include "signals/greenlet/hub.h"
#include "signals/children.h"
#include "signals/jobs.h"
#include "signals/locks/queues.h"
#include "signals/messages.h"
#include "signals/queued.h"
#include "signals/threads.h"
#include "signals/trio/trio.h"
#include "signals/twisted/deferreds.h"
#include "signals/watched.h"

static void eager_start(thread_buffer *b, uint64_t tick, PyObject *value);
static void task_made(thread_buffer *b, uint64_t tick, PyObject *value);
static void task_rename(thread_buffer *b, uint64_t tick, PyObject *value);
static void thread_start(thread_buffer *b, uint64_t tick, PyObject *value);
static void thread_bootstrap(thread_buffer *b, uint64_t tick, PyObject *value);
static void thread_rename(thread_buffer *b, uint64_t tick, PyObject *value);
static void thread_end(thread_buffer *b, uint64_t tick, PyObject *value);
static void thread_fails(thread_buffer *b, uint64_t tick, PyObject *value);
static void job_submit(thread_buffer *b, uint64_t tick, PyObject *value);
static void job_handed(thread_buffer *b, uint64_t tick, PyObject *value);
static void job_run(thread_buffer *b, uint64_t tick, PyObject *value);
static void job_called(thread_buffer *b, uint64_t tick, PyObject *value);
static void job_given(thread_buffer *b, uint64_t tick, PyObject *value);
static void job_entered(thread_buffer *b, uint64_t tick, PyObject *value);
static void import_return(thread_buffer *b, uint64_t tick, PyObject *value);
static void process_named(thread_buffer *b, uint64_t tick, PyObject *value);
static void server_ready(thread_buffer *b, uint64_t tick, PyObject *value);
static void server_launched(thread_buffer *b, uint64_t tick, PyObject *value);
static void server_poll(thread_buffer *b, uint64_t tick, PyObject *value);
static void server_polled(thread_buffer *b, uint64_t tick, PyObject *value);

static watched_role roles[] = {
    {"step", NULL, NULL, LOOP_RUNS_STEPS},
    {"call_soon", NULL, NULL, LOOP_QUEUES},
    {"select", NULL, NULL, LOOP_POLLS},
    {"run_forever", loops_on_run, loops_on_stop, LOOP_RUNS},
    {"run_forever ends", loops_on_stop, NULL, LOOP_NO_PART},
    {"close", loops_on_stop, loops_on_close, LOOP_NO_PART},
    {"timer set", timers_on_call_at, NULL, LOOP_NO_PART},
    {"timer cancelled", timers_on_cancel, NULL, LOOP_NO_PART},
    {"transport written", unsent_on_write, unsent_on_written, LOOP_NO_PART},
    {"transport sent", NULL, unsent_on_sent, LOOP_NO_PART},
    {"eager", eager_start, NULL, LOOP_NO_PART},
    {"task made", NULL, task_made, LOOP_NO_PART},
    {"task name", task_rename, NULL, LOOP_NO_PART},
    {"greenlet scheduled", NULL, hub_on_scheduled, LOOP_NO_PART},
    {"greenlet job done", hub_on_job_done, NULL, LOOP_NO_PART},
    {"greenlet job taken", hub_on_job_taken, hub_on_job_told, LOOP_NO_PART},
    {"greenlet failed", greenlets_on_failure, NULL, LOOP_NO_PART},
    {"anyio scope due", NULL, scopes_due, LOOP_NO_PART},
    {"async lock acquired", NULL, async_locks_acquired, LOOP_NO_PART},
    {"async lock released", NULL, async_locks_released, LOOP_NO_PART},
    {"owned lock acquired", NULL, owned_lock_acquired, LOOP_NO_PART},
    {"owned lock released", NULL, owned_lock_released, LOOP_NO_PART},
    {"permit taken", NULL, permits_on_taken, LOOP_NO_PART},
    {"permit given", permits_on_given, NULL, LOOP_NO_PART},
    {"trio run", trio_on_run, NULL, LOOP_RUNS_TRIO},
    {"trio close", NULL, trio_on_close, LOOP_NO_PART},
    {"trio reschedule", NULL, NULL, LOOP_QUEUES_TRIO},
    {"trio borrow", trio_on_borrow, NULL, LOOP_NO_PART},
    {"trio abort", NULL, trio_on_abort, LOOP_NO_PART},
    {"trio exit", NULL, trio_on_exit, LOOP_NO_PART},
    {"trio poll", NULL, NULL, LOOP_POLLS_TRIO},
    {"trio submit", trio_on_submit, NULL, LOOP_NO_PART},
    {"trio callback", trio_on_callback, trio_on_called, LOOP_NO_PART},
    {"deferred step", deferreds_on_step, deferreds_on_stepped, LOOP_NO_PART},
    {"deferred failure", NULL, deferreds_on_failure, LOOP_NO_PART},
    {"deferred acquire", deferreds_on_acquire, NULL, LOOP_NO_PART},
    {"deferred release", deferreds_on_release, deferreds_on_released, LOOP_NO_PART},
    {"reactor", deferreds_on_run, deferreds_on_ran, LOOP_NO_PART},
    {"reactor poll", deferreds_on_poll, deferreds_on_polled, LOOP_NO_PART},
    {"reactor read", deferreds_on_read, NULL, LOOP_NO_PART},
    {"queue taken", queues_on_take, NULL, LOOP_NO_PART},
    {"thread start", thread_start, NULL, LOOP_NO_PART},
    {"thread bootstrap", thread_bootstrap, NULL, LOOP_NO_PART},
    {"thread name", thread_rename, NULL, LOOP_NO_PART},
    {"thread end", thread_end, NULL, LOOP_NO_PART},
    {"thread fails", thread_fails, NULL, LOOP_NO_PART},
    {"job submit", job_submit, NULL, LOOP_NO_PART},
    {"job handed", job_handed, NULL, LOOP_NO_PART},
    {"job run", job_run, NULL, LOOP_NO_PART},
    {"job called", job_called, NULL, LOOP_NO_PART},
    {"job given", job_given, NULL, LOOP_NO_PART},
    {"job entered", NULL, job_entered, LOOP_NO_PART},
    {"answer read", NULL, failures_on_answer, LOOP_NO_PART},
    {"import", NULL, import_return, LOOP_NO_PART},
    {"process named", process_named, NULL, LOOP_NO_PART},
    {"pool work item", jobs_on_work_item, NULL, LOOP_NO_PART},
    {"pool result made", NULL, jobs_on_pool_result, LOOP_NO_PART},
    {"pool batch drawn", jobs_on_drawn, NULL, LOOP_NO_PART},
    {"pool job end", jobs_on_end, NULL, LOOP_NO_PART},
    {"pool result item", jobs_on_result_item, NULL, LOOP_NO_PART},
    {"pool result set", jobs_on_pool_set, NULL, LOOP_NO_PART},
    {"message queued", queued_on_put, NULL, LOOP_NO_PART},
    {"message feeder", queued_on_feed, NULL, LOOP_NO_PART},
    {"message got", NULL, jobs_on_got, LOOP_NO_PART},
    {"message put", jobs_on_put, NULL, LOOP_NO_PART},
    {"message sent", messages_on_send, messages_on_sent, LOOP_NO_PART},
    {"message read", messages_on_read, messages_on_got, LOOP_NO_PART},
    {"message awaited", messages_on_wait, messages_on_ready, LOOP_NO_PART},
    {"message pipe", NULL, messages_on_pipe, LOOP_NO_PART},
    {"message end closed", messages_on_close, NULL, LOOP_NO_PART},
    {"message received", NULL, jobs_on_received, LOOP_NO_PART},
    {"pickle", messages_on_pickle, jobs_on_pickled, LOOP_NO_PART},
    {"billiard request", billiard_on_request, NULL, LOOP_NO_PART},
    {"billiard slot", billiard_on_slot, NULL, LOOP_NO_PART},
    {"billiard submitted", NULL, billiard_on_submitted, LOOP_NO_PART},
    {"billiard pickle", billiard_on_pickle, billiard_on_pickled, LOOP_NO_PART},
    {"billiard write", billiard_on_write, billiard_on_written, LOOP_NO_PART},
    {"billiard send", billiard_on_send, NULL, LOOP_NO_PART},
    {"billiard put", billiard_on_put, billiard_on_was_put, LOOP_NO_PART},
    {"billiard bytes", billiard_on_bytes, billiard_on_sent, LOOP_NO_PART},
    {"billiard read", NULL, billiard_on_read, LOOP_NO_PART},
    {"billiard got", NULL, billiard_on_got, LOOP_NO_PART},
    {"billiard state", billiard_on_state, NULL, LOOP_NO_PART},
    {"fork server runs", NULL, server_ready, LOOP_NO_PART},
    {"fork server launch", NULL, server_launched, LOOP_NO_PART},
    {"fork server poll", server_poll, server_polled, LOOP_NO_PART},
};
enum { ROLES = sizeof roles / sizeof *roles };

static PyObject *disable; /* sys.monitoring.DISABLE */
static PyObject *import_pending; /* dict: module name -> what to call once it is imported */

static inline void check(watched_role *role)
{
    if (PyErr_Occurred()) {
        role->on_start = role->on_return = NULL;
        notes_failure(role->name);
    }
}

/* --- the callbacks registered with sys.monitoring --- */

static HOT PyObject *on_py_start(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module, (void)count;
    watched_role *role = watched_role_of(args[0]);
    thread_buffer *b = role && role->on_start ? ring_current() : NULL;
    if (b) {
        role->on_start(b, 0, NULL); /* reads the clock itself, if it records anything */
        check(role);
    }
    if (role && ((role->on_start == queues_on_take && !queues_calls_left) ||
                 (role->on_start == permits_on_given && !permits_calls_left)))
        return Py_NewRef(disable);
    Py_RETURN_NONE;
}

static HOT PyObject *on_py_return(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module, (void)count;
    uint64_t tick = clock_tick();
    watched_role *role = watched_role_of(args[0]);
    thread_buffer *b = role && role->on_return ? ring_current() : NULL;
    if (b) {
        role->on_return(b, tick, args[2]);
        check(role);
        if (role->on_return == permits_on_taken && !permits_calls_left)
            return Py_NewRef(disable);
    } else if (role && role->loop_part == LOOP_RUNS_STEPS && (b = found_current())) {
        tasks_end_adopted(b, tick);
        if (!tasks_adopting && !found_awaited)
            return Py_NewRef(disable);
    }
    Py_RETURN_NONE;
}

/* A line of a function that is of interest only where it comes to that line: the others are not told of again. */
static PyObject *on_line(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module, (void)count;
    watched_role *role = watched_role_of(args[0]);
    if (!role || !role->on_start || PyLong_AsLong(args[1]) != watched_line_of(args[0]))
        return Py_NewRef(disable);
    thread_buffer *b = ring_current();
    if (b) {
        role->on_start(b, 0, NULL);
        check(role);
    }
    Py_RETURN_NONE;
}

static PyObject *on_call(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module, (void)count;
    return learn_on_call(args);
}

static PyObject *on_c_end(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module, (void)args, (void)count;
    learn_on_end();
    Py_RETURN_NONE;
}

/* --- roles --- */

static PyObject *local(int index)
{
    return compat_local(PyThreadState_Get(), index);
}

static void eager_start(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    PyObject *task = local(0);
    if (task && found_current())
        eager_begins(b, task);
}

static void task_made(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)value;
    PyObject *task = local(0);
    if (task && identity_is_task(task) && found_current())
        tasks_on_made(b, tick, task, NULL);
}

static void task_rename(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    identity_renamed(b, local(0), local(1));
}

static void thread_start(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    threads_on_start(b, local(0));
}

static void thread_bootstrap(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    threads_on_bootstrap(b, local(0));
}

static void thread_rename(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    threads_on_rename(b, local(0), local(1));
}

static void process_named(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    children_on_name(b, local(0));
}

static void server_ready(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    children_on_request(b);
}

static void server_launched(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    children_on_served(b, local(0));
}

static void server_poll(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)b, (void)tick, (void)value;
    children_on_poll(local(0));
}

static void server_polled(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick;
    children_on_polled(b, local(0), value);
}

static void thread_end(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    threads_on_end(b);
}

static void thread_fails(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    threads_on_failure(b);
}

static void job_submit(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    threads_on_submit(b, local(0));
}

/* What a cell has, borrowed from it; anything else is itself. */
static PyObject *held_in(PyObject *local)
{
    PyObject *held = local && PyCell_Check(local) ? PyCell_Get(local) : Py_XNewRef(local);
    Py_XDECREF(held); /* the running function has it */
    return held;
}

/* A method of a pool is given the job, which an inner function of it may know, too. */
static void job_handed(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    PyObject *job = held_in(local(1));
    if (job)
        threads_on_submit(b, job);
}

static void job_run(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    threads_on_job(b, local(0));
}

/* The job is the running function, which knows itself by its first free variable. */
static void job_called(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    const PyCodeObject *code = compat_frame_code(*compat_frame_slot(PyThreadState_Get()));
    PyObject *job = code && code->co_nfreevars ? held_in(local(code->co_nlocalsplus - code->co_nfreevars)) : NULL;
    if (job && PyFunction_Check(job))
        threads_on_job(b, job);
}

/* A worker's method is given what it is to call and the arguments, and last where the result goes, which was made as
 * the job was submitted. */
static void job_given(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    PyObject *called = held_in(local(1)), *result = held_in(local(4));
    if (result)
        threads_on_call(b, result, called);
}

static void job_entered(thread_buffer *b, uint64_t tick, PyObject *job)
{
    threads_on_entered(b, tick, local(0), job);
}

/* importlib has finished a module: arm the hooks that waited for it. */
static void import_return(thread_buffer *b, uint64_t tick, PyObject *module)
{
    (void)b, (void)tick;
    if (!import_pending || !module || !PyModule_Check(module))
        return;
    PyObject *name = PyModule_GetNameObject(module);
    PyObject *arm = name ? PyDict_GetItemWithError(import_pending, name) : NULL;
    if (arm) {
        Py_INCREF(arm);
        PyDict_DelItem(import_pending, name);
        notes_call_once(&arm, "arming after an import");
    }
    Py_XDECREF(name);
    PyErr_Clear();
}

/* --- set-up --- */

static int find_disable(void)
{
    PyObject *monitoring = PySys_GetObject("monitoring"); /* borrowed */
    if (!disable && monitoring)
        disable = PyObject_GetAttrString(monitoring, "DISABLE"); /* lives for ever */
    return disable ? 0 : -1;
}

PyDoc_STRVAR(watch_doc, "watch(code, role, line=0)\n\nSets what the events of `code` mean; of its LINE events, that of `line`.");

static PyObject *watch(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *code;
    const char *name;
    int line = 0;
    if (!PyArg_ParseTuple(args, "O!s|i", &PyCode_Type, &code, &name, &line) || find_disable() < 0)
        return NULL;
    for (int i = 0; i < ROLES; i++) {
        if (strcmp(roles[i].name, name))
            continue;
        if (watched_add(code, &roles[i], line) < 0)
            break;
        Py_RETURN_NONE;
    }
    return PyErr_Format(PyExc_ValueError, "no role %s, or too many codes", name);
}

PyDoc_STRVAR(unwatch_doc, "unwatch_all()\n\nForgets every watched code and pending import.");

static PyObject *unwatch_all(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    watched_forget();
    Py_CLEAR(import_pending);
    uvloop_unwatch();
    steps_unwatch();
    ready_unwatch();
    loops_unwatch();
    found_unwatch();
    eager_unwatch();
    trio_forget();
    deferreds_forget();
    unasked_unwatch();
    results_unwatch();
    timers_unwatch();
    unsent_forget();
    identity_forget();
    Py_RETURN_NONE;
}

PyDoc_STRVAR(await_import_doc, "await_imports(pending)\n\n`pending` maps module names to what to call "
"when one has been imported; entries are removed as they are used.");

static PyObject *await_imports(PyObject *module, PyObject *pending)
{
    (void)module;
    if (!PyDict_Check(pending)) {
        PyErr_SetString(PyExc_TypeError, "a dict is needed");
        return NULL;
    }
    Py_XSETREF(import_pending, Py_NewRef(pending));
    Py_RETURN_NONE;
}

PyDoc_STRVAR(asyncio_doc, "setup_asyncio(facts)\n\nTypes and functions of asyncio, as tasks.c lists them.");

static PyObject *setup_asyncio(PyObject *module, PyObject *facts)
{
    (void)module;
    if (!PyDict_Check(facts)) {
        PyErr_SetString(PyExc_TypeError, "a dict is needed");
        return NULL;
    }
    if (codes_start() < 0 || await_setup(facts) < 0 || identity_setup(facts) < 0)
        return NULL;
    if (steps_watch(PyDict_GetItemString(facts, "context_run")) < 0 ||
        ready_watch(PyDict_GetItemString(facts, "append")) < 0)
        return NULL;
    found_watch(PyDict_GetItemString(facts, "set_running"));
    if (identity.c_task)
        eager_watch(identity.c_task);
    unasked_watch(identity.c_task);
    results_watch(PyDict_GetItemString(facts, "future_iterator"));
    Py_RETURN_NONE;
}

PyDoc_STRVAR(trio_doc, "setup_trio(facts)\n\nTypes and functions of trio, as trio.c lists them.");

static PyObject *setup_trio(PyObject *module, PyObject *facts)
{
    (void)module;
    if (!PyDict_Check(facts)) {
        PyErr_SetString(PyExc_TypeError, "a dict is needed");
        return NULL;
    }
    if (codes_start() < 0 || await_setup(facts) < 0 || identity_start() < 0 || trio_setup(facts) < 0)
        return NULL;
    if (steps_watch_run(PyDict_GetItemString(facts, "context_run")) < 0 ||
        ready_watch(PyDict_GetItemString(facts, "append")) < 0)
        return NULL;
    Py_RETURN_NONE;
}

#define FAST(function) {#function, (PyCFunction)(void (*)(void))function, METH_FASTCALL, NULL}
PyMethodDef monitor_methods[] = {
    FAST(on_py_start),
    FAST(on_py_return),
    FAST(on_line),
    FAST(on_call),
    FAST(on_c_end),
    {"watch", watch, METH_VARARGS, watch_doc},
    {"unwatch_all", unwatch_all, METH_NOARGS, unwatch_doc},
    {"await_imports", await_imports, METH_O, await_import_doc},
    {"setup_asyncio", setup_asyncio, METH_O, asyncio_doc},
    {"setup_trio", setup_trio, METH_O, trio_doc},
    {NULL, NULL, 0, NULL},
};
