/* The first step of an eager task, which no loop runs: it happens while the task is being created. */
#include "signals/asyncio/eager.h"

#include "ring/hot.h"
#include "signals/asyncio/found.h"
#include "signals/asyncio/identity.h"
#include "signals/asyncio/tasks.h"

static PyTypeObject *watched; /* a reference; NULL: no type is watched */
static HOT_DATA initproc original;     /* stays set: threads may be inside, and subclasses have copies of our function */
static PyObject *str_eager_start, *str_loop, *str_coro, *str_name;

void eager_begins(thread_buffer *b, PyObject *task)
{
    PyObject *loop = identity_read(task, FIELD_LOOP), *coro = identity_read(task, FIELD_CORO);
    PyObject *name = identity_name(task);
    tasks_on_eager_begin(b, task, (eager_parts){identity_loop_id(loop), coro, name});
    Py_XDECREF(loop);
    Py_XDECREF(coro);
    Py_XDECREF(name);
}

/* Borrowed; NULL: there is none, or it is None. */
static PyObject *keyword(PyObject *keywords, PyObject *name)
{
    PyObject *value = PyDict_GetItemWithError(keywords, name);
    PyErr_Clear();
    return value == Py_None ? NULL : value;
}

static int make(PyObject *task, PyObject *args, PyObject *keywords)
{
    thread_buffer *b = found_current();
    PyObject *loop = keyword(keywords, str_loop);
    PyObject *coro = PyTuple_GET_SIZE(args) ? PyTuple_GET_ITEM(args, 0) : keyword(keywords, str_coro);
    if (b)
        tasks_on_eager_begin(b, task, (eager_parts){loop ? identity_loop_id(loop) : b->loop, coro,
                                                    keyword(keywords, str_name)});
    int result = original(task, args, keywords);
    uint64_t tick = clock_tick();
    if (b && b == ring_current()) {
        PyObject *raised = PyErr_GetRaisedException();
        tasks_on_made(b, tick, task, raised);
        PyErr_SetRaisedException(raised);
    }
    return result;
}

/* A true value that is not a bool is left to asyncio: the program could notice that we test it too. */
static HOT int init_traced(PyObject *task, PyObject *args, PyObject *keywords)
{
    int is_eager = keywords && watched && keyword(keywords, str_eager_start) == Py_True;
    return is_eager ? make(task, args, keywords) : original(task, args, keywords);
}

/* Replaces it in the type, its subclasses, and the wrapper that super().__init__ calls. */
static void replace(PyTypeObject *type, initproc from, initproc to)
{
    if (type->tp_init == from)
        type->tp_init = to;
    PyObject *own = PyDict_GetItemString(type->tp_dict, "__init__");
    if (own && Py_IS_TYPE(own, &PyWrapperDescr_Type) && ((PyWrapperDescrObject *)own)->d_wrapped == (void *)from)
        ((PyWrapperDescrObject *)own)->d_wrapped = (void *)to;
    PyObject *subclasses = PyObject_CallMethod((PyObject *)&PyType_Type, "__subclasses__", "O", type);
    for (Py_ssize_t i = 0; subclasses && i < PyList_GET_SIZE(subclasses); i++)
        replace((PyTypeObject *)PyList_GET_ITEM(subclasses, i), from, to);
    Py_XDECREF(subclasses);
    PyErr_Clear();
}

void eager_watch(PyTypeObject *task_type)
{
    str_eager_start = PyUnicode_InternFromString("eager_start");
    str_loop = PyUnicode_InternFromString("loop");
    str_coro = PyUnicode_InternFromString("coro");
    str_name = PyUnicode_InternFromString("name");
    if (!str_eager_start || !str_loop || !str_coro || !str_name || watched) {
        PyErr_Clear();
        return;
    }
    watched = (PyTypeObject *)Py_NewRef(task_type);
    if (task_type->tp_init != init_traced) /* otherwise a subclass created meanwhile has kept it */
        original = task_type->tp_init;
    replace(task_type, original, init_traced);
}

void eager_unwatch(void)
{
    if (watched)
        replace(watched, init_traced, original);
    Py_CLEAR(watched);
}
