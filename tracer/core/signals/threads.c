/* Threads as threading.Thread shows them. */
#include "signals/threads.h"

#include "python/codes.h"
#include "python/plain.h"
#include "python/stacks.h"
#include "python/utf8.h"
#include "sampler/sampler.h"
#include "signals/gil/attached.h"

static void emit_thread_name(thread_buffer *b, uint32_t tid, PyObject *name)
{
    Py_ssize_t length;
    PyObject *owned;
    if (!name || !PyUnicode_Check(name))
        return;
    const char *text = utf8_of(name, &length, &owned);
    ring_emit_text(b, REC_THREAD_NAME, 0, tid, text, (size_t)length, 0);
    Py_XDECREF(owned);
}

void threads_on_start(thread_buffer *b, PyObject *thread)
{
    uint32_t stack = stacks_here();
    ring_emit(b, clock_tick(), REC_THREAD_SPAWN, 0, stack, (uint64_t)(uintptr_t)thread, 0);
}

void threads_on_bootstrap(thread_buffer *b, PyObject *thread)
{
    if (gil_mode == GIL_ABSENT)
        attached_begin(b);
    PyObject *name = thread ? PyObject_GetAttrString(thread, "_name") : NULL;
    emit_thread_name(b, (uint32_t)b->tid, name);
    sampler_arm_self();
    Py_XDECREF(name);
    PyErr_Clear();
    ring_emit(b, clock_tick(), REC_THREAD_BEGIN, 0, 0, (uint64_t)(uintptr_t)thread, 0);
}

void threads_on_rename(thread_buffer *b, PyObject *thread, PyObject *name)
{
    PyObject *tid = thread ? PyObject_GetAttrString(thread, "_native_id") : NULL;
    if (tid && PyLong_Check(tid)) /* a thread that has not started reports its name when it does */
        emit_thread_name(b, (uint32_t)PyLong_AsUnsignedLong(tid), name);
    Py_XDECREF(tid);
    PyErr_Clear();
}

void threads_on_end(thread_buffer *b)
{
    ring_emit(b, clock_tick(), REC_THREAD_ENDS, 0, 0, 0, 0);
}

/* Where an exception was raised: the calls that it left, the innermost ones where there are too many. */
static uint32_t raised_at(PyObject *error)
{
    stack_frame frames[STACK_DEPTH_MOST + 1]; /* one more than fits: that says that there are more */
    PyObject *entries = PyException_GetTraceback(error);
    int count = 0, depth = 0;
    for (PyTracebackObject *entry = (PyTracebackObject *)entries; entry; entry = entry->tb_next)
        count++;
    for (PyTracebackObject *entry = (PyTracebackObject *)entries; entry; entry = entry->tb_next) {
        if (count-- > STACK_DEPTH_MOST + 1)
            continue;
        PyCodeObject *code = PyFrame_GetCode(entry->tb_frame);
        frames[count] = (stack_frame){code, entry->tb_lasti};
        depth++;
        Py_DECREF(code); /* the frame has it, and the traceback the frame */
    }
    uint32_t stack = depth ? stacks_named(stacks_put(frames, depth)) : 0;
    Py_XDECREF(entries);
    return stack;
}

void threads_on_failure(thread_buffer *b)
{
    PyObject *error = PyErr_GetHandledException();
    if (error && !PyErr_GivenExceptionMatches(error, PyExc_SystemExit)) /* with that one a thread just ends */
        ring_emit(b, clock_tick(), REC_THREAD_FAILED, 0, raised_at(error), codes_type_name(error), 0);
    Py_XDECREF(error);
}

void threads_on_submit(thread_buffer *b, PyObject *job)
{
    ring_emit(b, clock_tick(), REC_JOB_SUBMIT, 0, 0, (uint64_t)(uintptr_t)job, 0);
}

static PyObject *fn, *args, *task, *entered; /* names */
/* A job that comes so much before the next one is told: of fewer nobody knows anything, of more the unit is another. */
static const double LEAST_S = 0.001, MOST_S = 1e6;

/* Part of a job, borrowed or NULL: an attribute; from 3.14 on an item of its `task`. */
static PyObject *part_of(PyObject *job, PyObject *name, Py_ssize_t place)
{
    PyObject *found = plain_attribute(job, name);
    if (!found) {
        PyObject *all = plain_attribute(job, task);
        found = all && PyTuple_Check(all) && PyTuple_GET_SIZE(all) > place ? Py_NewRef(PyTuple_GET_ITEM(all, place)) : NULL;
        Py_XDECREF(all);
    }
    Py_XDECREF(found); /* the job has it */
    return found;
}

/* The function of a job, borrowed or NULL; for `context.run(f)` that is f. */
static PyObject *called_by(PyObject *job)
{
    if ((!fn && !(fn = PyUnicode_InternFromString("fn"))) || (!args && !(args = PyUnicode_InternFromString("args"))) ||
        (!task && !(task = PyUnicode_InternFromString("task"))))
        return NULL;
    PyObject *called = part_of(job, fn, 0);
    PyObject *self = called && PyCFunction_Check(called) ? PyCFunction_GET_SELF(called) : NULL;
    PyObject *given = self && PyContext_CheckExact(self) ? part_of(job, args, 1) : NULL;
    return given && PyTuple_Check(given) && PyTuple_GET_SIZE(given) ? PyTuple_GET_ITEM(given, 0) : called;
}

void threads_on_call(thread_buffer *b, PyObject *job, PyObject *called)
{
    uint64_t tick = clock_tick();
    uint32_t func = called ? codes_callable(called) : 0;
    ring_emit(b, tick, REC_JOB_RUN, 0, func, (uint64_t)(uintptr_t)job, 0);
}

void threads_on_job(thread_buffer *b, PyObject *job)
{
    threads_on_call(b, job, called_by(job));
}

/* When a job of a scheduler is due, in seconds, or -1. */
static double due_of(PyObject *job)
{
    PyObject *due = job && PyTuple_Check(job) && PyTuple_GET_SIZE(job) ? PyTuple_GET_ITEM(job, 0) : NULL;
    double seconds = due && PyFloat_CheckExact(due) ? PyFloat_AS_DOUBLE(due) : -1;
    return seconds >= 0 ? seconds : -1;
}

/* The queue is a heap: the job that was first before is one of the next two. */
void threads_on_entered(thread_buffer *b, uint64_t tick, PyObject *scheduler, PyObject *job)
{
    enum { NEXT = 3 };
    if (COMPAT_FREE_THREADED || (!entered && !(entered = PyUnicode_InternFromString("_queue"))))
        return;
    PyObject *queue = plain_attribute(scheduler, entered);
    Py_ssize_t count = queue && PyList_CheckExact(queue) ? PyList_GET_SIZE(queue) : 0;
    double own = due_of(job), before = -1;
    for (Py_ssize_t i = 1; i < count && i < NEXT && PyList_GET_ITEM(queue, 0) == job; i++) {
        double next = due_of(PyList_GET_ITEM(queue, i));
        before = before < 0 || next < before ? next : before;
    }
    if (own >= 0 && before - own > LEAST_S && before - own < MOST_S)
        ring_emit(b, tick, REC_ENTERED_FIRST, 0, stacks_here(),
                  (uint64_t)((before - own) * 1e9), 0);
    Py_XDECREF(queue);
    PyErr_Clear();
}

void threads_name(const char *name)
{
    thread_buffer *b = ring_current();
    PyObject *text = PyUnicode_FromString(name);
    if (b && text)
        emit_thread_name(b, (uint32_t)b->tid, text);
    Py_XDECREF(text);
}

PyDoc_STRVAR(name_doc, "name_thread(tid, name)\n\nNames a thread that ran before the recording.");

static PyObject *name_thread(PyObject *module, PyObject *args)
{
    (void)module;
    unsigned int tid;
    PyObject *name;
    if (!PyArg_ParseTuple(args, "IU", &tid, &name))
        return NULL;
    thread_buffer *b = ring_current();
    if (b)
        emit_thread_name(b, tid, name);
    Py_RETURN_NONE;
}

PyMethodDef threads_methods[] = {
    {"name_thread", name_thread, METH_VARARGS, name_doc},
    {NULL, NULL, 0, NULL},
};
