/* Trampolines around every step of a task, whatever loop runs it, and around the callbacks of asyncio's loops.
 *
 * A loop steps a task of the C module in two ways: it calls an object of the type TaskStepMethWrapper, or, when what
 * the task awaited is done, the builtin task_wakeup. The type's tp_call and the builtin's ml_meth are process-wide, and
 * CPython reads both at every call. asyncio's loops call everything through Context.run, and trio its tasks: so does the
 * program, but from other code than Handle._run and trio's run. */
#include "signals/asyncio/steps.h"

#include "python/trampolines.h"
#include "ring/hot.h"
#include "signals/asyncio/found.h"
#include "signals/asyncio/identity.h"
#include "signals/asyncio/tasks.h"
#include "signals/trio/trio.h"
#include "signals/watched.h"

typedef PyObject *(*fast_keywords)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);

/* The originals stay set: threads may be inside. */
static PyTypeObject *wrapper_type; /* a reference; NULL: not watched */
static HOT_DATA ternaryfunc original_step;
static PyMethodDef *wakeup, *run;
static HOT_DATA PyCFunction original_wakeup;
static HOT_DATA PyCFunction original_run;

/* The types of another interpreter are not ours. */
static thread_buffer *buffer_for(PyObject *task)
{
    return identity.c_task && PyObject_TypeCheck(task, identity.c_task) ? found_current() : NULL;
}

/* `callback`: NULL if it was the step of `task`. */
static HOT PyObject *leave(step_entry entry, PyObject *task, PyObject *callback, PyObject *result)
{
    thread_buffer *b = steps_same_recording(entry);
    uint64_t tick = clock_tick();
    PyObject *raised = result ? NULL : PyErr_GetRaisedException();
    if (!b) {
        if ((tasks_adopting || found_awaited) && (b = found_current()))
            tasks_end_adopted(b, tick);
    } else if (callback) {
        tasks_end_callback(b, tick, callback);
    } else {
        tasks_end_step(b, tick, task);
    }
    if (raised)
        PyErr_SetRaisedException(raised);
    return result;
}

static HOT PyObject *step_traced(PyObject *wrapper, PyObject *args, PyObject *keywords)
{
    PyObject *task = Py_TYPE(wrapper) == identity.step_wrapper ? Py_XNewRef(identity_step_task(wrapper)) : NULL;
    thread_buffer *b = task ? buffer_for(task) : NULL;
    if (b)
        tasks_begin_step(b, task);
    step_entry entry = steps_entry(b);
    PyObject *result = leave(entry, task, NULL, original_step(wrapper, args, keywords));
    Py_XDECREF(task);
    return result;
}

static HOT PyObject *wakeup_traced(PyObject *task, PyObject *future)
{
    thread_buffer *b = buffer_for(task);
    if (b)
        tasks_begin_step(b, task);
    step_entry entry = steps_entry(b);
    return leave(entry, task, NULL, original_wakeup(task, future));
}

static int is_watched_step(PyObject *callback)
{
    return Py_TYPE(callback) == identity.step_wrapper ||
           (PyCFunction_CheckExact(callback) && ((PyCFunctionObject *)callback)->m_ml == identity.wakeup);
}

static PyObject *call_run(PyObject *context, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    return ((fast_keywords)(void (*)(void))original_run)(context, args, count, keywords);
}

static HOT PyObject *run_traced(PyObject *context, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    enum loop_part caller =
        count < 1 || is_watched_step(args[0]) ? LOOP_NO_PART : watched_part(compat_running_frame());
    if (caller != LOOP_RUNS_STEPS && caller != LOOP_RUNS_TRIO)
        return call_run(context, args, count, keywords);
    thread_buffer *b = caller == LOOP_RUNS_TRIO ? ring_current() : found_current();
    if (caller == LOOP_RUNS_TRIO) {
        if (b)
            trio_begin_step(b);
        PyObject *message = call_run(context, args, count, keywords);
        if (message && (b = ring_current()))
            trio_end_step(b, clock_tick(), message);
        return message;
    }
    if (b)
        tasks_begin_callback(b, args[0]);
    step_entry entry = steps_entry(b);
    return leave(entry, NULL, args[0], call_run(context, args, count, keywords));
}

int steps_watch_run(PyObject *run_method)
{
    PyMethodDef *def = run_method ? compat_method_def(run_method) : NULL;
    if (!def || def->ml_flags != (METH_FASTCALL | METH_KEYWORDS)) {
        PyErr_SetString(PyExc_RuntimeError, "contextvars.Context.run is called in an unknown way");
        return -1;
    }
    run = def;
    trampoline_put(run, (PyCFunction)(void (*)(void))run_traced, &original_run);
    return 0;
}

int steps_watch(PyObject *run_method)
{
    if (steps_watch_run(run_method) < 0)
        return -1;
    if (!identity.step_wrapper || wrapper_type)
        return 0;
    wrapper_type = (PyTypeObject *)Py_NewRef(identity.step_wrapper);
    if (wrapper_type->tp_call != step_traced)
        original_step = wrapper_type->tp_call;
    __atomic_store_n(&wrapper_type->tp_call, step_traced, __ATOMIC_RELEASE);
    wakeup = identity.wakeup;
    trampoline_put(wakeup, wakeup_traced, &original_wakeup);
    return 0;
}

void steps_unwatch(void)
{
    if (run)
        trampoline_take(run, (PyCFunction)(void (*)(void))run_traced, original_run);
    if (!wrapper_type)
        return;
    if (wrapper_type->tp_call == step_traced)
        __atomic_store_n(&wrapper_type->tp_call, original_step, __ATOMIC_RELEASE);
    trampoline_take(wakeup, wakeup_traced, original_wakeup);
    Py_CLEAR(wrapper_type);
}
