/* What asyncio's own loops and trio's runs have to run next: a trampoline in front of the append of their queue.
 *
 * call_soon() and call_soon_threadsafe() put a handle into a deque, and trio a task. Before it is in there no loop can
 * have run it. The trampoline is process-wide, so it asks first for what no other deque has: a handle, or trio's task. */
#include "signals/asyncio/ready.h"

#include "python/trampolines.h"
#include "ring/hot.h"
#include "signals/asyncio/found.h"
#include "signals/asyncio/identity.h"
#include "signals/asyncio/running.h"
#include "signals/asyncio/tasks.h"
#include "signals/trio/trio.h"
#include "signals/watched.h"

static PyMethodDef *append; /* NULL: not watched */
static HOT_DATA PyCFunction original_append;

/* A loop also queues handles of timers that are due and of files that are ready. A program's own kind of deque may
 * have a method of its own between. */
static int called_to_schedule(void)
{
    const compat_frame *frame = compat_running_frame();
    return watched_is_part(frame, LOOP_QUEUES) || (frame && watched_is_part(compat_frame_caller(frame), LOOP_QUEUES));
}

static HOT void queued(PyObject *handle)
{
    thread_buffer *b = found_current();
    PyObject *callback = *(PyObject **)((char *)handle + identity.callback_offset);
    PyObject *task = b && callback ? identity_task_of(callback) : NULL;
    if (!b || (task && running_readies_itself(b, task)) || !called_to_schedule())
        return;
    uint64_t tick = clock_tick();
    if (!task) {
        tasks_callback_ready(b, tick, handle);
        return;
    }
    PyObject *args = *(PyObject **)((char *)handle + identity.args_offset);
    int is_wakeup = args && PyTuple_Check(args) && PyTuple_GET_SIZE(args) == 1;
    tasks_ready(b, tick, task, is_wakeup ? PyTuple_GET_ITEM(args, 0) : NULL);
}

static void queued_task(PyObject *task)
{
    thread_buffer *b = watched_is_part(compat_running_frame(), LOOP_QUEUES_TRIO) ? ring_current() : NULL;
    if (b)
        trio_on_ready(b, clock_tick(), task);
}

static HOT PyObject *append_traced(PyObject *queue, PyObject *item)
{
    const PyTypeObject *type = Py_TYPE(item);
    if (__builtin_expect(type == identity.handle || type == identity.threadsafe_handle, 0))
        queued(item);
    else if (__builtin_expect(type == identity.trio_task, 0) && type)
        queued_task(item);
    return original_append(queue, item);
}

int ready_watch(PyObject *method)
{
    PyMethodDef *def = method ? compat_method_def(method) : NULL;
    if (!def || def->ml_flags != METH_O) {
        PyErr_SetString(PyExc_RuntimeError, "collections.deque.append is called in an unknown way");
        return -1;
    }
    append = def;
    trampoline_put(append, append_traced, &original_append);
    return 0;
}

void ready_unwatch(void)
{
    if (append)
        trampoline_take(append, append_traced, original_append);
    append = NULL;
}
