/* Marks the stacks of all threads, on one that asks from Python, or on a thread of our own. */
#include "signals/where.h"

#include "python/stacks.h"
#include "ring/ring.h"
#include "signals/aside.h"

/* With the GIL, which keeps the frames of all others where they are. A thread without Python code is not there. */
static Py_ssize_t mark(thread_buffer *b, const PyThreadState *except)
{
    uint64_t tick = clock_tick();
    Py_ssize_t count = 0;
    PyThreadState *at = PyInterpreterState_ThreadHead(PyInterpreterState_Main());
    for (; at; at = PyThreadState_Next(at)) {
        uint32_t stack = at == except ? 0 : stacks_capture(at);
        if (stack && at->native_thread_id) {
            ring_emit(b, tick, REC_STACK, 0, stack, at->native_thread_id, 0);
            count++;
        }
    }
    if (atomic_load_explicit(&stacks_pending, memory_order_relaxed))
        stacks_resolve(); /* first: whoever reads the next record finds the names of all stacks before it */
    ring_emit(b, tick, REC_STACKS, 0, 0, (uint64_t)count, 0);
    return count;
}

static void mark_others(void)
{
    thread_buffer *b = ring_current();
    if (b)
        mark(b, PyThreadState_Get());
}

static aside marker = {.work = mark_others};

void where_ask(void)
{
    aside_start(&marker);
}

void where_await(void)
{
    aside_await(&marker, UINT64_MAX);
}

void where_forget(void)
{
    aside_forget(&marker);
}

PyDoc_STRVAR(mark_doc, "mark_stacks() -> int\n\n"
"Records where every thread is at this moment; how many they are. 0: nothing is recorded, or there is no GIL.");

static PyObject *mark_stacks(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    thread_buffer *b = COMPAT_FREE_THREADED ? NULL : ring_current();
    return PyLong_FromSsize_t(b ? mark(b, NULL) : 0);
}

PyDoc_STRVAR(ask_doc, "ask_stacks()\n\nThe same on a thread of our own, as a request from outside has it done.");

static PyObject *ask_stacks(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    where_ask();
    Py_BEGIN_ALLOW_THREADS
    where_await();
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

PyMethodDef where_methods[] = {
    {"mark_stacks", mark_stacks, METH_NOARGS, mark_doc},
    {"ask_stacks", ask_stacks, METH_NOARGS, ask_doc},
    {NULL, NULL, 0, NULL},
};
