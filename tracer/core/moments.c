/* Triggers between Python and C: which there are, and who is told when one has fired. */
#include "moments.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recording.h"
#include "ring/intern.h"
#include "signals/kernel/kernel.h"

static PyObject *told(const moment *m)
{
    return Py_BuildValue("{s:s,s:s,s:s,s:s,s:K,s:O,s:K,s:I,s:I,s:K,s:N,s:i}", "trigger", m->trigger, "what", m->what, "site",
                         m->site, "behind", m->behind, "duration_ns", (unsigned long long)m->ns, "lasts",
                         m->taken.moment_end_ns ? Py_False : Py_True, "value", (unsigned long long)m->value, "task",
                         m->taken.task, "tid", m->taken.tid, "suppressed", (unsigned long long)m->taken.suppressed, "path",
                         PyUnicode_DecodeFSDefault(m->taken.target), "error", m->taken.error);
}

static void *tell(void *of)
{
    kernel_source.ignore((uint32_t)syscall(SYS_gettid));
    if (Py_IsInitialized()) {
        PyGILState_STATE state = PyGILState_Ensure();
        PyObject *facts = told(of);
        if (facts)
            recording_tell_moment(facts);
        Py_XDECREF(facts);
        PyErr_Clear();
        PyGILState_Release(state);
    }
    free(of);
    return NULL;
}

/* With the writer's mask: all signals are blocked. */
static int start_thread(void *(*run)(void *), void *with)
{
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int error = pthread_create(&thread, &attributes, run, with);
    pthread_attr_destroy(&attributes);
    return error;
}

void moments_tell(const moment *of)
{
    moment *copy = malloc(sizeof *copy);
    if (!copy)
        return;
    memcpy(copy, of, sizeof *copy);
    if (start_thread(tell, copy))
        free(copy);
}

static void *ask_place(void *pthread)
{
    kernel_source.ignore((uint32_t)syscall(SYS_gettid));
    if (Py_IsInitialized()) {
        PyGILState_STATE state = PyGILState_Ensure();
        PyObject *place = recording_place_of((uint64_t)(uintptr_t)pthread);
        const char *site, *stack;
        Py_ssize_t site_length, stack_length;
        if (place && PyArg_ParseTuple(place, "s#s#", &site, &site_length, &stack, &stack_length) && stack_length)
            triggers_place(intern_string(site, (size_t)site_length), intern_lines(stack, (size_t)stack_length));
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

PyDoc_STRVAR(set_doc, "set_triggers([(kind, limit, name, text)], keep, cooldown_ns)\n\n"
"What the next flight recording looks for, how many snapshots of it are kept, and the least time from one to the next.");

static PyObject *set(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *list;
    unsigned int keep;
    unsigned long long cooldown_ns;
    trigger found[TRIGGERS];
    if (!PyArg_ParseTuple(args, "O!IK", &PyList_Type, &list, &keep, &cooldown_ns))
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
    triggers_set(found, (uint32_t)count, keep, cooldown_ns);
    Py_RETURN_NONE;
}

PyMethodDef moments_methods[] = {
    {"set_triggers", set, METH_VARARGS, set_doc},
    {NULL, NULL, 0, NULL},
};
