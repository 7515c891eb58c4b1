/* tracer.region, task, log and counter: the program's own events, on its threads. */
#include "signals/user/user.h"

#include <stddef.h>
#include <string.h>

#include "python/codes.h"
#include "ring/ring.h"
#include "signals/user/values.h"

/* A region or task. `arguments` are the values of `labels`, as they were passed. */
typedef struct {
    PyObject_VAR_HEAD
    vectorcallfunc call;
    PyObject *name, *labels;
    PyObject *token;     /* of `current`, while a task is entered */
    uint64_t number;     /* of the scope that is open in the trace, 0 = none … */
    uint32_t generation; /* … of this recording */
    uint32_t depth;      /* how often it is entered: only the first time counts */
    PyObject *arguments[];
} user_scope;

static PyTypeObject region_type, task_type, done_type, self_type;
static PyObject *done;          /* returned by __aenter__ and __aexit__: done at once */
static PyObject *current;       /* context variable: number of the current operation */
static _Atomic uint64_t last_number;
static uint32_t operations_of;  /* generation of the last recording with an operation … */
static uint64_t first_operation; /* … and the number of its first */

/* The number of the operation this code is part of; 0 when there is none in this recording. */
static uint64_t current_operation(const thread_buffer *b)
{
    if (operations_of != b->generation)
        return 0;
    PyObject *value = NULL;
    uint64_t number = 0;
    if (PyContextVar_Get(current, NULL, &value) == 0 && value) {
        number = PyLong_AsUnsignedLongLong(value);
        Py_DECREF(value);
    }
    PyErr_Clear();
    return number < first_operation ? 0 : number; /* of an older recording: unknown in this one */
}

static void emit(thread_buffer *b, uint8_t kind, uint32_t name_id, uint64_t number, const user_payload *p)
{
    uint16_t payload_records = (uint16_t)((p->length + sizeof(record) - 1) / sizeof(record));
    uint64_t tick = clock_tick();
    record *slot = ring_reserve(b, payload_records + 1u, tick);
    if (!slot)
        return;
    *slot = (record){tick, kind, 0, payload_records, name_id, p->length, number};
    memcpy(slot + 1, p->bytes, p->length);
    ring_commit(b, payload_records + 1u);
}

/* A copy of exactly type str, so that using it as a key runs no code. */
static PyObject *checked_name(const char *function, PyObject *name)
{
    if (PyUnicode_CheckExact(name))
        return Py_NewRef(name);
    if (PyUnicode_Check(name))
        return PyUnicode_FromObject(name);
    PyErr_Format(PyExc_TypeError, "%s() needs a str for its name, not %.100s", function, Py_TYPE(name)->tp_name);
    return NULL;
}

/* --- regions and tasks --- */

static inline int is_on(void)
{
    return atomic_load_explicit(&ring_active, memory_order_relaxed);
}

static PyObject *scope_call(PyObject *object, PyObject *const *args, size_t flags, PyObject *labels);

static PyObject *make_scope(PyTypeObject *type, PyObject *name, PyObject *labels, PyObject *const *arguments)
{
    Py_ssize_t size = labels ? PyTuple_GET_SIZE(labels) : 0;
    user_scope *self = PyObject_GC_NewVar(user_scope, type, size);
    if (!self)
        return NULL;
    self->call = scope_call;
    self->name = Py_NewRef(name);
    self->labels = size ? Py_NewRef(labels) : NULL;
    self->token = NULL;
    self->number = 0;
    self->depth = 0;
    for (Py_ssize_t i = 0; i < size; i++)
        self->arguments[i] = Py_NewRef(arguments[i]);
    if (size) /* without them no reference cycle is possible */
        PyObject_GC_Track(self);
    return (PyObject *)self;
}

static PyObject *scope_new(PyObject *type, PyObject *const *args, size_t flags, PyObject *labels)
{
    const char *function = type == (PyObject *)&region_type ? "region" : "task";
    Py_ssize_t count = PyVectorcall_NARGS(flags);
    if (count != 1)
        return PyErr_Format(PyExc_TypeError, "%s() takes 1 positional argument, its name, but %zd were given",
                            function, count);
    PyObject *name = checked_name(function, args[0]);
    if (!name)
        return NULL;
    PyObject *made = make_scope((PyTypeObject *)type, name, labels, args + 1);
    Py_DECREF(name);
    return made;
}

static void scope_dealloc(PyObject *object)
{
    user_scope *self = (user_scope *)object;
    PyObject_GC_UnTrack(self);
    Py_DECREF(self->name);
    Py_XDECREF(self->labels);
    Py_XDECREF(self->token);
    for (Py_ssize_t i = 0; i < Py_SIZE(self); i++)
        Py_XDECREF(self->arguments[i]);
    PyObject_GC_Del(self);
}

static int scope_traverse(PyObject *object, visitproc visit, void *arg)
{
    user_scope *self = (user_scope *)object;
    for (Py_ssize_t i = 0; i < Py_SIZE(self); i++)
        Py_VISIT(self->arguments[i]);
    return 0;
}

static int scope_clear(PyObject *object)
{
    user_scope *self = (user_scope *)object;
    Py_CLEAR(self->labels);
    for (Py_ssize_t i = 0; i < Py_SIZE(self); i++)
        Py_CLEAR(self->arguments[i]);
    return 0;
}

static void set_current(user_scope *self, thread_buffer *b)
{
    if (operations_of != b->generation) {
        first_operation = self->number;
        operations_of = b->generation;
    }
    PyObject *number = PyLong_FromUnsignedLongLong(self->number);
    if (number)
        self->token = PyContextVar_Set(current, number);
    Py_XDECREF(number);
    PyErr_Clear();
}

/* -1 with an exception of the program's: it is not entered. */
static int begin(user_scope *self)
{
    user_payload told;
    thread_buffer *b = ring_current();
    if (!b)
        return 0;
    uint32_t name_id = user_name_id(self->name);
    if (user_fill(&told, current_operation(b), name_id ? NULL : self->name, self->labels, self->arguments) < 0)
        return -1;
    if (self->labels && !(b = ring_current())) /* str() of an argument has stopped the recording */
        return 0;
    self->number = atomic_fetch_add_explicit(&last_number, 1, memory_order_relaxed) + 1;
    self->generation = b->generation;
    int is_task = Py_IS_TYPE(self, &task_type);
    emit(b, is_task ? REC_OPERATION_BEGIN : REC_REGION_BEGIN, name_id, self->number, &told);
    if (is_task)
        set_current(self, b);
    return 0;
}

static void end(user_scope *self, PyObject *exception)
{
    thread_buffer *b = is_on() ? ring_current() : NULL;
    if (b && self->generation == b->generation) {
        uint64_t tick = clock_tick();
        uint32_t class = exception && exception != Py_None ? codes_type_name(exception) : 0;
        uint8_t kind = Py_IS_TYPE(self, &task_type) ? REC_OPERATION_END : REC_REGION_END;
        ring_emit(b, tick, kind, 0, class, 0, self->number);
    }
    self->number = 0;
    if (!self->token)
        return;
    if (PyContextVar_Reset(current, self->token) < 0)
        PyErr_Clear(); /* left in another context than it was entered in: the other context keeps it */
    Py_CLEAR(self->token);
}

static PyObject *scope_enter(PyObject *object, PyObject *unused)
{
    (void)unused;
    user_scope *self = (user_scope *)object;
    if (!self->depth++ && is_on() && begin(self) < 0) {
        self->depth--;
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *scope_exit(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    user_scope *self = (user_scope *)object;
    if (self->depth && !--self->depth && (self->number || self->token))
        end(self, count > 1 ? args[1] : NULL);
    Py_RETURN_NONE;
}

static PyObject *scope_async_enter(PyObject *object, PyObject *unused)
{
    PyObject *entered = scope_enter(object, unused);
    Py_XDECREF(entered);
    return entered ? Py_NewRef(done) : NULL;
}

static PyObject *scope_async_exit(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    Py_XDECREF(scope_exit(object, args, count));
    return Py_NewRef(done);
}

/* A new scope with the same name and arguments, not entered. */
static PyObject *scope_copy(PyObject *object, PyObject *unused)
{
    (void)unused;
    user_scope *self = (user_scope *)object;
    return make_scope(Py_TYPE(self), self->name, self->labels, self->arguments);
}

static PyObject *decorate(PyObject *self, PyObject *function)
{
    PyObject *copy = PyObject_GetAttrString(self, "__copy__"), *result = NULL;
    PyObject *module = copy ? PyImport_ImportModule("tracer.api") : NULL;
    PyObject *wrap = module ? PyObject_GetAttrString(module, "decorate") : NULL;
    if (wrap) {
        result = PyObject_CallFunctionObjArgs(wrap, copy, function, NULL);
    } else { /* at interpreter shutdown, or while the module is being imported */
        user_drop_error();
        result = PyErr_Occurred() ? NULL : Py_NewRef(function);
    }
    Py_XDECREF(copy);
    Py_XDECREF(module);
    Py_XDECREF(wrap);
    return result;
}

/* A scope is its own bound __enter__ and __exit__, see self_type: the number of arguments tells which is
 * meant. A single argument is a function to decorate. */
static PyObject *scope_call(PyObject *object, PyObject *const *args, size_t flags, PyObject *labels)
{
    Py_ssize_t count = PyVectorcall_NARGS(flags);
    if (!labels && count == 0)
        return scope_enter(object, NULL);
    if (!labels && count == 3)
        return scope_exit(object, args, count);
    if (!labels && count == 1 && PyCallable_Check(args[0]))
        return decorate(object, args[0]);
    PyErr_SetString(PyExc_TypeError, "a region or task decorates one function");
    return NULL;
}

static PyMethodDef scope_methods[] = {
    {"__enter__", scope_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)(void (*)(void))scope_exit, METH_FASTCALL, NULL},
    {"__copy__", scope_copy, METH_NOARGS, "A new scope with the same name and arguments."},
    {"__aenter__", scope_async_enter, METH_NOARGS, NULL},
    {"__aexit__", (PyCFunction)(void (*)(void))scope_async_exit, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(region_doc, "region(name, /, **arguments)\n--\n\n"
"A part of what a thread or asyncio task does, as a slice on a track below it.\n\n"
"A context manager (`with` and `async with`) and a decorator of functions, coroutine functions and\n"
"generator functions. Arguments (str, int, float, bool; of anything else str() of it) are shown with\n"
"the slice, at most 16. Costs next to nothing while no recording runs, and never raises then or\n"
"later, but TypeError for a name that is no str.");

PyDoc_STRVAR(task_doc, "task(name, /, **arguments)\n--\n\n"
"A logical operation, such as a request, that may cross asyncio tasks and threads.\n\n"
"Used like region(). It is a slice on a lane below `Operations`; regions and logs inside it, wherever\n"
"its context (contextvars) is inherited, carry its number in the argument `operation`.");

#define SCOPE_TYPE(variable, type_name, doc)                                                              \
    static PyTypeObject variable = {                                                                      \
        PyVarObject_HEAD_INIT(NULL, 0).tp_name = type_name,                                               \
        .tp_doc = doc,                                                                                    \
        .tp_basicsize = offsetof(user_scope, arguments),                                                  \
        .tp_itemsize = sizeof(PyObject *),                                                                \
        .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,                 \
        .tp_vectorcall = scope_new,                                                                       \
        .tp_vectorcall_offset = offsetof(user_scope, call),                                               \
        .tp_call = PyVectorcall_Call,                                                                     \
        .tp_dealloc = scope_dealloc,                                                                      \
        .tp_traverse = scope_traverse,                                                                    \
        .tp_clear = scope_clear,                                                                          \
        .tp_methods = scope_methods,                                                                      \
    }
SCOPE_TYPE(region_type, "tracer.region", region_doc);
SCOPE_TYPE(task_type, "tracer.task", task_doc);

/* --- what a `with` looks up --- */

/* Stands for __enter__ and __exit__ in the type: bound, it is the scope itself. Otherwise a `with` would
 * create and drop two bound methods, which is most of its cost. */
typedef struct {
    PyObject_HEAD
    PyObject *method; /* for code that takes it from the type, as contextlib.ExitStack does */
} self_method;

static PyObject *self_get(PyObject *self, PyObject *object, PyObject *type)
{
    (void)type;
    return Py_NewRef(object ? object : ((self_method *)self)->method);
}

static PyTypeObject self_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "tracer.self",
    .tp_basicsize = sizeof(self_method), /* created once for each type, never freed */
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_descr_get = self_get,
};

static int bind_to_self(PyTypeObject *type, const char *name)
{
    PyObject *method = PyObject_GetAttrString((PyObject *)type, name);
    self_method *found = method ? PyObject_New(self_method, &self_type) : NULL;
    if (!found) {
        Py_XDECREF(method);
        return -1;
    }
    found->method = method;
    int failed = PyDict_SetItemString(type->tp_dict, name, (PyObject *)found);
    Py_DECREF(found);
    PyType_Modified(type);
    return failed;
}

static int add_scope(PyObject *module, PyTypeObject *type)
{
    if (!type->tp_dict && (PyType_Ready(type) < 0 || bind_to_self(type, "__enter__") < 0 ||
                           bind_to_self(type, "__exit__") < 0))
        return -1;
    return PyModule_AddType(module, type);
}

/* --- an awaitable that is done at once --- */

static PyObject *done_next(PyObject *self)
{
    (void)self;
    return NULL; /* without an exception: the end, with None */
}

static PyAsyncMethods done_async = {.am_await = Py_NewRef};

static PyTypeObject done_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "tracer.done",
    .tp_basicsize = sizeof(PyObject),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_as_async = &done_async,
    .tp_iter = Py_NewRef,
    .tp_iternext = done_next,
};

/* --- logs and counters --- */

PyDoc_STRVAR(log_doc, "log($module, message, /, **arguments)\n--\n\n"
"A moment on the track of the thread or asyncio task, named by the message (cut at 500 bytes).\n\n"
"Arguments as for region(). Raises TypeError if the message is not a str.");

static PyObject *log_message(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *labels)
{
    (void)module;
    if (count != 1)
        return PyErr_Format(PyExc_TypeError, "log() takes 1 positional argument, the message, but %zd were given",
                            count);
    PyObject *message = checked_name("log", args[0]);
    if (!message)
        return NULL;
    thread_buffer *b = is_on() ? ring_current() : NULL;
    if (b) {
        user_payload told;
        if (user_fill(&told, current_operation(b), message, labels, args + 1) < 0) {
            Py_DECREF(message);
            return NULL;
        }
        if (!labels || (b = ring_current())) /* else str() of an argument has stopped the recording */
            emit(b, REC_LOG, 0, 0, &told);
    }
    Py_DECREF(message);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(counter_doc, "counter($module, name, value, /)\n--\n\n"
"From now on the counter has this value (int or float); one track per name, of the process.\n\n"
"Raises TypeError for a name that is no str and a value that is no number.");

static int is_number(PyObject *value)
{
    PyNumberMethods *methods = Py_TYPE(value)->tp_as_number;
    return PyLong_Check(value) || PyFloat_Check(value) || (methods && (methods->nb_float || methods->nb_index));
}

static PyObject *counter(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    if (count != 2)
        return PyErr_Format(PyExc_TypeError, "counter() takes a name and a value, but %zd arguments were given", count);
    if (!is_number(args[1]))
        return PyErr_Format(PyExc_TypeError, "counter() needs a number for its value, not %.100s",
                            Py_TYPE(args[1])->tp_name);
    PyObject *name = checked_name("counter", args[0]);
    if (!name)
        return NULL;
    int overflow = !PyLong_Check(args[1]);
    uint64_t value = overflow || !is_on() ? 0 : (uint64_t)PyLong_AsLongLongAndOverflow(args[1], &overflow);
    if (overflow && is_on()) {
        double as_double = PyFloat_AsDouble(args[1]);
        memcpy(&value, &as_double, sizeof value);
    }
    thread_buffer *b = is_on() && !PyErr_Occurred() ? ring_current() : NULL;
    user_drop_error();
    if (b)
        ring_emit(b, clock_tick(), REC_COUNTER, overflow != 0, user_name_id(name), 0, value);
    Py_DECREF(name);
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

PyMethodDef user_methods[] = {
    {"log", (PyCFunction)(void (*)(void))log_message, METH_FASTCALL | METH_KEYWORDS, log_doc},
    {"counter", (PyCFunction)(void (*)(void))counter, METH_FASTCALL, counter_doc},
    {NULL, NULL, 0, NULL},
};

/* The module may be created again (if a traced program imports it anew): one set of types serves all. */
int user_exec(PyObject *module)
{
    if (user_values_start() < 0)
        return -1;
    if (!current && !(current = PyContextVar_New("tracer.task", NULL)))
        return -1;
    if (PyType_Ready(&done_type) < 0 || (!done && !(done = PyObject_New(PyObject, &done_type))))
        return -1;
    if (PyType_Ready(&self_type) < 0 || add_scope(module, &region_type) < 0)
        return -1;
    return add_scope(module, &task_type);
}
