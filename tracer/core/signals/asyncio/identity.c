/* Tasks and loops by address: ids, fields, names; and the types and functions of this version's asyncio. */
#include "signals/asyncio/identity.h"

#include <string.h>

#include "python/codes.h"
#include "python/plain.h"
#include "python/trampolines.h"
#include "python/utf8.h"
#include "ring/hot.h"
#include "ring/intern.h"
#include "ring/memory.h"

#define TASK_PREFIX "Task-"

static const char *const field_names[FIELDS] = {"_state", "_fut_waiter", "_coro", "_exception", "_loop",
                                                "_log_traceback"};

HOT_DATA struct identity identity;
compat_mutex identity_guard;

/* --- identity --- */

HOT int identity_is_task(PyObject *object)
{
    return (identity.c_task && PyObject_TypeCheck(object, identity.c_task)) ||
           (identity.py_task && PyObject_TypeCheck(object, identity.py_task));
}

known_task *identity_having(const void *object)
{
    known_task *known = identity_find(object);
    uint64_t *stood_for = known ? NULL : map_find(&identity.by_stand_in, (uint64_t)(uintptr_t)object);
    return stood_for ? (known_task *)(uintptr_t)*stood_for : known;
}

/* It is kept until the task has another one or ends, so that nothing else gets its address. */
void identity_stand_in(known_task *known, PyObject *object)
{
    if (known->stand_in == object)
        return;
    PyObject *before = known->stand_in;
    compat_lock(&identity_guard);
    uint64_t *stands = map_put(&identity.by_stand_in, (uint64_t)(uintptr_t)object);
    if (stands) {
        if (before)
            map_remove(&identity.by_stand_in, (uint64_t)(uintptr_t)before);
        stands = map_put(&identity.by_stand_in, (uint64_t)(uintptr_t)object); /* that may have moved it */
        *stands = (uint64_t)(uintptr_t)known;
        known->stand_in = Py_NewRef(object);
    }
    compat_unlock(&identity_guard);
    if (stands)
        Py_XDECREF(before);
}

HOT uint32_t identity_id(PyObject *task)
{
    if (!task || !identity_is_task(task))
        return 0;
    compat_lock(&identity_guard);
    known_task *known = identity_find(task);
    uint32_t id = known ? known->id : 0;
    compat_unlock(&identity_guard);
    return id;
}

HOT PyObject *identity_py_task_of(PyObject *callback)
{
    if (PyMethod_Check(callback)) {
        PyObject *function = PyMethod_GET_FUNCTION(callback);
        PyObject *self = PyMethod_GET_SELF(callback);
        if ((function == identity.py_step || function == identity.py_wakeup) && PyObject_TypeCheck(self, identity.py_task))
            return self;
    }
    return NULL;
}

/* Where an object keeps its only pointer to another one; -1: it has none, or several. */
static Py_ssize_t pointer_offset(PyObject *holder, PyObject *held)
{
    Py_ssize_t size = Py_TYPE(holder)->tp_basicsize, found = -1;
    for (Py_ssize_t at = sizeof(PyObject); at + (Py_ssize_t)sizeof held <= size; at += (Py_ssize_t)sizeof held)
        if (*(PyObject **)((char *)holder + at) == held) {
            if (found >= 0)
                return -1;
            found = at;
        }
    return found;
}

/* What the getter has returned shows where the task keeps it: the coroutine and the awaited future are nothing else. (Other
 * threads may change the fields where there is no GIL, and the other fields are no pointers, or may be equal.) */
static COLD void learn_place(PyObject *task, enum field which, PyObject *value)
{
    int has_place = which == FIELD_CORO || which == FIELD_WAITER;
    if (COMPAT_FREE_THREADED || !has_place || Py_TYPE(task) != identity.c_task || value == Py_None)
        return;
    Py_ssize_t place = pointer_offset(task, value);
    identity.places[which] = place > 0 ? place : 0;
}

HOT PyObject *identity_read(PyObject *task, enum field which)
{
    int is_known = identity.fields[which] && identity.c_task && PyObject_TypeCheck(task, identity.c_task);
    PyObject *value = is_known ? identity.fields[which](task, NULL) : PyObject_GetAttr(task, identity.field_strings[which]);
    if (!value)
        PyErr_Clear();
    else if (is_known && !identity.places[which])
        learn_place(task, which, value);
    return value;
}

PyObject *identity_coro(PyObject *task)
{
    if (identity.trio_task && Py_IS_TYPE(task, identity.trio_task))
        return Py_XNewRef(*(PyObject **)((char *)task + identity.trio_coro));
    return identity_is_task(task) ? identity_read(task, FIELD_CORO) : NULL;
}

HOT int identity_same_text(PyObject *value, PyObject *constant)
{
    return value == constant ||
           (value && PyUnicode_Check(value) && PyUnicode_Compare(value, constant) == 0);
}

/* --- registration --- */

/* What a library's coroutine runs, as a new reference; NULL: itself. */
static PyObject *wrapped_by(PyObject *coro, const code_facts *facts)
{
    PyObject *found = facts->runs ? Py_XNewRef(compat_gen_local(coro, facts->runs_at)) : NULL;
    if (found && PyCell_Check(found))
        Py_SETREF(found, Py_XNewRef(PyCell_GET(found)));
    if (found)
        Py_SETREF(found, plain_path(found, facts->runs));
    return found;
}

HOT uint32_t identity_function(PyObject *coro)
{
    if (!coro)
        return 0;
    if (PyCoro_CheckExact(coro) || PyGen_CheckExact(coro)) {
        const code_facts *facts = codes_of(compat_gen_code(coro));
        PyObject *inner = wrapped_by(coro, facts);
        uint32_t func = facts->func;
        if (inner && PyCoro_CheckExact(inner))
            func = codes_of(compat_gen_code(inner))->func;
        else if (inner && PyCallable_Check(inner))
            func = codes_callable(inner);
        Py_XDECREF(inner);
        return func;
    }
    PyObject *name = PyObject_GetAttrString(coro, "__qualname__"); /* Cython and other C coroutines */
    PyErr_Clear();
    uint32_t text = codes_text(name);
    Py_XDECREF(name);
    return intern_function(text ? text : codes_type_name(coro), intern_string("?:0", 3));
}

HOT void identity_emit_name(thread_buffer *b, uint32_t id, PyObject *name)
{
    Py_ssize_t length;
    PyObject *owned;
    if (!name || !PyUnicode_Check(name))
        return;
    const char *text = utf8_of(name, &length, &owned);
    ring_emit_text(b, REC_TASK_NAME, 0, id, text, (size_t)length, 0);
    Py_XDECREF(owned);
}

/* The name that asyncio will make from this number when the program asks for it; until then it keeps the number. */
static HOT PyObject *numbered(PyObject *number)
{
    char text[32], *at = text + sizeof text;
    int is_huge;
    long long left = PyLong_AsLongLongAndOverflow(number, &is_huge);
    if (is_huge || left < 0)
        return NULL;
    do
        *--at = (char)('0' + left % 10);
    while (left /= 10);
    at -= sizeof TASK_PREFIX - 1;
    memcpy(at, TASK_PREFIX, sizeof TASK_PREFIX - 1);
    return PyUnicode_FromStringAndSize(at, text + sizeof text - at);
}

HOT PyObject *identity_name(PyObject *task)
{
    int has_place = !COMPAT_FREE_THREADED && identity.name_offset > 0 && PyObject_TypeCheck(task, identity.c_task);
    PyObject *kept = has_place ? *(PyObject **)((char *)task + identity.name_offset) : NULL;
    PyObject *made = kept && PyLong_CheckExact(kept) ? numbered(kept) : NULL;
    if (made)
        return made;
    PyObject *name = identity.get_name && PyObject_TypeCheck(task, identity.c_task)
        ? identity.get_name->ml_meth(task, NULL)
        : PyObject_GetAttr(task, identity.str_name);
    if (!name)
        PyErr_Clear();
    return name;
}

void identity_renamed(thread_buffer *b, PyObject *task, PyObject *name)
{
    uint32_t id = identity_id(task);
    if (id && name)
        identity_emit_name(b, id, name);
}

HOT uint32_t identity_loop_id(PyObject *loop)
{
    return identity_loop_of(loop, LOOP_ASYNCIO);
}

HOT uint32_t identity_loop_of(PyObject *loop, enum loop_kind kind)
{
    if (!loop || loop == Py_None)
        return 0;
    uint64_t *slot = map_put(&identity.loops, (uint64_t)(uintptr_t)loop);
    known_loop *known = slot ? (known_loop *)(uintptr_t)*slot : NULL;
    if (known) {
        PyObject *alive = compat_weakref_get(known->ref);
        Py_XDECREF(alive);
        if (alive == loop)
            return known->id;
        Py_CLEAR(known->ref); /* another loop at the same address */
    } else {
        known = slot ? memory_take(sizeof *known) : NULL;
    }
    PyObject *ref = known ? PyWeakref_NewRef(loop, NULL) : NULL;
    if (!ref) {
        PyErr_Clear();
        map_remove(&identity.loops, (uint64_t)(uintptr_t)loop);
        memory_give(known, sizeof *known);
        return 0;
    }
    *known = (known_loop){++identity.next_loop | (uint32_t)kind << LOOP_KIND_SHIFT, ref};
    *slot = (uint64_t)(uintptr_t)known;
    return known->id;
}

uint32_t identity_known_loop(PyObject *loop)
{
    const uint64_t *slot = loop ? map_find(&identity.loops, (uint64_t)(uintptr_t)loop) : NULL;
    const known_loop *known = slot ? (const known_loop *)(uintptr_t)*slot : NULL;
    return known && compat_weakref_target(known->ref) == loop ? known->id : 0;
}

/* Registers the task under `id`. This happens once, at its creation; steps only look it up. */
HOT known_task *identity_enroll(PyObject *task, uint32_t id, uint32_t func)
{
    known_task *known = memory_take(sizeof *known);
    PyObject *ref = known ? PyWeakref_NewRef(task, identity.on_gone) : NULL;
    if (!ref) {
        PyErr_Clear();
        memory_give(known, sizeof *known);
        return NULL;
    }
    *known = (known_task){.id = id, .func = func, .ref = ref, .task = task};
    compat_lock(&identity_guard);
    uint64_t *by_task = map_put(&identity.by_task, (uint64_t)(uintptr_t)task);
    uint64_t *by_ref = map_put(&identity.by_ref, (uint64_t)(uintptr_t)ref);
    if (by_task && by_ref)
        *by_task = *by_ref = (uint64_t)(uintptr_t)known;
    compat_unlock(&identity_guard);
    return known;
}

HOT void identity_dismiss(known_task *known)
{
    compat_lock(&identity_guard);
    map_remove(&identity.by_task, (uint64_t)(uintptr_t)known->task);
    map_remove(&identity.by_ref, (uint64_t)(uintptr_t)known->ref);
    if (known->stand_in)
        map_remove(&identity.by_stand_in, (uint64_t)(uintptr_t)known->stand_in);
    compat_unlock(&identity_guard);
    Py_DECREF(known->ref);
    Py_XDECREF(known->stand_in);
    memory_give(known, sizeof *known);
}

/* --- set-up, from signals/loops/asyncio.py --- */

static PyObject *set_name_traced(PyObject *task, PyObject *name)
{
    PyObject *result = identity.original_set_name(task, name);
    thread_buffer *b = result ? ring_current() : NULL;
    if (b) {
        PyObject *now = identity_name(task);
        identity_renamed(b, task, now);
        Py_XDECREF(now);
    }
    return result;
}

static PyObject *on_gone(PyObject *module, PyObject *ref)
{
    (void)module;
    compat_lock(&identity_guard);
    uint64_t *slot = map_find(&identity.by_ref, (uint64_t)(uintptr_t)ref);
    known_task *known = slot ? (known_task *)(uintptr_t)*slot : NULL;
    compat_unlock(&identity_guard);
    if (known) {
        thread_buffer *b = ring_current();
        if (b)
            ring_emit(b, clock_tick(), REC_TASK_DESTROYED, 0, known->id, 0, 0);
        identity_dismiss(known);
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

Py_ssize_t identity_slot(PyObject *type, const char *name)
{
    PyObject *found = PyObject_GetAttrString(type, name);
    Py_ssize_t offset = -1;
    if (found && Py_IS_TYPE(found, &PyMemberDescr_Type))
        offset = ((PyMemberDescrObject *)found)->d_member->offset;
    else if (found)
        PyErr_Format(PyExc_RuntimeError, "%s.%s is not a slot", ((PyTypeObject *)type)->tp_name, name);
    Py_XDECREF(found);
    return offset;
}

static int setup_steps(PyObject *facts)
{
    PyObject *step = PyDict_GetItemString(facts, "step"), *task = PyDict_GetItemString(facts, "task");
    PyObject *wakeup = PyDict_GetItemString(facts, "wakeup"), *name = PyDict_GetItemString(facts, "task_name");
    Py_ssize_t offset = step && task ? pointer_offset(step, task) : -1;
    if (offset < 0 || !wakeup || !PyCFunction_CheckExact(wakeup)) {
        PyErr_SetString(PyExc_RuntimeError, "asyncio steps its tasks in an unknown way");
        return -1;
    }
    identity.step_task_offset = offset;
    identity.name_offset = name ? pointer_offset(task, name) : -1;
    identity.step_wrapper = (PyTypeObject *)Py_NewRef(Py_TYPE(step));
    identity.wakeup = ((PyCFunctionObject *)wakeup)->m_ml;
    return 0;
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
        identity.fields[i] = ((PyGetSetDescrObject *)found)->d_getset->get;
        Py_DECREF(found);
    }
    identity.c_task = (PyTypeObject *)Py_NewRef(type);
    identity.get_name = method_def(type, "get_name", METH_NOARGS);
    identity.set_name = method_def(type, "set_name", METH_O);
    if (identity.set_name)
        trampoline_put(identity.set_name, set_name_traced, &identity.original_set_name);
    return 0;
}

int identity_start(void)
{
    if (!identity.on_gone)
        identity.on_gone = PyCFunction_New(&on_gone_def, NULL);
    return identity.on_gone ? 0 : -1;
}

/* `facts`: c_task, py_task, handle, timer_handle, threadsafe_handle types; `step`, which has made a step of `task`; current_task;
 * wakeup, py_step, py_wakeup. */
int identity_setup(PyObject *facts)
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
        if (!identity.field_strings[i] && !(identity.field_strings[i] = PyUnicode_InternFromString(field_names[i])))
            return -1;
    if (!identity.str_name) {
        identity.str_name = PyUnicode_InternFromString("_name");
        identity.pending = PyUnicode_InternFromString("PENDING");
        identity.cancelled = PyUnicode_InternFromString("CANCELLED");
    }
    if (!identity.str_name || !identity.pending || !identity.cancelled || identity_start() < 0)
        return -1;
    identity.callback_offset = identity_slot(handle, "_callback");
    identity.args_offset = identity_slot(handle, "_args");
    identity.when_offset = identity_slot(timer, "_when");
    if (identity.callback_offset < 0 || identity.args_offset < 0 || identity.when_offset < 0)
        return -1;
    if (!identity.c_task && c_task && PyType_Check(c_task) && (setup_steps(facts) < 0 || setup_c_task(c_task) < 0))
        return -1;
    if (!identity.py_task && py_task && PyType_Check(py_task))
        identity.py_task = (PyTypeObject *)Py_NewRef(py_task);
    identity.py_step = Py_XNewRef(PyDict_GetItemString(facts, "py_step"));
    identity.py_wakeup = Py_XNewRef(PyDict_GetItemString(facts, "py_wakeup"));
    identity.current_task = Py_XNewRef(PyDict_GetItemString(facts, "current_task"));
    identity.get_running = Py_XNewRef(PyDict_GetItemString(facts, "get_running"));
    identity.timer_handle = (PyTypeObject *)Py_NewRef(timer);
    PyObject *threadsafe = PyDict_GetItemString(facts, "threadsafe_handle");
    if (threadsafe && PyType_Check(threadsafe))
        identity.threadsafe_handle = (PyTypeObject *)Py_NewRef(threadsafe);
    identity.handle = (PyTypeObject *)Py_NewRef(handle);
    return 0;
}

/* What belongs to them stays allocated: to touch it would copy the parent's memory. */
void identity_leave_parent(void)
{
    identity_guard = (compat_mutex){0};
    identity.by_task = identity.by_ref = identity.by_stand_in = identity.loops = (map){0};
}

/* Ids keep counting up, so that none is ever used twice in a process. */
COLD void identity_forget(void)
{
    if (identity.set_name && identity.original_set_name)
        trampoline_take(identity.set_name, set_name_traced, identity.original_set_name);
    for (uint32_t i = 0; identity.by_task.slots && i <= identity.by_task.mask; i++) {
        known_task *known = (known_task *)(uintptr_t)identity.by_task.slots[i].value;
        if (!identity.by_task.slots[i].key)
            continue;
        Py_DECREF(known->ref);
        Py_XDECREF(known->stand_in);
        memory_give(known, sizeof *known);
    }
    for (uint32_t i = 0; identity.loops.slots && i <= identity.loops.mask; i++) {
        known_loop *known = (known_loop *)(uintptr_t)identity.loops.slots[i].value;
        if (!identity.loops.slots[i].key)
            continue;
        Py_DECREF(known->ref);
        memory_give(known, sizeof *known);
    }
    map_free(&identity.by_task);
    map_free(&identity.by_ref);
    map_free(&identity.by_stand_in);
    map_free(&identity.loops);
    Py_CLEAR(identity.handle);
    Py_CLEAR(identity.timer_handle);
    Py_CLEAR(identity.threadsafe_handle);
    Py_CLEAR(identity.c_task);
    Py_CLEAR(identity.step_wrapper);
    Py_CLEAR(identity.uv_loop);
    identity.wakeup = NULL;
    Py_CLEAR(identity.py_task);
    Py_CLEAR(identity.py_step);
    Py_CLEAR(identity.py_wakeup);
    Py_CLEAR(identity.current_task);
    Py_CLEAR(identity.get_running);
    identity.is_complete = 0;
    Py_CLEAR(identity.wrapping);
    Py_CLEAR(identity.wrapper);
    identity.set_name = identity.get_name = NULL;
    memset(identity.places, 0, sizeof identity.places);
}
