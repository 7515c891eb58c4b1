/* Tasks that failed and whose exception nobody has retrieved: told when such a task dies, or when its loop is closed.
 *
 * A future knows whether somebody has asked for its exception (`_log_traceback`), but only until it dies: so the
 * finaliser of asyncio's C tasks is looked into, which runs on every loop. Tasks that failed are kept by address until
 * then, a bounded number of them. */
#include "signals/asyncio/unasked.h"

#include "ring/hot.h"
#include "ring/map.h"
#include "ring/memory.h"
#include "signals/asyncio/identity.h"

enum { MOST = 4096, SWEPT = 256 };

typedef struct {
    PyObject *ref; /* weak: alive, it has not died yet */
    uint32_t id, exception;
} failure;

static map failures; /* by address */
static uint32_t count;
static uint32_t refused; /* that there was no room for */
static PyTypeObject *finalised; /* a reference; NULL: not watched */
static destructor original; /* stays set: subclasses made meanwhile have copied ours */

static failure *find(const PyObject *task)
{
    const uint64_t *known = map_find(&failures, (uint64_t)(uintptr_t)task);
    return known ? (failure *)(uintptr_t)*known : NULL;
}

static void drop(const PyObject *task, failure *known)
{
    map_remove(&failures, (uint64_t)(uintptr_t)task);
    Py_DECREF(known->ref);
    memory_give(known, sizeof *known);
    count--;
}

/* Subclasses with a finaliser of their own die unseen. */
static COLD void drop_dead(void)
{
    PyObject *dead[SWEPT];
    uint32_t found = 0;
    for (uint32_t i = 0; failures.slots && i <= failures.mask && found < SWEPT; i++) {
        PyObject *task = (PyObject *)(uintptr_t)failures.slots[i].key;
        const failure *known = (const failure *)(uintptr_t)failures.slots[i].value;
        PyObject *alive = task ? compat_weakref_get(known->ref) : NULL;
        if (task && !alive)
            dead[found++] = task;
        Py_XDECREF(alive);
    }
    while (found--)
        drop(dead[found], find(dead[found]));
}

static int is_unasked(PyObject *task)
{
    PyObject *logs = identity_read(task, FIELD_UNASKED);
    int unasked = logs == Py_True;
    Py_XDECREF(logs);
    return unasked;
}

static void tell(const failure *known)
{
    thread_buffer *b = ring_current();
    if (b)
        ring_emit(b, clock_tick(), REC_TASK_TOLD, TOLD_UNASKED, known->id, known->exception, 0);
}

COLD void unasked_failed(PyObject *task, uint32_t id, uint32_t exception)
{
    if (COMPAT_FREE_THREADED || !finalised)
        return;
    failure *known = find(task);
    if (known) /* of an earlier task at the same address */
        drop(task, known);
    if (count == MOST && refused++ % SWEPT == 0)
        drop_dead();
    known = count < MOST ? memory_take(sizeof *known) : NULL;
    PyObject *ref = known ? PyWeakref_NewRef(task, NULL) : NULL;
    uint64_t *place = ref ? map_put(&failures, (uint64_t)(uintptr_t)task) : NULL;
    if (!place) {
        PyErr_Clear();
        Py_XDECREF(ref);
        memory_give(known, sizeof *known);
        return;
    }
    *known = (failure){ref, id, exception};
    *place = (uint64_t)(uintptr_t)known;
    count++;
}

static HOT void finalise_traced(PyObject *task)
{
    failure *known = count ? find(task) : NULL;
    if (known) {
        if (is_unasked(task))
            tell(known);
        drop(task, known);
    }
    original(task);
}

/* Those of a loop that live on: nobody will ask any more. */
COLD void unasked_close(PyObject *loop)
{
    PyObject *found = count ? PyList_New(0) : NULL;
    for (uint32_t i = 0; found && failures.slots && i <= failures.mask; i++) {
        PyObject *task = (PyObject *)(uintptr_t)failures.slots[i].key;
        const failure *known = (const failure *)(uintptr_t)failures.slots[i].value;
        PyObject *alive = task ? compat_weakref_get(known->ref) : NULL;
        if (alive == task && task && PyList_Append(found, task) < 0)
            PyErr_Clear();
        Py_XDECREF(alive);
    }
    for (Py_ssize_t i = 0; found && i < PyList_GET_SIZE(found); i++) {
        PyObject *task = PyList_GET_ITEM(found, i), *of = identity_read(task, FIELD_LOOP);
        failure *known = of == loop && is_unasked(task) ? find(task) : NULL;
        Py_XDECREF(of);
        if (known) {
            tell(known);
            drop(task, known);
        }
    }
    PyErr_Clear();
    Py_XDECREF(found);
}

void unasked_watch(PyTypeObject *c_task)
{
    if (finalised || !c_task || !c_task->tp_finalize)
        return;
    if (c_task->tp_finalize != finalise_traced)
        original = c_task->tp_finalize;
    finalised = (PyTypeObject *)Py_NewRef(c_task);
    __atomic_store_n(&c_task->tp_finalize, finalise_traced, __ATOMIC_RELEASE);
}

/* What belongs to them stays allocated: to touch it would copy the parent's memory. */
void unasked_leave_parent(void)
{
    failures = (map){0};
    count = 0;
}

void unasked_unwatch(void)
{
    if (finalised && finalised->tp_finalize == finalise_traced)
        __atomic_store_n(&finalised->tp_finalize, original, __ATOMIC_RELEASE);
    Py_CLEAR(finalised);
    map left = failures;
    unasked_leave_parent();
    for (uint32_t i = 0; left.slots && i <= left.mask; i++) {
        failure *known = (failure *)(uintptr_t)left.slots[i].value;
        if (!left.slots[i].key)
            continue;
        Py_DECREF(known->ref);
        memory_give(known, sizeof *known);
    }
    map_free(&left);
}
