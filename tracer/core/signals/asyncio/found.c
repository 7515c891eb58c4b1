/* What ran already when the recording began: tasks, and loops on whatever thread.
 *
 * The tasks are made known in one go, by the thread that starts the recording: until then asyncio's hooks record nothing.
 * Which loop a thread runs it says itself, at its first hook; nobody else may write into its ring. */
#include "signals/asyncio/found.h"

#include "python/codes.h"
#include "python/trampolines.h"
#include "ring/hot.h"
#include "ring/intern.h"
#include "signals/asyncio/old_timers.h"
#include "signals/asyncio/tasks.h"
#include "signals/watched.h"

HOT_DATA _Atomic int found_awaited;

static PyMethodDef *set_running; /* NULL: not watched */
static PyCFunction original_set_running;

void found_run(thread_buffer *b, PyObject *loop, int is_old)
{
    if (b->loop) /* an exception has ended its run, unnoticed (3.12) */
        ring_emit(b, clock_tick(), REC_LOOP_STOP, 0, b->loop, 0, 0);
    b->loop = identity_loop_id(loop);
    b->is_looked_at = 1;
    b->is_old_run = (uint8_t)is_old;
    b->poll_depth = b->depth;
    b->loop_caller = NULL;
    b->contexts = 0;
    b->in_libuv = identity.uv_loop && PyObject_TypeCheck(loop, identity.uv_loop);
    b->libuv_tstate = PyThreadState_Get();
    b->accepts = (accepting){0};
    ring_emit(b, clock_tick(), REC_LOOP_RUN, 0, b->loop, 0, (uint64_t)is_old);
}

/* What the loop has called when the recording began, borrowed; NULL: nothing, or it is not known. */
typedef struct {
    int is_inside; /* the thread is inside the loop's run, which ends by a way that is seen */
    int is_called;
    PyObject *callback;
} old_run;

static old_run look_at_frames(PyObject *loop)
{
    const compat_frame *innermost = compat_running_frame();
    old_run found = {0};
    for (const compat_frame *at = innermost; at && !found.is_inside; at = compat_frame_caller(at)) {
        enum loop_part part = watched_part(at);
        PyObject *self = part == LOOP_RUNS_STEPS || part == LOOP_RUNS ? compat_frame_local(at, 0) : NULL;
        found.is_inside = part == LOOP_RUNS && self == loop;
        if (part != LOOP_RUNS_STEPS || at == innermost || !self || !PyObject_TypeCheck(self, identity.handle))
            continue; /* the innermost is about to call, or has called */
        found.is_called = 1;
        found.callback = *(PyObject **)((char *)self + identity.callback_offset);
    }
    return found;
}

static uint32_t function_of(PyObject *callback)
{
    static const char unknown[] = "unknown callback";
    if (callback && callback != Py_None)
        return codes_callable(callback);
    return intern_function(intern_string(unknown, sizeof unknown - 1), intern_string("?:0", 3));
}

static void look_at_run(thread_buffer *b, PyObject *loop, const old_run *found)
{
    PyObject *callback = Py_XNewRef(found->callback); /* first: the program may cancel it meanwhile */
    PyObject *task = PyObject_CallOneArg(identity.current_task, loop);
    if (!task)
        PyErr_Clear();
    found_run(b, loop, 1);
    if (task && identity_is_task(task))
        tasks_adopt_running(b, task);
    else if (found->is_called)
        tasks_adopt_called(b, function_of(callback));
    Py_XDECREF(callback);
    Py_XDECREF(task);
    if (found_awaited)
        found_awaited--;
}

int found_look(thread_buffer *b, int is_called)
{
    if (!identity.is_complete)
        return 0;
    b->is_looked_at = 1;
    PyObject *raised = PyErr_GetRaisedException();
    PyObject *loop = PyObject_CallNoArgs(identity.get_running);
    if (loop && loop != Py_None) {
        int is_uv = identity.uv_loop && PyObject_TypeCheck(loop, identity.uv_loop);
        const old_run found = is_uv ? (old_run){1, is_called, NULL} : look_at_frames(loop);
        if (found.is_inside)
            look_at_run(b, loop, &found);
    }
    Py_XDECREF(loop);
    PyErr_SetRaisedException(raised);
    return 1;
}

/* asyncio's own loops say so before, but on 3.12 not if an exception ends them; of uvloop's only the runs that began in the
 * recording do. */
static PyObject *set_running_traced(PyObject *module, PyObject *loop)
{
    thread_buffer *b = loop == Py_None ? ring_current() : NULL;
    if (b && b->loop && b->is_old_run && PyThreadState_Get() == b->libuv_tstate) { /* no loop of another interpreter's */
        b->in_libuv = 0;
        b->loop_caller = NULL;
        ring_emit(b, clock_tick(), REC_LOOP_STOP, 0, b->loop, 0, 0);
        b->loop = 0;
    }
    return original_set_running(module, loop);
}

void found_watch(PyObject *function)
{
    PyMethodDef *def = function && PyCFunction_Check(function) ? compat_method_def(function) : NULL;
    if (!def || def->ml_flags != METH_O)
        return; /* a Python without the C module: its loops say when they stop */
    set_running = def;
    trampoline_put(def, set_running_traced, &original_set_running);
}

void found_unwatch(void)
{
    if (set_running)
        trampoline_take(set_running, set_running_traced, original_set_running);
    set_running = NULL;
    old_timers_forget();
    found_await_nothing();
}

void found_await_nothing(void)
{
    found_awaited = 0;
    tasks_adopting = 0;
}

PyDoc_STRVAR(adopt_doc, "adopt_tasks(tasks, running)\n\n"
"Makes these tasks known, as they are now; from here on asyncio's hooks record. `running`: how many loops run now.");

static PyObject *adopt_tasks(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *tasks;
    int running;
    if (!PyArg_ParseTuple(args, "O!i", &PyList_Type, &tasks, &running))
        return NULL;
    if (!identity.handle) /* the recording has ended meanwhile */
        Py_RETURN_NONE;
    Py_ssize_t count = PyList_GET_SIZE(tasks);
    char *is_new = PyMem_Calloc((size_t)count + 1, 1);
    if (!is_new)
        return PyErr_NoMemory();
    identity.is_complete = 1;
    found_awaited = running;
    thread_buffer *b = found_current();
    for (Py_ssize_t i = 0; b && i < count; i++) {
        is_new[i] = (char)tasks_adopt(b, PyList_GET_ITEM(tasks, i));
        b = ring_current(); /* to read a task may run the program's code, which may stop the recording */
    }
    for (Py_ssize_t i = 0; b && i < count; i++) { /* now that all are known: some wait for others */
        if (is_new[i])
            tasks_adopt_state(b, PyList_GET_ITEM(tasks, i));
        b = ring_current();
    }
    PyMem_Free(is_new);
    Py_RETURN_NONE;
}

enum { MOST_FOUND = 4097 }; /* one more than is kept of timers */

typedef struct {
    PyTypeObject *type;
    Py_ssize_t count;
    PyObject *found[MOST_FOUND];
} search;

/* Runs no code of the program, and allocates nothing. */
static int look_at(PyObject *object, void *given)
{
    search *s = given;
    if (PyType_IsSubtype(Py_TYPE(object), s->type))
        s->found[s->count++] = Py_NewRef(object);
    return s->count < MOST_FOUND;
}

PyDoc_STRVAR(find_doc, "find_objects(type) -> list\n\n"
"What the garbage collector knows of that type, at most 4097 of them. Takes some ns an object.");

static PyObject *find_objects(PyObject *module, PyObject *type)
{
    (void)module;
    if (!PyType_Check(type))
        return PyErr_Format(PyExc_TypeError, "find_objects() takes a type");
    search *s = PyMem_Malloc(sizeof *s); /* the program's thread may have a small stack */
    if (!s)
        return PyErr_NoMemory();
    s->type = (PyTypeObject *)type;
    s->count = 0;
    PyUnstable_GC_VisitObjects(look_at, s);
    PyObject *list = PyList_New(s->count);
    for (Py_ssize_t i = 0; i < s->count; i++)
        if (list)
            PyList_SET_ITEM(list, i, s->found[i]);
        else
            Py_DECREF(s->found[i]);
    PyMem_Free(s);
    return list;
}

PyMethodDef found_methods[] = {
    {"adopt_tasks", adopt_tasks, METH_VARARGS, adopt_doc},
    {"find_objects", find_objects, METH_O, find_doc},
    {NULL, NULL, 0, NULL},
};
