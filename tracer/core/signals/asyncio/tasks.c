/* The steps of asyncio's tasks and callbacks, as the hooks see them. */
#include "signals/asyncio/tasks.h"

#include <string.h>

#include "python/codes.h"
#include "python/stacks.h"
#include "ring/held.h"
#include "ring/hot.h"
#include "ring/intern.h"
#include "signals/asyncio/await.h"
#include "signals/asyncio/contexts.h"
#include "signals/asyncio/identity.h"
#include "signals/asyncio/locks.h"
#include "signals/asyncio/running.h"
#include "signals/asyncio/unasked.h"
#include "signals/locks/queues.h"
#include "signals/watched.h"

/* The program's coroutine in the one that the calling uvloop.run() has put around it, borrowed; NULL: not found. */
static PyObject *wrapped_by_caller(void)
{
    const compat_frame *at = compat_running_frame();
    while (at && (PyObject *)compat_frame_code(at) != identity.wrapping)
        at = compat_frame_caller(at);
    PyObject *first = at ? compat_frame_local(at, 0) : NULL;
    return first && PyCell_Check(first) ? PyCell_GET(first) : first;
}

static HOT uint32_t function_of(PyObject *coro)
{
    int is_wrapper = identity.wrapper && coro && PyCoro_CheckExact(coro) &&
                     (PyObject *)compat_gen_code(coro) == identity.wrapper;
    PyObject *begun = is_wrapper ? await_next(coro) : NULL;
    PyObject *inner = is_wrapper && !begun ? Py_XNewRef(wrapped_by_caller()) : begun;
    uint32_t func = identity_function(inner ? inner : coro);
    Py_XDECREF(inner);
    return func;
}

/* Writes the task to the trace, if it is new, and returns its id; 0 when memory is short. Returns an id
 * and not a known_task, because reading a name may run the program's code, which may stop the recording. */
static HOT_ALONE uint32_t introduce(thread_buffer *b, uint64_t tick, PyObject *task, enum task_origin origin)
{
    PyObject *coro = identity_read(task, FIELD_CORO);
    PyObject *loop = identity_read(task, FIELD_LOOP);
    uint32_t func = function_of(coro);
    uint32_t loop_id = identity_loop_id(loop);
    Py_XDECREF(coro);
    Py_XDECREF(loop);
    uint32_t id = ++identity.next_task;
    if (!identity_enroll(task, id, func))
        return 0;
    PyObject *name = identity_name(task);
    ring_emit(b, tick, REC_TASK_NEW, (uint8_t)origin, id, func, loop_id);
    identity_emit_name(b, id, name);
    Py_XDECREF(name);
    return id;
}

/* What hooks need to know of a task; a copy, since its end may come meanwhile. All 0: it has not been introduced. */
static HOT known_task known_as(PyObject *task)
{
    compat_lock(&identity_guard);
    const known_task *known = identity_find(task);
    known_task copy = known ? *known : (known_task){0};
    compat_unlock(&identity_guard);
    return copy;
}

static HOT uint32_t known_id(PyObject *task)
{
    compat_lock(&identity_guard);
    const known_task *known = identity_find(task);
    uint32_t id = known ? known->id : 0;
    compat_unlock(&identity_guard);
    return id;
}

/* When a wait for a lock or the like is over, the awaited future is passed to the task's wake-up: whether
 * that future was cancelled. Checked once per wait. */
static int is_cancelled_wait(PyObject *task, PyObject *future)
{
    known_task *known = identity_find(task);
    if (!known)
        return 0;
    known->awaits_lock = 0;
    PyObject *state = future ? PyObject_GetAttr(future, identity.field_strings[FIELD_STATE]) : NULL;
    PyErr_Clear();
    int cancelled = state && identity_same_text(state, identity.cancelled);
    Py_XDECREF(state);
    return cancelled;
}

/* --- steps --- */

HOT void tasks_ready(thread_buffer *b, uint64_t tick, PyObject *task, PyObject *future)
{
    if (running_readies_itself(b, task))
        return;
    PyCodeObject *called;
    uint32_t stack = stacks_capture_within(contexts_tstate(b), &watched_runners, b->loop_caller, &called);
    contexts_name(b, called);
    const known_task known = known_as(task);
    uint32_t id = known.id ? known.id : introduce(b, tick, task, future ? ORIGIN_ADOPTED : ORIGIN_CREATED);
    if (!id)
        return;
    uint8_t flag = known.awaits_lock && is_cancelled_wait(task, future) ? READY_CANCELLED : 0;
    held_ready(b, tick, flag, id, stacks_named(stack));
}

HOT void tasks_callback_ready(thread_buffer *b, uint64_t tick, const void *handle)
{
    contexts_name(b, NULL);
    ring_emit(b, tick, REC_CB_READY, 0, 0, (uint64_t)(uintptr_t)handle, 0);
}

/* When a timer of asyncio's own loop was due; 0: it is none. */
static HOT uint64_t due_of(PyObject *handle)
{
    uint64_t due_ns = 0;
    if (handle && identity.timer_handle && PyObject_TypeCheck(handle, identity.timer_handle)) {
        PyObject *when = *(PyObject **)((char *)handle + identity.when_offset);
        double seconds = when ? PyFloat_AsDouble(when) : 0.0;
        if (seconds > 0.0)
            due_ns = (uint64_t)(seconds * 1e9);
        PyErr_Clear();
    }
    return due_ns;
}

HOT void tasks_begin_step(thread_buffer *b, PyObject *task)
{
    uint64_t tick = contexts_known(b);
    uint32_t id = known_id(task);
    if (!id) {
        id = introduce(b, tick, task, ORIGIN_ADOPTED);
        tick = clock_tick();
    }
    running_push(b, (step){.object = task, .task = id});
    if (id)
        held_begin_step(b, tick, id);
}

HOT void tasks_begin_scheduled(thread_buffer *b, PyObject *callback, const void *handle, uint64_t due_ns)
{
    PyObject *task = identity_task_of(callback);
    if (task) {
        tasks_begin_step(b, task);
        return;
    }
    const noticed begin = running_noticed(b, contexts_known(b));
    uint32_t func = codes_callable(callback);
    running_callback(b, running_end(b, begin), func, handle, due_ns);
}

HOT void tasks_begin_callback(thread_buffer *b, PyObject *callback)
{
    PyObject *handle = compat_local(PyThreadState_Get(), 0);
    tasks_begin_scheduled(b, callback, handle, due_of(handle));
}

static HOT void end_done(thread_buffer *b, noticed end, PyObject *task, uint32_t id, PyObject *state)
{
    uint8_t outcome = identity_same_text(state, identity.cancelled) ? OUTCOME_CANCELLED : OUTCOME_DONE;
    uint32_t name = 0;
    PyObject *exception = outcome == OUTCOME_DONE ? identity_read(task, FIELD_EXCEPTION) : NULL;
    if (exception && exception != Py_None) {
        outcome = OUTCOME_FAILED;
        name = codes_type_name(exception);
    }
    Py_XDECREF(exception);
    ring_emit(b, running_end(b, end), REC_STEP_DONE, outcome, id, name, 0);
    known_task *known = identity_find(task);
    if (known)
        identity_dismiss(known);
    if (outcome == OUTCOME_FAILED)
        unasked_failed(task, id, name);
}

static void end_await_of_lock(thread_buffer *b, noticed end, PyObject *task, uint32_t id, const await_facts *facts)
{
    await_lock lock;
    async_locks_wait(b, facts, &lock);
    Py_DECREF(facts->lock);
    known_task *known = identity_find(task);
    if (known) {
        known->awaits_lock = 1;
        known->await_site = facts->site;
    }
    uint64_t tick = running_end(b, end);
    await_emit(b, tick, id, facts, &lock);
    queues_look(b, tick);
}

static inline void end_await(thread_buffer *b, noticed end, PyObject *task, uint32_t id, PyObject *waiter)
{
    await_facts facts;
    PyObject *coro = identity_take(task, FIELD_CORO);
    await_describe(coro, waiter, &facts);
    Py_XDECREF(coro);
    if (facts.lock) {
        end_await_of_lock(b, end, task, id, &facts);
        return;
    }
    uint64_t tick = running_end(b, end);
    await_emit_plain(b, tick, id, &facts);
    queues_look(b, tick);
}

/* Takes the id, not the known task: reading a field may run the program's code, which may stop the
 * recording. */
static HOT_ALONE void end_task(thread_buffer *b, noticed end, PyObject *task, uint32_t id)
{
    PyObject *waiter = identity_take(task, FIELD_WAITER);
    if (waiter && waiter != Py_None) {
        end_await(b, end, task, id, waiter);
    } else {
        PyObject *state = identity_read(task, FIELD_STATE);
        if (identity_same_text(state, identity.pending))
            held_end_step(b, running_end(b, end), REC_STEP_YIELD, id, 0, 0);
        else
            end_done(b, end, task, id, state);
        Py_XDECREF(state);
    }
    Py_XDECREF(waiter);
}

/* Ends the eager steps of pure-Python tasks inside that of `task` that SystemExit or the like has left: no
 * event reports that. */
static void drop_raised(thread_buffer *b, noticed end, const PyObject *task)
{
    for (const step *top = running_top(b); top && top->kind == STEP_EAGER && top->object != task; top = running_top(b)) {
        const step left = *top;
        b->depth--;
        PyObject *raised = (PyObject *)(uintptr_t)left.object;
        if (known_id(raised) == left.task) /* else it has died: do not follow the address */
            end_task(b, end, raised, left.task);
    }
}

/* Whatever is the innermost step. */
static HOT_ALONE void end_any_step(thread_buffer *b, uint64_t tick, PyObject *task)
{
    const noticed end = running_noticed(b, tick);
    const step *top = running_top(b);
    if (top && top->kind == STEP_EAGER) {
        drop_raised(b, end, NULL);
        top = running_top(b);
    }
    step left = {0};
    if (top)
        left = *top;
    if (b->depth)
        b->depth--;
    if (left.readied_itself)
        ring_emit(b, running_end(b, end), REC_STEP_YIELD, 0, left.task, 0, 0);
    else if (!task)
        ring_emit(b, running_end(b, end), REC_CB_END, 0, 0, 0, 0);
    else if (left.object == task ? left.task : (left.task = known_id(task)))
        end_task(b, end, task, left.task);
}

HOT void tasks_end_step(thread_buffer *b, uint64_t tick, PyObject *task)
{
    const step *top = running_top(b);
    if (!top || !task || top->object != task || !top->task || top->kind == STEP_EAGER) {
        end_any_step(b, tick, task);
        return;
    }
    b->depth--;
    if (top->readied_itself)
        held_end_step(b, tick, REC_STEP_YIELD, top->task, 0, 0);
    else
        end_task(b, running_noticed(b, tick), task, top->task);
}

HOT void tasks_end_callback(thread_buffer *b, uint64_t tick, PyObject *callback)
{
    tasks_end_step(b, tick, identity_task_of(callback));
}

HOT_DATA _Atomic int tasks_adopting;

void tasks_end_adopted(thread_buffer *b, uint64_t tick)
{
    if (!b->is_adopting)
        return;
    const noticed end = running_noticed(b, tick);
    drop_raised(b, end, NULL);
    step *top = running_top(b);
    if (!top || top->kind != STEP_ADOPTED)
        return;
    tasks_adopting--;
    b->is_adopting = 0;
    b->depth--;
    PyObject *task = (PyObject *)(uintptr_t)top->object;
    if (!task)
        ring_emit(b, running_end(b, end), REC_CB_END, 0, 0, 0, 0);
    else if (top->readied_itself)
        ring_emit(b, running_end(b, end), REC_STEP_YIELD, 0, top->task, 0, 0);
    else if (identity_find(task)) /* else it has died: do not follow the address */
        end_task(b, end, task, top->task);
}

static int is_awaitable(PyObject *coro)
{
    return coro && Py_TYPE(coro)->tp_as_async && Py_TYPE(coro)->tp_as_async->am_await;
}

/* Another thread's loop runs its own steps meanwhile, so the first step of its task is not recorded: see adopt(). */
HOT void tasks_on_eager_begin(thread_buffer *b, PyObject *task, eager_parts parts)
{
    if (!b->loop || parts.loop != b->loop || !is_awaitable(parts.coro) || known_id(task))
        return;
    uint32_t id = ++identity.next_task, func = function_of(parts.coro);
    known_task *known = identity_enroll(task, id, func);
    if (!known)
        return;
    known->is_starting = 1;
    ring_emit(b, clock_tick(), REC_TASK_NEW, ORIGIN_EAGER, id, func, b->loop);
    identity_emit_name(b, id, parts.name);
    running_push(b, (step){.object = task, .task = id, .kind = STEP_EAGER});
    ring_emit(b, clock_tick(), REC_STEP_BEGIN, 0, id, 0, 0);
}

/* A task that could not be created, or whose first step raised SystemExit or the like. */
static COLD void end_raised(thread_buffer *b, noticed end, PyObject *task, uint32_t id, PyObject *raised)
{
    PyObject *state = identity_read(task, FIELD_STATE);
    if (state && !identity_same_text(state, identity.pending)) {
        end_done(b, end, task, id, state);
    } else {
        ring_emit(b, running_end(b, end), REC_STEP_DONE, OUTCOME_FAILED, id, codes_type_name(raised), 0);
        known_task *known = identity_find(task);
        if (known)
            identity_dismiss(known);
    }
    Py_XDECREF(state);
}

/* A loop on another thread may be in the middle of one of the task's steps. */
static int runs_elsewhere(PyObject *task)
{
    PyObject *loop = identity_read(task, FIELD_LOOP);
    PyObject *current = loop && identity.current_task ? PyObject_CallOneArg(identity.current_task, loop) : NULL;
    PyErr_Clear();
    Py_XDECREF(loop);
    Py_XDECREF(current);
    return current == task;
}

void tasks_adopt_state(thread_buffer *b, PyObject *task)
{
    uint32_t id = identity_id(task);
    PyObject *waiter = id ? identity_read(task, FIELD_WAITER) : NULL;
    const noticed now = running_noticed(b, clock_tick());
    if (waiter && waiter != Py_None)
        end_await(b, now, task, id, waiter);
    else if (id && !runs_elsewhere(task))
        ring_emit(b, clock_tick(), REC_READY, READY_BY_NOBODY, id, 0, 0);
    Py_XDECREF(waiter);
}

static int awaits(PyObject *task)
{
    PyObject *waiter = identity_read(task, FIELD_WAITER);
    Py_XDECREF(waiter);
    return waiter && waiter != Py_None;
}

HOT void tasks_on_made(thread_buffer *b, uint64_t tick, PyObject *task, PyObject *raised)
{
    known_task *known = identity_find(task);
    if (!known || !known->is_starting) {
        if (!known && !raised && awaits(task) && introduce(b, tick, task, ORIGIN_ADOPTED))
            tasks_adopt_state(b, task);
        return;
    }
    known->is_starting = 0;
    uint32_t id = known->id;
    noticed end = running_noticed(b, tick);
    drop_raised(b, end, task);
    const step *top = running_top(b);
    int readied_itself = top && top->readied_itself;
    b->depth--;
    PyObject *name = identity_name(task);
    tick = running_end(b, end);
    identity_emit_name(b, id, name);
    Py_XDECREF(name);
    end = running_noticed(b, tick);
    if (raised)
        end_raised(b, end, task, id, raised);
    else if (readied_itself)
        ring_emit(b, tick, REC_STEP_YIELD, 0, id, 0, 0);
    else
        end_task(b, end, task, id);
}

int tasks_adopt(thread_buffer *b, PyObject *task)
{
    PyObject *state = identity_is_task(task) && !identity_id(task) ? identity_read(task, FIELD_STATE) : NULL;
    int is_new = state && identity_same_text(state, identity.pending) &&
                 introduce(b, clock_tick(), task, ORIGIN_ADOPTED);
    Py_XDECREF(state);
    return is_new;
}

static void push_adopted(thread_buffer *b, PyObject *task, uint32_t id)
{
    tasks_adopting++;
    b->is_adopting = 1;
    running_push(b, (step){.object = task, .task = id, .kind = STEP_ADOPTED});
}

void tasks_adopt_running(thread_buffer *b, PyObject *task)
{
    uint32_t known = identity_id(task);
    uint32_t id = known ? known : introduce(b, clock_tick(), task, ORIGIN_ADOPTED);
    if (!id)
        return;
    push_adopted(b, task, id);
    ring_emit(b, clock_tick(), REC_STEP_BEGIN, 0, id, 0, 0);
}

void tasks_adopt_called(thread_buffer *b, uint32_t func)
{
    push_adopted(b, NULL, 0);
    ring_emit(b, clock_tick(), REC_CB_BEGIN, CALLED_BY_NOBODY, func, (uint64_t)(uintptr_t)b, 0);
}

PyDoc_STRVAR(wrapper_doc, "watch_wrapper(function, wrapper)\n\n"
"Codes: a task of `wrapper` is called by the coroutine that `function` was given first.");

static PyObject *watch_wrapper(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *function, *wrapper;
    if (!PyArg_ParseTuple(args, "O!O!", &PyCode_Type, &function, &PyCode_Type, &wrapper))
        return NULL;
    Py_XSETREF(identity.wrapping, Py_NewRef(function));
    Py_XSETREF(identity.wrapper, Py_NewRef(wrapper));
    Py_RETURN_NONE;
}

PyMethodDef tasks_methods[] = {
    {"watch_wrapper", watch_wrapper, METH_VARARGS, wrapper_doc},
    {NULL, NULL, 0, NULL},
};
