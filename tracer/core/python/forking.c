/* The recorder's own native threads around os.fork(). */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "python/forking.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

static const forking_thread *const *threads;
static const compat_frame *forking_frame; /* the one that called os.fork() */
static _Atomic int pauses;                /* forks under way */
static _Thread_local int is_from_thread;  /* this one forked, and was not the process's first */

void forking_watch(const forking_thread *const *all)
{
    threads = all;
}

int forking_pauses(void)
{
    return atomic_load(&pauses) > 0;
}

int forking_was_in_thread(void)
{
    return is_from_thread;
}

PyDoc_STRVAR(pause_doc, "pause_threads()\n\nBefore a fork: the recorder has no thread until resume_threads().");

static PyObject *pause_threads(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    PyThreadState *tstate = PyThreadState_Get();
    if (syscall(SYS_gettid) == getpid() && !(forking_frame && compat_is_caller(tstate, forking_frame)))
        forking_frame = *compat_frame_slot(tstate); /* of forks in one another the outermost */
    is_from_thread = syscall(SYS_gettid) != getpid();
    atomic_fetch_add(&pauses, 1);
    for (int i = 0; threads[i]; i++)
        threads[i]->pause();
    Py_RETURN_NONE;
}

static void resume_all(void)
{
    if (atomic_load(&pauses) <= 0) /* a forked child has its parent's pending call */
        return;
    int is_last = atomic_fetch_sub(&pauses, 1) == 1;
    for (int i = 0; is_last && threads[i]; i++)
        threads[i]->resume();
}

/* While the program's other at-fork functions run, os.fork() has not counted the process's threads yet. */
static int resume_now(void *unused)
{
    (void)unused;
    if (!compat_is_caller(PyThreadState_Get(), forking_frame) || Py_AddPendingCall(resume_now, NULL) < 0) {
        forking_frame = NULL;
        resume_all();
    }
    return 0;
}

PyDoc_STRVAR(resume_doc, "resume_threads()\n\n"
"After a fork, in the parent. Not at once: os.fork() is still to count the process's threads and\n"
"to warn if there are several. The main thread resumes them with its next bytecode. After a fork of another thread they\n"
"come back at once: the main thread may be held up, and CPython warns of those two anyway.");

static PyObject *resume_threads(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    for (int i = 0; atomic_load(&pauses) == 1 && threads[i]; i++)
        if (threads[i]->await)
            threads[i]->await();
    if (syscall(SYS_gettid) != getpid() || Py_AddPendingCall(resume_now, NULL) < 0)
        resume_all();
    Py_RETURN_NONE;
}

PyDoc_STRVAR(forget_doc, "forget_threads()\n\nIn a forked child: they are the parent's.");

static PyObject *forget_threads(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    atomic_store(&pauses, 0);
    forking_frame = NULL;
    for (int i = 0; threads[i]; i++)
        if (threads[i]->forget)
            threads[i]->forget();
    Py_RETURN_NONE;
}

PyMethodDef forking_methods[] = {
    {"pause_threads", pause_threads, METH_NOARGS, pause_doc},
    {"resume_threads", resume_threads, METH_NOARGS, resume_doc},
    {"forget_threads", forget_threads, METH_NOARGS, forget_doc},
    {NULL, NULL, 0, NULL},
};
