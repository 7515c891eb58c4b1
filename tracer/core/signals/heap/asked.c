/* Requests for who keeps the objects of a line, one at a time.
 *
 * The writer's thread asks and comes back for the answer. The thread that looks may wait for the GIL for as long as a
 * call of the program keeps it; then the request ends before the search has begun, and the next one waits for that
 * thread to end, too. */
#define _GNU_SOURCE
#include "signals/heap/asked.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring/clock.h"
#include "signals/aside.h"
#include "signals/slices.h"

enum state {
    NOBODY_ASKS,
    WAITS, /* for the GIL */
    LOOKS,
    TOLD,  /* `text` is the answer */
    LATE,  /* nobody waits for an answer any more, but the thread does for the GIL */
};
enum { SITE_BYTES = 4096 };
static const uint64_t END_NS = 1000ull * 1000 * 1000;

static PyObject *keeper; /* with the GIL: what is called; NULL: allocations are not recorded */
static _Atomic int is_armed, must_end;
static _Thread_local int is_ours;
/* What the thread works on: the writer's, unless a thread is at work. */
static struct {
    _Atomic int state;
    char site[SITE_BYTES];
    double seconds;
    char *text;
} a;
/* What it is to work on next; the writer's. */
static struct {
    int is_asked;
    char site[SITE_BYTES];
    double seconds;
    uint64_t until_ns; /* the GIL has so long to become free */
} next;

static void look(void)
{
    int state = WAITS;
    if (!atomic_compare_exchange_strong(&a.state, &state, LOOKS)) {
        return;
    }
    is_ours = 1;
    slices_begin();
    PyObject *call = Py_XNewRef(keeper);
    PyObject *answer = call ? PyObject_CallFunction(call, "yd", a.site, a.seconds) : NULL;
    a.text = answer && PyBytes_Check(answer) ? strdup(PyBytes_AS_STRING(answer)) : NULL;
    PyErr_Clear();
    Py_XDECREF(answer);
    Py_XDECREF(call);
    atomic_store(&a.state, TOLD);
}

static aside looker = {.work = look, .shown_as = "tracer-retained"};

int asked_is_over(void)
{
    return is_ours && atomic_load(&must_end);
}

static const char *ask(const char *site, uint32_t patience_ms, uint32_t most_ms)
{
    if (!atomic_load(&is_armed))
        return "allocations are not recorded. Use tracer run --heap";
    snprintf(next.site, sizeof next.site, "%s", site);
    next.seconds = most_ms / 1e3;
    next.until_ns = clock_ns_of(CLOCK_MONOTONIC) + patience_ms * 1000000ull;
    next.is_asked = 1;
    return NULL;
}

static int begin(void)
{
    next.is_asked = 0;
    free(a.text);
    a.text = NULL;
    memcpy(a.site, next.site, sizeof a.site);
    a.seconds = next.seconds;
    atomic_store(&must_end, 0);
    atomic_store(&a.state, WAITS);
    return aside_start(&looker);
}

static int answer(const char **text)
{
    int state = atomic_load(&a.state), is_late = clock_ns_of(CLOCK_MONOTONIC) >= next.until_ns;
    *text = NULL;
    if (next.is_asked && !aside_is_at_work(&looker))
        *text = begin() ? NULL : "refused\nno thread can be started to look";
    else if (next.is_asked && is_late && state == LOOKS)
        *text = "refused\nan earlier search has not ended yet";
    else if ((next.is_asked && is_late) ||
             (state == WAITS && is_late && atomic_compare_exchange_strong(&a.state, &state, LATE)))
        *text = "refused\nthe GIL was not free: a call keeps it";
    else if (!next.is_asked && state == TOLD && !aside_is_at_work(&looker))
        *text = a.text ? a.text : "refused\nthe search has failed";
    if (*text)
        next.is_asked = 0;
    return *text != NULL;
}

static void give_up(void)
{
    int state = WAITS;
    next.is_asked = 0;
    atomic_store(&must_end, 1);
    atomic_compare_exchange_strong(&a.state, &state, LATE);
}

const keeper_source_table keeper_source = {ask, answer, give_up};

void asked_end(void)
{
    atomic_store(&must_end, 1);
    aside_await(&looker, END_NS);
}

void asked_forget(void)
{
    aside_forget(&looker);
    a.text = NULL; /* perhaps half made */
    next.is_asked = 0;
    atomic_store(&a.state, NOBODY_ASKS);
}

int asked_may_come(void)
{
    return atomic_load(&is_armed);
}

PyDoc_STRVAR(set_doc, "set_keeper(function)\n\n"
"Another process may ask who keeps memory: function(site, seconds) answers, bytes both. None: it may no longer, and a\n"
"search that goes on ends.");

static PyObject *set_keeper(PyObject *module, PyObject *function)
{
    (void)module;
    int is_set = function != Py_None;
    Py_XSETREF(keeper, is_set ? Py_NewRef(function) : NULL);
    atomic_store(&is_armed, is_set);
    if (!is_set) {
        Py_BEGIN_ALLOW_THREADS
        asked_end();
        Py_END_ALLOW_THREADS
    }
    Py_RETURN_NONE;
}

PyMethodDef asked_methods[] = {
    {"set_keeper", set_keeper, METH_O, set_doc},
    {NULL, NULL, 0, NULL},
};
