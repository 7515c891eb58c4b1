/* Who has permits of semaphores: the first calls are looked at, and all from the first wait for any semaphore on. */
#include "signals/asyncio/permits.h"

#include <string.h>

#include "python/notes.h"
#include "ring/intern.h"
#include "ring/map.h"
#include "signals/asyncio/running.h"
#include "signals/locks/ids.h"

enum { SEMAPHORES = 256, FIRST_CALLS = 256, ALL_CALLS = INT32_MAX, BY_PERMITS = UINT32_MAX };

typedef struct {
    const void *semaphore, *type; /* addresses, only compared */
    uint32_t id;                  /* as of ids.h: another one at its address has another one */
    uint32_t tasks[HOLDERS_MOST];
    uint32_t others;              /* how many more may have one */
} permits;

static permits taken[SEMAPHORES]; /* guarded by the GIL */
static PyObject *on_first_wait;   /* called once, with no arguments; then NULL */
static uint32_t text_semaphore;
static int is_partial; /* calls were not looked at for a while */
int permits_calls_left;

static permits *place_of(PyObject *semaphore)
{
    return &taken[map_hash((uint64_t)(uintptr_t)semaphore) % SEMAPHORES];
}

static int is_of(const permits *place, PyObject *semaphore)
{
    return place->semaphore == semaphore && place->type == Py_TYPE(semaphore) &&
           place->id == lock_ids_of(semaphore, BY_PERMITS, NULL);
}

/* 0 is a place without anybody. Whether there was such a one. */
static int replace(permits *place, uint32_t before, uint32_t now)
{
    for (int i = 0; i < HOLDERS_MOST; i++) {
        if (place->tasks[i] == before) {
            place->tasks[i] = now;
            return 1;
        }
    }
    return 0;
}

void permits_take(PyObject *semaphore, uint32_t task)
{
    permits *place = place_of(semaphore);
    if (!is_of(place, semaphore))
        *place = (permits){.semaphore = semaphore, .type = Py_TYPE(semaphore),
                           .id = lock_ids_of(semaphore, BY_PERMITS, NULL), .others = (uint32_t)is_partial};
    if (!task || !replace(place, 0, task))
        place->others++;
}

/* Whoever gives one back had it, or else nobody knows who did. */
void permits_give(PyObject *semaphore, uint32_t task)
{
    permits *place = place_of(semaphore);
    if (!is_of(place, semaphore) || (task && replace(place, task, 0)))
        return;
    if (place->others > (uint32_t)is_partial)
        place->others--;
    else
        memset(place->tasks, 0, sizeof place->tasks);
}

uint32_t permits_tell(PyObject *semaphore, uint32_t what, await_holders *holders)
{
    if (on_first_wait && what == text_semaphore) {
        permits_calls_left = ALL_CALLS;
        notes_call_once(&on_first_wait, "permits of semaphores");
    }
    const permits *place = place_of(semaphore);
    uint32_t known = 0;
    if (place->semaphore != semaphore || !is_of(place, semaphore))
        return 0;
    *holders = (await_holders){0};
    for (int i = 0; i < HOLDERS_MOST; i++)
        if (place->tasks[i])
            holders->tasks[known++] = place->tasks[i];
    return known ? known + place->others : 0;
}

/* Whose method runs, borrowed; NULL: it is not looked at any more. */
static PyObject *called(void)
{
    PyObject *self = permits_calls_left ? compat_local(PyThreadState_Get(), 0) : NULL;
    return self && PyCell_Check(self) ? PyCell_GET(self) : self;
}

/* Those that nobody looks at any more are not known from now on. */
static void count_call(void)
{
    if (permits_calls_left == ALL_CALLS || --permits_calls_left)
        return;
    is_partial = 1;
    ring_zero(taken, sizeof taken);
}

void permits_on_taken(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    PyObject *semaphore = called();
    if (!semaphore)
        return;
    permits_take(semaphore, running_task(b));
    count_call();
}

void permits_on_given(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    PyObject *semaphore = called();
    if (!semaphore)
        return;
    permits_give(semaphore, running_task(b));
    count_call();
}

void permits_forget(void)
{
    ring_zero(taken, sizeof taken);
}

PyDoc_STRVAR(start_doc, "start_permits(on_first_wait)\n\nIt is called when a task first waits for a semaphore.");

static PyObject *start_permits(PyObject *module, PyObject *call)
{
    (void)module;
    permits_forget();
    is_partial = 0;
    permits_calls_left = FIRST_CALLS;
    text_semaphore = intern_string("await Semaphore", 15);
    Py_XSETREF(on_first_wait, Py_NewRef(call));
    Py_RETURN_NONE;
}

static PyObject *stop_permits(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    permits_forget();
    Py_CLEAR(on_first_wait);
    Py_RETURN_NONE;
}

PyMethodDef permits_methods[] = {
    {"start_permits", start_permits, METH_O, start_doc},
    {"stop_permits", stop_permits, METH_NOARGS, "Forgets who has which."},
    {NULL, NULL, 0, NULL},
};
