/* Marks the stacks of all threads, on one that asks from Python, or on a thread of our own. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "signals/where.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "python/stacks.h"
#include "ring/ring.h"
#include "signals/kernel/kernel.h"

static _Atomic int is_asked; /* a thread of ours is at work */

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

static void *work(void *unused)
{
    (void)unused;
    ring_is_hidden = 1;
    kernel_source.ignore((uint32_t)syscall(SYS_gettid));
    if (Py_IsInitialized() && !compat_is_finalizing()) {
        PyGILState_STATE state = PyGILState_Ensure();
        ring_is_hidden = 0;
        thread_buffer *b = ring_current();
        if (b)
            mark(b, PyThreadState_Get());
        ring_let_go();
        ring_is_hidden = 1;
        PyGILState_Release(state);
    }
    atomic_store(&is_asked, 0);
    return NULL;
}

void where_ask(void)
{
    if (COMPAT_FREE_THREADED || atomic_exchange(&is_asked, 1))
        return;
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all); /* no handler of the program runs there */
    pthread_sigmask(SIG_BLOCK, &all, &before);
    if (pthread_create(&thread, NULL, work, NULL) == 0)
        pthread_detach(thread);
    else
        atomic_store(&is_asked, 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void where_await(void)
{
    const struct timespec moment = {0, 100 * 1000};
    while (atomic_load(&is_asked))
        nanosleep(&moment, NULL);
}

void where_forget(void)
{
    atomic_store(&is_asked, 0);
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
