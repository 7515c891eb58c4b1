/* Marks the stacks of all threads, on one that asks from Python, or on a thread of our own. */
#include "signals/where.h"

#include <unistd.h>

#include "python/stacks.h"
#include "ring/ring.h"
#include "signals/aside.h"
#include "signals/slices.h"

enum { NAMING = 16 /* units of work, of a few stacks */ };

/* The newest of the threads that are older than that one. */
static PyThreadState *older_than(uint64_t id)
{
    PyThreadState *at = PyInterpreterState_ThreadHead(PyInterpreterState_Main());
    while (at && at->id >= id)
        at = PyThreadState_Next(at);
    return at;
}

/* Lets others have the GIL, and returns this thread's buffer, which the recording's end may have taken. A thread of our
 * own is not seen to do so. */
static thread_buffer *pause_between(const PyThreadState *own)
{
    if (own)
        ring_let_go();
    ring_is_hidden = own != NULL;
    slices_pause();
    ring_is_hidden = 0;
    return ring_current();
}

/* With the GIL, which keeps the frames of all others where they are. A thread without Python code is not there, nor is
 * `own`, one of ours. Where threads are so many that the GIL is let go of meanwhile, the earlier ones have earlier times. */
static Py_ssize_t mark(thread_buffer *b, const PyThreadState *own)
{
    slices_begin();
    uint64_t tick = clock_tick();
    Py_ssize_t count = 0;
    for (PyThreadState *at = older_than(UINT64_MAX); at && b;) {
        uint32_t stack = at == own ? 0 : stacks_capture(at);
        uint64_t id = at->id;
        if (stack && at->native_thread_id) {
            ring_emit(b, tick, REC_STACK, 0, stack, at->native_thread_id, 0);
            count++;
        }
        at = PyThreadState_Next(at);
        if (slices_is_over(1)) {
            b = pause_between(own);
            at = older_than(id);
            tick = clock_tick();
        }
    }
    /* First: whoever reads the next record finds the names of all stacks before it. */
    for (uint32_t end = stacks_end(); b && stacks_resolve_some(end);)
        if (slices_is_over(NAMING)) {
            b = pause_between(own);
            tick = clock_tick();
        }
    if (b)
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

PyDoc_STRVAR(mark_main_doc, "mark_main_thread()\n\n"
"Records where the main thread is at this moment, if another one asks: it may do nothing that is recorded for long.");

static PyObject *mark_main_thread(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    thread_buffer *b = COMPAT_FREE_THREADED ? NULL : ring_current();
    PyThreadState *at = b ? older_than(UINT64_MAX) : NULL; /* without a GIL they come and go meanwhile */
    while (at && at->native_thread_id != (unsigned long)getpid())
        at = PyThreadState_Next(at);
    uint32_t stack = at && at != PyThreadState_Get() ? stacks_named(stacks_capture(at)) : 0;
    if (stack)
        ring_emit(b, clock_tick(), REC_STACK, 0, stack, at->native_thread_id, 0);
    Py_RETURN_NONE;
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
    {"mark_main_thread", mark_main_thread, METH_NOARGS, mark_main_doc},
    {"ask_stacks", ask_stacks, METH_NOARGS, ask_doc},
    {NULL, NULL, 0, NULL},
};
