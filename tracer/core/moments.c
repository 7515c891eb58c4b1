/* Triggers between Python and C: which there are, and who is told when one has fired. */
#include "moments.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "output/places.h"
#include "recording.h"
#include "ring/clock.h"
#include "ring/intern.h"
#include "ring/ring.h"
#include "signals/kernel/kernel.h"
#include "signals/threads.h"

static PyObject *told(const moment *m)
{
    return Py_BuildValue("{s:s,s:s,s:s,s:s,s:K,s:O,s:K,s:I,s:I,s:K,s:N,s:i}", "trigger", m->trigger, "what", m->what, "site",
                         m->site, "behind", m->behind, "duration_ns", (unsigned long long)m->ns, "lasts",
                         m->taken.moment_end_ns ? Py_False : Py_True, "value", (unsigned long long)m->value, "task",
                         m->taken.task, "tid", m->taken.tid, "suppressed", (unsigned long long)m->taken.suppressed, "path",
                         PyUnicode_DecodeFSDefault(m->taken.target), "error", m->taken.error);
}

enum { LOOK_NS = 1000 * 1000 };

/* Moments that a thread of `untold_in` is telling, or is about to. A forked child does not have these threads. */
static _Atomic int untold;
static _Atomic pid_t untold_in;
static _Thread_local int tells;

static void *tell(void *of)
{
    tells = 1;
    kernel_source.ignore((uint32_t)syscall(SYS_gettid));
    if (Py_IsInitialized()) {
        PyGILState_STATE state = PyGILState_Ensure();
        PyObject *facts = told(of);
        threads_name("tracer");
        if (facts)
            recording_tell_moment(facts);
        Py_XDECREF(facts);
        PyErr_Clear();
        PyGILState_Release(state);
    }
    free(of);
    atomic_fetch_sub(&untold, 1);
    return NULL;
}

/* All signals stay with the program's own threads: at the end of a recording, one of these calls this. */
static int start_thread(void *(*run)(void *), void *with)
{
    pthread_t thread;
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, &attributes, run, with);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

void moments_tell(const moment *of)
{
    moment *copy = malloc(sizeof *copy);
    if (!copy)
        return;
    memcpy(copy, of, sizeof *copy);
    if (atomic_exchange(&untold_in, getpid()) != getpid())
        atomic_store(&untold, 0);
    atomic_fetch_add(&untold, 1);
    if (start_thread(tell, copy)) {
        atomic_fetch_sub(&untold, 1);
        free(copy);
    }
}

PyDoc_STRVAR(await_doc, "await_moments(most_ms)\n\n"
"Waits until everybody has been told of what triggers have seen, or so long. A thread that tells does not wait for itself.");

static PyObject *await_told(PyObject *module, PyObject *most_ms)
{
    (void)module;
    long looks = PyLong_AsLong(most_ms);
    if (looks == -1 && PyErr_Occurred())
        return NULL;
    struct timespec pause = {.tv_nsec = LOOK_NS};
    Py_BEGIN_ALLOW_THREADS
    for (; looks > 0 && atomic_load(&untold_in) == getpid() && atomic_load(&untold) > tells; looks--)
        nanosleep(&pause, NULL);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

/* It has no life in the trace. */
static void *ask_place(void *pthread)
{
    ring_is_hidden = 1;
    kernel_source.ignore((uint32_t)syscall(SYS_gettid));
    if (Py_IsInitialized()) {
        PyGILState_STATE state = PyGILState_Ensure();
        uint64_t ns = clock_ns_of(CLOCK_MONOTONIC);
        PyObject *place = recording_place_of((uint64_t)(uintptr_t)pthread);
        const char *site, *stack;
        Py_ssize_t site_length, stack_length;
        if (place && PyArg_ParseTuple(place, "s#s#", &site, &site_length, &stack, &stack_length) && stack_length)
            triggers_place(intern_string(site, (size_t)site_length), intern_lines(stack, (size_t)stack_length), ns);
        Py_XDECREF(place);
        PyErr_Clear();
        PyGILState_Release(state);
    }
    return NULL;
}

void moments_ask_place(uint64_t pthread)
{
    start_thread(ask_place, (void *)(uintptr_t)pthread);
}

PyDoc_STRVAR(set_doc, "set_triggers([(kind, limit, name, text)], keep, cooldown_ns, library)\n\n"
"What the next flight recording looks for, how many snapshots of it are kept, and the least time from one to the next;\n"
"the folder of the standard library, whose lines count last.");

static PyObject *set(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *list;
    unsigned int keep;
    unsigned long long cooldown_ns;
    const char *library;
    trigger found[TRIGGERS];
    if (!PyArg_ParseTuple(args, "O!IKs", &PyList_Type, &list, &keep, &cooldown_ns, &library))
        return NULL;
    Py_ssize_t count = PyList_GET_SIZE(list) < TRIGGERS ? PyList_GET_SIZE(list) : TRIGGERS;
    for (Py_ssize_t i = 0; i < count; i++) {
        const char *name, *text;
        unsigned long long limit;
        unsigned int kind;
        if (!PyArg_ParseTuple(PyList_GET_ITEM(list, i), "IKss", &kind, &limit, &name, &text))
            return NULL;
        found[i] = (trigger){.kind = (uint8_t)kind, .limit = limit};
        PyOS_snprintf(found[i].name, sizeof found[i].name, "%s", name);
        PyOS_snprintf(found[i].text, sizeof found[i].text, "%s", text);
    }
    places_library(library);
    triggers_set(found, (uint32_t)count, keep, cooldown_ns);
    Py_RETURN_NONE;
}

PyMethodDef moments_methods[] = {
    {"set_triggers", set, METH_VARARGS, set_doc},
    {"await_moments", await_told, METH_O, await_doc},
    {NULL, NULL, 0, NULL},
};
