/* asyncio as the hooks see it: which task, which id, and how its step ended. */
#include "hooks.h"

#include <string.h>

#include "intern.h"

typedef struct {
    uint32_t id, func;
    PyObject *ref; /* weak reference whose callback tells of a task that died pending */
    PyObject *task; /* its address, not a reference */
} known_task;

typedef struct {
    uint32_t id;
    PyObject *ref;
} known_loop;

/* What is read from a task. C tasks give it through getters, pure-Python ones as attributes. */
enum field { FIELD_STATE, FIELD_WAITER, FIELD_CORO, FIELD_EXCEPTION, FIELD_LOOP, FIELDS };
static const char *const field_names[FIELDS] = {"_state", "_fut_waiter", "_coro", "_exception", "_loop"};

static struct {
    PyTypeObject *c_task, *py_task, *handle, *timer_handle, *step_wrapper;
    PyObject *py_step, *py_wakeup; /* functions of the pure-Python task */
    PyObject *field_strings[FIELDS], *str_name;
    getter fields[FIELDS], wrapper_self;
    PyMethodDef *wakeup, *get_name, *set_name;
    PyCFunction original_set_name;
    Py_ssize_t callback_offset, when_offset;
    PyObject *pending, *cancelled, *on_gone, *current_task;
    PyObject *adopted; /* the task in whose step the recording began, while that lasts */
    map by_task, by_ref, loops;
    _Atomic uint32_t next_task, next_loop;
} s;

static compat_mutex guard;

/* --- identity --- */

int tasks_is_task(PyObject *object)
{
    return (s.c_task && PyObject_TypeCheck(object, s.c_task)) ||
           (s.py_task && PyObject_TypeCheck(object, s.py_task));
}

static known_task *find(PyObject *task)
{
    uint64_t *known = map_find(&s.by_task, (uint64_t)(uintptr_t)task);
    return known ? (known_task *)(uintptr_t)*known : NULL;
}

uint32_t tasks_id(PyObject *task)
{
    if (!task || !tasks_is_task(task))
        return 0;
    compat_lock(&guard);
    known_task *known = find(task);
    uint32_t id = known ? known->id : 0;
    compat_unlock(&guard);
    return id;
}

static int is_step_wrapper(PyObject *callback)
{
    PyTypeObject *type = Py_TYPE(callback);
    if (type == s.step_wrapper)
        return 1;
    if (s.step_wrapper || !strstr(type->tp_name, "TaskStepMethWrapper"))
        return 0;
    PyObject *self = PyDict_GetItemString(type->tp_dict, "__self__");
    if (!self || !Py_IS_TYPE(self, &PyGetSetDescr_Type))
        return 0;
    s.wrapper_self = ((PyGetSetDescrObject *)self)->d_getset->get;
    s.step_wrapper = (PyTypeObject *)Py_NewRef(type);
    return 1;
}

/* The task whose step or wake-up `callback` is, borrowed from it; NULL for other callbacks. */
static PyObject *task_of(PyObject *callback)
{
    if (is_step_wrapper(callback)) {
        PyObject *task = s.wrapper_self(callback, NULL);
        Py_XDECREF(task); /* the wrapper holds it too */
        return task && task != Py_None ? task : NULL;
    }
    if (PyCFunction_CheckExact(callback)) {
        PyMethodDef *def = ((PyCFunctionObject *)callback)->m_ml;
        if (def != s.wakeup) {
            if (s.wakeup || strcmp(def->ml_name, "TaskWakeupMethWrapper"))
                if (s.wakeup || strcmp(def->ml_name, "task_wakeup"))
                    return NULL;
            PyObject *self = PyCFunction_GET_SELF(callback);
            if (!self || !s.c_task || !PyObject_TypeCheck(self, s.c_task))
                return NULL;
            s.wakeup = def;
        }
        return PyCFunction_GET_SELF(callback);
    }
    if (PyMethod_Check(callback) && s.py_task) {
        PyObject *function = PyMethod_GET_FUNCTION(callback);
        PyObject *self = PyMethod_GET_SELF(callback);
        if ((function == s.py_step || function == s.py_wakeup) && PyObject_TypeCheck(self, s.py_task))
            return self;
    }
    return NULL;
}

/* New reference or NULL, never an exception. */
static PyObject *read_field(PyObject *task, enum field which)
{
    PyObject *value = s.fields[which] && s.c_task && PyObject_TypeCheck(task, s.c_task)
        ? s.fields[which](task, NULL)
        : PyObject_GetAttr(task, s.field_strings[which]);
    if (!value)
        PyErr_Clear();
    return value;
}

static int same_text(PyObject *value, PyObject *constant)
{
    return value == constant ||
           (value && PyUnicode_Check(value) && PyUnicode_Compare(value, constant) == 0);
}

/* --- registration --- */

static uint32_t coroutine_function(PyObject *coro)
{
    if (!coro)
        return 0;
    if (PyCoro_CheckExact(coro) || PyGen_CheckExact(coro)) {
        PyCodeObject *code = PyGen_GetCode((PyGenObject *)coro);
        uint32_t func = codes_of(code)->func;
        Py_DECREF(code);
        return func;
    }
    PyObject *name = PyObject_GetAttrString(coro, "__qualname__"); /* Cython and other C coroutines */
    uint32_t func = intern_function(name ? codes_text(name) : 0, 0);
    Py_XDECREF(name);
    PyErr_Clear();
    return func;
}

static void emit_name(thread_buffer *b, uint32_t id, PyObject *name)
{
    Py_ssize_t length;
    const char *text = name && PyUnicode_Check(name) ? PyUnicode_AsUTF8AndSize(name, &length) : NULL;
    if (text)
        ring_emit_text(b, REC_TASK_NAME, 0, id, text, (size_t)length);
    else
        PyErr_Clear();
}

static PyObject *name_of(PyObject *task)
{
    PyObject *name = s.get_name && PyObject_TypeCheck(task, s.c_task)
        ? s.get_name->ml_meth(task, NULL)
        : PyObject_GetAttr(task, s.str_name);
    if (!name)
        PyErr_Clear();
    return name;
}

uint32_t tasks_loop_id(PyObject *loop)
{
    if (!loop || loop == Py_None)
        return 0;
    uint64_t *slot = map_put(&s.loops, (uint64_t)(uintptr_t)loop);
    known_loop *known = slot ? (known_loop *)(uintptr_t)*slot : NULL;
    if (known) {
        PyObject *alive = compat_weakref_get(known->ref);
        Py_XDECREF(alive);
        if (alive == loop)
            return known->id;
        Py_CLEAR(known->ref); /* another loop at the same address */
    } else {
        known = slot ? calloc(1, sizeof *known) : NULL;
    }
    PyObject *ref = known ? PyWeakref_NewRef(loop, NULL) : NULL;
    if (!ref) {
        PyErr_Clear();
        map_remove(&s.loops, (uint64_t)(uintptr_t)loop);
        free(known);
        return 0;
    }
    *known = (known_loop){++s.next_loop, ref};
    *slot = (uint64_t)(uintptr_t)known;
    return known->id;
}

/* Makes the task known under `id`. Only its creation costs this; steps look it up. */
static known_task *enroll(PyObject *task, uint32_t id, uint32_t func)
{
    known_task *known = malloc(sizeof *known);
    PyObject *ref = known ? PyWeakref_NewRef(task, s.on_gone) : NULL;
    if (!ref) {
        PyErr_Clear();
        free(known);
        return NULL;
    }
    *known = (known_task){id, func, ref, task};
    compat_lock(&guard);
    uint64_t *by_task = map_put(&s.by_task, (uint64_t)(uintptr_t)task);
    uint64_t *by_ref = map_put(&s.by_ref, (uint64_t)(uintptr_t)ref);
    if (by_task && by_ref)
        *by_task = *by_ref = (uint64_t)(uintptr_t)known;
    compat_unlock(&guard);
    return known;
}

static void dismiss(known_task *known)
{
    compat_lock(&guard);
    map_remove(&s.by_task, (uint64_t)(uintptr_t)known->task);
    map_remove(&s.by_ref, (uint64_t)(uintptr_t)known->ref);
    compat_unlock(&guard);
    Py_DECREF(known->ref);
    free(known);
}

static step *top_step(thread_buffer *b)
{
    return b->depth && b->depth <= STEP_DEPTH ? &b->steps[b->depth - 1] : NULL;
}

/* An eager step runs before its task is returned to anyone; the loop knows it as current. */
static int is_eager_step_of(const step *top, PyObject *task)
{
    if (!top || top->kind != STEP_EAGER || top->object || !s.current_task)
        return 0;
    PyObject *current = PyObject_CallNoArgs(s.current_task);
    Py_XDECREF(current);
    PyErr_Clear();
    return current == task;
}

static known_task *introduce(thread_buffer *b, uint64_t tick, PyObject *task, enum task_origin origin)
{
    step *top = top_step(b);
    if (is_eager_step_of(top, task)) {
        top->object = task;
        return enroll(task, top->task, 0);
    }
    PyObject *coro = read_field(task, FIELD_CORO);
    PyObject *loop = read_field(task, FIELD_LOOP);
    uint32_t func = coroutine_function(coro);
    uint32_t loop_id = tasks_loop_id(loop);
    Py_XDECREF(coro);
    Py_XDECREF(loop);
    known_task *known = enroll(task, ++s.next_task, func);
    if (!known)
        return NULL;
    PyObject *name = name_of(task);
    ring_emit(b, tick, REC_TASK_NEW, (uint8_t)origin, known->id, func, loop_id);
    emit_name(b, known->id, name);
    Py_XDECREF(name);
    return known;
}

/* --- steps --- */

void tasks_on_ready(thread_buffer *b, uint64_t tick, PyObject *handle)
{
    if (!s.handle || !PyObject_TypeCheck(handle, s.handle))
        return;
    PyObject *callback = *(PyObject **)((char *)handle + s.callback_offset);
    PyObject *task = callback ? task_of(callback) : NULL;
    if (!task) {
        ring_emit(b, tick, REC_CB_READY, 0, 0, (uint64_t)(uintptr_t)handle, 0);
        return;
    }
    compat_lock(&guard);
    known_task *known = find(task);
    compat_unlock(&guard);
    if (!known)
        known = introduce(b, tick, task, ORIGIN_CREATED);
    if (!known)
        return;
    step *top = top_step(b);
    if (top && top->object == task)
        top->readied_itself = 1;
    ring_emit(b, tick, REC_READY, 0, known->id, 0, 0);
}

static void push_step(thread_buffer *b, step pushed)
{
    if (b->depth++ < STEP_DEPTH)
        b->steps[b->depth - 1] = pushed;
}

static void begin_callback(thread_buffer *b, PyObject *callback)
{
    PyObject *handle = compat_local(PyThreadState_Get(), 0);
    uint64_t due_ns = 0;
    if (handle && s.timer_handle && PyObject_TypeCheck(handle, s.timer_handle)) {
        PyObject *when = *(PyObject **)((char *)handle + s.when_offset);
        double seconds = when ? PyFloat_AsDouble(when) : 0.0;
        if (seconds > 0.0)
            due_ns = (uint64_t)(seconds * 1e9);
        PyErr_Clear();
    }
    uint32_t func = codes_callable(callback);
    push_step(b, (step){0});
    ring_emit(b, clock_tick(), REC_CB_BEGIN, due_ns != 0, func, (uint64_t)(uintptr_t)handle, due_ns);
}

static uint32_t exception_name(PyObject *exception)
{
    const char *name = Py_TYPE(exception)->tp_name;
    const char *dot = strrchr(name, '.');
    return intern_string(dot ? dot + 1 : name, strlen(dot ? dot + 1 : name));
}

static void end_done(thread_buffer *b, uint64_t tick, PyObject *task, uint32_t id, PyObject *state)
{
    uint8_t outcome = same_text(state, s.cancelled) ? OUTCOME_CANCELLED : OUTCOME_DONE;
    uint32_t name = 0;
    PyObject *exception = outcome == OUTCOME_DONE ? read_field(task, FIELD_EXCEPTION) : NULL;
    if (exception && exception != Py_None) {
        outcome = OUTCOME_FAILED;
        name = exception_name(exception);
    }
    Py_XDECREF(exception);
    ring_emit(b, tick, REC_STEP_DONE, outcome, id, name, 0);
    known_task *known = find(task);
    if (known)
        dismiss(known);
}

static void end_await(thread_buffer *b, uint64_t tick, PyObject *task, uint32_t id, PyObject *waiter)
{
    uint32_t what = 0, site = 0, awaited = 0;
    PyObject *coro = read_field(task, FIELD_CORO);
    await_describe(coro, waiter, &what, &site, &awaited);
    Py_XDECREF(coro);
    ring_emit(b, tick, REC_STEP_AWAIT, 0, id, (uint64_t)what << 32 | site, awaited);
}

/* Takes the id, not the known task: what is read may be the program's code, which may stop the
 * recording. */
static void end_task(thread_buffer *b, uint64_t tick, PyObject *task, uint32_t id)
{
    PyObject *state = read_field(task, FIELD_STATE);
    if (!same_text(state, s.pending)) {
        end_done(b, tick, task, id, state);
    } else {
        PyObject *waiter = read_field(task, FIELD_WAITER);
        if (waiter && waiter != Py_None)
            end_await(b, tick, task, id, waiter);
        else
            ring_emit(b, tick, REC_STEP_YIELD, 0, id, 0, 0);
        Py_XDECREF(waiter);
    }
    Py_XDECREF(state);
}

/* The step in which the recording began has no end event: the loop's next doing is its end. */
void tasks_end_adopted(thread_buffer *b)
{
    step *top = top_step(b);
    if (!top || top->kind != STEP_ADOPTED)
        return;
    PyObject *task = s.adopted;
    s.adopted = NULL;
    b->depth--;
    known_task *known = task ? find(task) : NULL;
    if (known && top->readied_itself)
        ring_emit(b, clock_tick(), REC_STEP_YIELD, 0, known->id, 0, 0);
    else if (known)
        end_task(b, clock_tick(), task, known->id);
    Py_XDECREF(task);
}

void tasks_on_begin(thread_buffer *b, PyObject *callback)
{
    if (b->depth == 1)
        tasks_end_adopted(b);
    PyObject *task = task_of(callback);
    if (!task) {
        begin_callback(b, callback);
        return;
    }
    compat_lock(&guard);
    known_task *known = find(task);
    compat_unlock(&guard);
    if (!known)
        known = introduce(b, clock_tick(), task, ORIGIN_ADOPTED);
    push_step(b, (step){.object = task, .task = known ? known->id : 0});
    if (known)
        ring_emit(b, clock_tick(), REC_STEP_BEGIN, 0, known->id, 0, 0);
}

void tasks_on_end(thread_buffer *b, uint64_t tick, PyObject *callback)
{
    step *top = top_step(b);
    int readied_itself = top && top->readied_itself;
    uint32_t id = top ? top->task : 0;
    if (b->depth)
        b->depth--;
    if (readied_itself) {
        ring_emit(b, tick, REC_STEP_YIELD, 0, id, 0, 0);
        return;
    }
    PyObject *task = task_of(callback);
    if (!task) {
        ring_emit(b, tick, REC_CB_END, 0, 0, 0, 0);
        return;
    }
    compat_lock(&guard);
    known_task *known = find(task);
    compat_unlock(&guard);
    if (known)
        end_task(b, tick, task, known->id);
}

/* The factory runs the first step only inside the loop's own run; else it makes a common task. */
void tasks_on_eager_begin(thread_buffer *b, PyObject *loop, PyObject *coro, PyObject *name)
{
    if (!b->loop || tasks_loop_id(loop) != b->loop) {
        push_step(b, (step){.kind = STEP_NONE});
        return;
    }
    uint32_t id = ++s.next_task;
    uint64_t tick = clock_tick();
    ring_emit(b, tick, REC_TASK_NEW, ORIGIN_EAGER, id, coroutine_function(coro), b->loop);
    emit_name(b, id, name);
    push_step(b, (step){.task = id, .kind = STEP_EAGER});
    ring_emit(b, clock_tick(), REC_STEP_BEGIN, 0, id, 0, 0);
}

void tasks_on_eager_end(thread_buffer *b, uint64_t tick, PyObject *task)
{
    step *top = top_step(b);
    if (!b->depth || (top && top->kind == STEP_COMMON))
        return; /* the recording began inside the factory */
    b->depth--;
    if (!top || top->kind != STEP_EAGER || !tasks_is_task(task))
        return;
    known_task *known = find(task);
    if (!known)
        known = enroll(task, top->task, 0);
    if (!known)
        return;
    PyObject *name = name_of(task);
    emit_name(b, known->id, name);
    Py_XDECREF(name);
    if (top->readied_itself)
        ring_emit(b, tick, REC_STEP_YIELD, 0, known->id, 0, 0);
    else
        end_task(b, tick, task, known->id);
}

void tasks_on_rename(thread_buffer *b, PyObject *task, PyObject *name)
{
    uint32_t id = tasks_id(task);
    if (id && name)
        emit_name(b, id, name);
}

/* --- set-up, from hooks/asyncio_tasks.py --- */

static PyObject *set_name_traced(PyObject *task, PyObject *name)
{
    PyObject *result = s.original_set_name(task, name);
    thread_buffer *b = result ? ring_current() : NULL;
    if (b) {
        PyObject *now = name_of(task);
        tasks_on_rename(b, task, now);
        Py_XDECREF(now);
    }
    return result;
}

static PyObject *on_gone(PyObject *module, PyObject *ref)
{
    (void)module;
    compat_lock(&guard);
    uint64_t *slot = map_find(&s.by_ref, (uint64_t)(uintptr_t)ref);
    known_task *known = slot ? (known_task *)(uintptr_t)*slot : NULL;
    compat_unlock(&guard);
    if (known) {
        thread_buffer *b = ring_current();
        if (b)
            ring_emit(b, clock_tick(), REC_TASK_DESTROYED, 0, known->id, 0, 0);
        dismiss(known);
    }
    Py_RETURN_NONE;
}

static PyMethodDef on_gone_def = {"tracer_task_gone", on_gone, METH_O, NULL};

static PyMethodDef *method_def(PyObject *type, const char *name, int flags)
{
    PyObject *found = PyObject_GetAttrString(type, name);
    PyMethodDef *def = NULL;
    if (found && Py_IS_TYPE(found, &PyMethodDescr_Type))
        def = ((PyMethodDescrObject *)found)->d_method;
    Py_XDECREF(found);
    PyErr_Clear();
    return def && def->ml_flags == flags ? def : NULL;
}

static Py_ssize_t slot_offset(PyObject *type, const char *name)
{
    PyObject *found = PyObject_GetAttrString(type, name);
    Py_ssize_t offset = -1;
    if (found && Py_IS_TYPE(found, &PyMemberDescr_Type))
        offset = ((PyMemberDescrObject *)found)->d_member->offset;
    else if (found)
        PyErr_Format(PyExc_RuntimeError, "%s of asyncio's handles is not a slot", name);
    Py_XDECREF(found);
    return offset;
}

static int setup_c_task(PyObject *type)
{
    for (int i = 0; i < FIELDS; i++) {
        PyObject *found = PyObject_GetAttrString(type, field_names[i]);
        if (!found || !Py_IS_TYPE(found, &PyGetSetDescr_Type)) {
            PyErr_Format(PyExc_RuntimeError, "asyncio's task has no getter %s", field_names[i]);
            Py_XDECREF(found);
            return -1;
        }
        s.fields[i] = ((PyGetSetDescrObject *)found)->d_getset->get;
        Py_DECREF(found);
    }
    s.c_task = (PyTypeObject *)Py_NewRef(type);
    s.get_name = method_def(type, "get_name", METH_NOARGS);
    s.set_name = method_def(type, "set_name", METH_O);
    if (s.set_name) {
        s.original_set_name = s.set_name->ml_meth;
        s.set_name->ml_meth = set_name_traced;
    }
    return 0;
}

/* `facts`: c_task, py_task, handle, timer_handle types; current_task; py_step, py_wakeup. */
int tasks_setup(PyObject *facts)
{
    PyObject *c_task = PyDict_GetItemString(facts, "c_task");
    PyObject *py_task = PyDict_GetItemString(facts, "py_task");
    PyObject *handle = PyDict_GetItemString(facts, "handle");
    PyObject *timer = PyDict_GetItemString(facts, "timer_handle");
    if (!handle || !PyType_Check(handle) || !timer || !PyType_Check(timer)) {
        PyErr_SetString(PyExc_TypeError, "asyncio's handle types are missing");
        return -1;
    }
    for (int i = 0; i < FIELDS; i++)
        if (!s.field_strings[i] && !(s.field_strings[i] = PyUnicode_InternFromString(field_names[i])))
            return -1;
    if (!s.str_name) {
        s.str_name = PyUnicode_InternFromString("_name");
        s.pending = PyUnicode_InternFromString("PENDING");
        s.cancelled = PyUnicode_InternFromString("CANCELLED");
        s.on_gone = PyCFunction_New(&on_gone_def, NULL);
    }
    if (!s.str_name || !s.pending || !s.cancelled || !s.on_gone)
        return -1;
    s.callback_offset = slot_offset(handle, "_callback");
    s.when_offset = slot_offset(timer, "_when");
    if (s.callback_offset < 0 || s.when_offset < 0)
        return -1;
    if (!s.c_task && c_task && PyType_Check(c_task) && setup_c_task(c_task) < 0)
        return -1;
    if (!s.py_task && py_task && PyType_Check(py_task))
        s.py_task = (PyTypeObject *)Py_NewRef(py_task);
    s.py_step = Py_XNewRef(PyDict_GetItemString(facts, "py_step"));
    s.py_wakeup = Py_XNewRef(PyDict_GetItemString(facts, "py_wakeup"));
    s.current_task = Py_XNewRef(PyDict_GetItemString(facts, "current_task"));
    s.timer_handle = (PyTypeObject *)Py_NewRef(timer);
    s.handle = (PyTypeObject *)Py_NewRef(handle);
    return 0;
}

/* Ids go on counting, so that none is ever used twice in a process. */
void tasks_forget(void)
{
    if (s.set_name && s.original_set_name)
        s.set_name->ml_meth = s.original_set_name;
    for (uint32_t i = 0; s.by_task.slots && i <= s.by_task.mask; i++) {
        known_task *known = (known_task *)(uintptr_t)s.by_task.slots[i].value;
        if (!s.by_task.slots[i].key)
            continue;
        Py_DECREF(known->ref);
        free(known);
    }
    for (uint32_t i = 0; s.loops.slots && i <= s.loops.mask; i++) {
        known_loop *known = (known_loop *)(uintptr_t)s.loops.slots[i].value;
        if (!s.loops.slots[i].key)
            continue;
        Py_DECREF(known->ref);
        free(known);
    }
    map_free(&s.by_task);
    map_free(&s.by_ref);
    map_free(&s.loops);
    Py_CLEAR(s.adopted);
    Py_CLEAR(s.handle);
    Py_CLEAR(s.timer_handle);
    Py_CLEAR(s.c_task);
    Py_CLEAR(s.py_task);
    Py_CLEAR(s.py_step);
    Py_CLEAR(s.py_wakeup);
    Py_CLEAR(s.current_task);
    s.set_name = s.get_name = NULL;
}

PyDoc_STRVAR(adopt_doc, "adopt_task(task, is_current)\n\n"
"Makes a task known that exists already: with what it waits for, or as running.");

static PyObject *adopt_task(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *task;
    int is_current;
    if (!PyArg_ParseTuple(args, "Op", &task, &is_current))
        return NULL;
    thread_buffer *b = ring_current();
    if (!b || !tasks_is_task(task) || tasks_id(task))
        Py_RETURN_NONE;
    uint64_t tick = clock_tick();
    known_task *known = introduce(b, tick, task, ORIGIN_ADOPTED);
    if (!known)
        Py_RETURN_NONE;
    uint32_t id = known->id;
    PyObject *waiter = read_field(task, FIELD_WAITER);
    if (is_current) {
        push_step(b, (step){.object = task, .task = id, .kind = STEP_ADOPTED});
        Py_XSETREF(s.adopted, Py_NewRef(task));
        ring_emit(b, clock_tick(), REC_STEP_BEGIN, 0, id, 0, 0);
    } else if (waiter && waiter != Py_None) {
        end_await(b, clock_tick(), task, id, waiter);
    } else {
        ring_emit(b, clock_tick(), REC_READY, 0, id, 0, 0);
    }
    Py_XDECREF(waiter);
    Py_RETURN_NONE;
}

PyMethodDef tasks_methods[] = {
    {"adopt_task", adopt_task, METH_VARARGS, adopt_doc},
    {NULL, NULL, 0, NULL},
};
