/* trio: its runs, the steps of their tasks, and who wakes whom.
 *
 * trio's run is a generator that steps each task by `task.context.run`, queues those that are ready in
 * Runner.reschedule and waits in get_events of its I/O manager, which stands for the loop here. A run may be a guest of another loop, or begin
 * in a step of one: so its records name it. Its two tasks of its own (`init` and the entry queue's) are not shown: they
 * are the loop's work, and what the entry queue calls are callbacks. */
#include "signals/trio/trio.h"

#include "python/codes.h"
#include "python/stacks.h"
#include "ring/intern.h"
#include "signals/asyncio/await.h"
#include "signals/asyncio/identity.h"
#include "signals/asyncio/locks.h"
#include "signals/asyncio/running.h"
#include "signals/locks/queues.h"
#include "signals/watched.h"

enum { NS_PER_S = 1000000000, GROUP_DEPTH = 8 };

/* What trio.py has found. References; NULL: trio is not watched. */
static struct {
    PyObject *waits, *detaches, *error, *cancelled, *clock, *placeholder; /* types */
    PyObject *run, *init, *entry, *process_events, *expire;        /* codes */
} types;

/* Where these slots are in their objects … */
static Py_ssize_t at_name, at_runner, at_nursery, at_send, at_io, at_main, at_main_outcome, at_clock, at_offset;
/* … and these variables in their frames. */
static int task_of_run, deadline_of_expire;

static PyObject *str_parent, *str_error, *str_exceptions;
static uint32_t text_wait;

static PyObject *slot(const void *object, Py_ssize_t offset)
{
    return *(PyObject *const *)((const char *)object + offset);
}

static PyObject *local(int index)
{
    return compat_local(PyThreadState_Get(), index);
}

static int is_task(PyObject *object)
{
    return object && identity.trio_task && Py_IS_TYPE(object, identity.trio_task);
}

static uint32_t loop_of(PyObject *io_manager)
{
    return identity_loop_of(io_manager, LOOP_TRIO);
}

/* --- tasks --- */

static int is_hidden(PyObject *coro)
{
    PyObject *code = coro && PyCoro_CheckExact(coro) ? (PyObject *)compat_gen_code(coro) : NULL;
    return code && (code == types.init || code == types.entry);
}

static uint32_t parent_of(PyObject *task)
{
    PyObject *nursery = slot(task, at_nursery);
    PyObject *parent = nursery && nursery != Py_None ? PyObject_GetAttr(nursery, str_parent) : NULL;
    const known_task *known = parent ? identity_find(parent) : NULL;
    Py_XDECREF(parent);
    PyErr_Clear();
    return known ? known->id : 0;
}

/* NULL: it is not shown, or memory is short. */
static known_task *introduce(thread_buffer *b, uint64_t tick, PyObject *task, enum task_origin origin)
{
    PyObject *coro = slot(task, identity.trio_coro), *runner = slot(task, at_runner);
    if (!coro || !runner || is_hidden(coro))
        return NULL;
    uint32_t func = identity_function(coro), id = ++identity.next_task;
    known_task *known = identity_enroll(task, id, func);
    if (!known)
        return NULL;
    known->loop = loop_of(slot(runner, at_io));
    ring_emit(b, tick, REC_TASK_NEW, (uint8_t)origin, id, (uint64_t)parent_of(task) << 32 | func, known->loop);
    identity_emit_name(b, id, slot(task, at_name));
    return known;
}

static known_task *find(PyObject *task)
{
    compat_lock(&identity_guard);
    known_task *known = identity_find(task);
    compat_unlock(&identity_guard);
    return known;
}

/* --- steps --- */

/* The steps inside that of `task` have been left by exceptions; with it, they end. Returns 0 if it has none. */
static int leave(thread_buffer *b, const void *task)
{
    uint32_t depth = b->depth < STEP_DEPTH ? b->depth : STEP_DEPTH;
    while (depth && !(b->steps[depth - 1].kind == STEP_TRIO && b->steps[depth - 1].object == task))
        depth--;
    if (depth)
        b->depth = depth - 1;
    return depth != 0;
}

static void end_await(thread_buffer *b, uint64_t tick, PyObject *task, known_task *known)
{
    const noticed end = running_noticed(b, tick);
    const uint32_t id = known->id;
    await_facts facts;
    await_lock lock;
    await_describe(slot(task, identity.trio_coro), NULL, &facts);
    if (facts.stand_in)
        identity_stand_in(known, facts.stand_in);
    if (!facts.what)
        facts.what = text_wait;
    if (facts.lock) {
        known->awaits_lock = 1;
        known->await_site = facts.site;
        async_locks_wait(b, &facts, &lock);
        Py_DECREF(facts.lock);
    }
    await_emit(b, running_end(b, end), id, &facts, facts.lock ? &lock : NULL);
    queues_look(b, tick);
}

/* Ends a step whose end no hook has seen, because the recording began inside it; or, if `is_over`, any. */
static void settle(thread_buffer *b, uint64_t tick, int is_over)
{
    const step *top = running_top(b);
    if (!top || top->kind != STEP_TRIO || !top->task)
        return;
    PyObject *task = (PyObject *)(uintptr_t)top->object;
    known_task *known = find(task);
    PyObject *coro = known && known->id == top->task ? slot(task, identity.trio_coro) : NULL;
    if (coro && PyCoro_CheckExact(coro) && compat_gen_is_suspended(coro)) {
        b->depth--;
        end_await(b, tick, task, known);
    } else if (is_over) {
        ring_emit(b, tick, REC_STEP_YIELD, 0, top->task, 0, 0);
        b->depth--;
    }
}

void trio_begin_step(thread_buffer *b)
{
    PyObject *task = local(task_of_run);
    if (!is_task(task))
        return;
    uint64_t tick = clock_tick();
    settle(b, tick, 1);
    known_task *known = find(task);
    if (!known && !(known = introduce(b, tick, task, ORIGIN_ADOPTED)))
        return;
    known->has_yielded = 0;
    running_push(b, (step){.object = task, .task = known->id, .kind = STEP_TRIO});
    ring_emit(b, clock_tick(), REC_STEP_BEGIN, 0, known->id, known->loop, 0);
}

/* A task that ends yields no message; see trio_on_exit(). */
void trio_end_step(thread_buffer *b, uint64_t tick, PyObject *message)
{
    PyObject *task = local(task_of_run);
    known_task *known = is_task(task) ? find(task) : NULL;
    if (!known || (PyObject *)Py_TYPE(message) == types.detaches || !leave(b, task))
        return;
    if ((PyObject *)Py_TYPE(message) == types.waits) {
        end_await(b, tick, task, known);
    } else {
        known->has_yielded = 1;
        ring_emit(b, tick, REC_STEP_YIELD, 0, known->id, 0, 0);
    }
}

/* A limiter gives a token to whoever is named, or has none: to_thread names an object of its own. Its task lets others
 * run before it waits for the job, and those may want a token then. */
void trio_on_borrow(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    const step *top = running_top(b);
    PyObject *borrower = local(1);
    int is_jobs = borrower && (PyObject *)Py_TYPE(borrower) == types.placeholder && top && top->kind == STEP_TRIO;
    known_task *known = is_jobs && top->object ? find((PyObject *)(uintptr_t)top->object) : NULL;
    if (known)
        identity_stand_in(known, borrower);
}

/* Whether it is trio's Cancelled, or a group of nothing else. */
static int is_cancelled(PyObject *exception, int depth)
{
    if (PyErr_GivenExceptionMatches(exception, types.cancelled))
        return 1;
    if (depth == GROUP_DEPTH || !PyErr_GivenExceptionMatches(exception, PyExc_BaseExceptionGroup))
        return 0;
    PyObject *inside = PyObject_GetAttr(exception, str_exceptions);
    int all = inside && PyTuple_Check(inside);
    for (Py_ssize_t i = 0; all && i < PyTuple_GET_SIZE(inside); i++)
        all = is_cancelled(PyTuple_GET_ITEM(inside, i), depth + 1);
    Py_XDECREF(inside);
    PyErr_Clear();
    return all;
}

/* Runner.task_exited has returned: what it woke, its task did. */
void trio_on_exit(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)value;
    PyObject *runner = local(0), *task = local(1), *outcome = local(2);
    known_task *known = is_task(task) ? find(task) : NULL;
    if (!known)
        return;
    if (runner && slot(runner, at_main) == task) /* the run keeps how it ended */
        outcome = slot(runner, at_main_outcome);
    uint32_t name = 0;
    uint8_t how = OUTCOME_DONE;
    PyObject *raised = outcome && (PyObject *)Py_TYPE(outcome) == types.error ? PyObject_GetAttr(outcome, str_error) : NULL;
    if (raised && is_cancelled(raised, 0)) {
        how = OUTCOME_CANCELLED;
    } else if (raised) {
        how = OUTCOME_FAILED;
        name = codes_type_name(raised);
    }
    Py_XDECREF(raised);
    PyErr_Clear();
    leave(b, task);
    ring_emit(b, tick, REC_STEP_DONE, how, known->id, name, 0);
    identity_dismiss(known);
}

/* --- who wakes whom --- */

/* When a deadline is due, on the clock of the trace; 0: unknown, since the program has a clock of its own. */
static uint64_t due_of(PyObject *runner, PyObject *deadline)
{
    PyObject *clock = slot(runner, at_clock);
    PyObject *offset = clock && (PyObject *)Py_TYPE(clock) == types.clock ? slot(clock, at_offset) : NULL;
    if (!offset || !PyFloat_Check(offset) || !deadline || !PyFloat_Check(deadline))
        return 0;
    double seconds = PyFloat_AS_DOUBLE(deadline) - PyFloat_AS_DOUBLE(offset);
    return seconds > 0.0 ? (uint64_t)(seconds * NS_PER_S) : 0;
}

/* What made a task ready, where none of trio's steps is running: whether trio's run itself did, and then why. */
static uint8_t cause_outside(PyObject *runner, uint64_t *due_ns)
{
    uint8_t cause = READY_BY_NOBODY;
    for (const compat_frame *at = compat_running_frame(); at; at = compat_frame_caller(at)) {
        PyObject *code = (PyObject *)compat_frame_code(at);
        if (code && code == types.run)
            return cause;
        if (code && code == types.process_events)
            cause = READY_BY_IO;
        if (code && code == types.expire) {
            cause = READY_BY_TIMER;
            *due_ns = due_of(runner, compat_frame_local(at, deadline_of_expire));
        }
    }
    return 0;
}

void trio_on_ready(thread_buffer *b, uint64_t tick, PyObject *task)
{
    PyObject *runner = local(0), *sent = local(2);
    if (!runner)
        return;
    known_task *known = find(task);
    if (known && known->has_yielded) {
        known->has_yielded = 0;
        return;
    }
    const step *top = running_top(b);
    if (top && top->kind == STEP_TRIO && top->object == task && compat_gen_is_suspended(slot(task, identity.trio_coro))) {
        ring_emit(b, tick, REC_STEP_YIELD, 0, top->task, 0, 0); /* of a step whose end no hook has seen */
        b->depth--;
        return;
    }
    settle(b, tick, 0);
    if (!known && !(known = introduce(b, tick, task, ORIGIN_CREATED)))
        return;
    top = running_top(b);
    uint64_t due_ns = 0;
    uint8_t flag = top && top->kind == STEP_TRIO ? 0 : cause_outside(runner, &due_ns);
    if (known->awaits_lock && sent && (PyObject *)Py_TYPE(sent) == types.error)
        flag |= READY_CANCELLED;
    known->awaits_lock = 0;
    PyCodeObject *called;
    uint32_t stack = stacks_capture_within(PyThreadState_Get(), &watched_runners, b->loop_caller, &called);
    ring_emit(b, tick, REC_READY, flag, known->id, stacks_named(stack), due_ns);
}

/* An attempt to cancel what `task` waits for, which is made once a wait: where it did not make the task ready, the wait
 * goes on, as one for a thread that is not abandoned. */
void trio_on_abort(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)value;
    PyObject *task = local(0);
    known_task *known = is_task(task) ? find(task) : NULL;
    PyObject *send = known ? slot(task, at_send) : NULL;
    if (known && (!send || send == Py_None))
        ring_emit(b, tick, REC_TASK_TOLD, TOLD_REFUSED, known->id, 0, 0);
}

/* --- runs --- */

void trio_on_run(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    PyObject *runner = local(0);
    if (runner && identity.trio_task)
        ring_emit(b, clock_tick(), REC_LOOP_RUN, 1, loop_of(slot(runner, at_io)), 0, 0);
}

void trio_on_close(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)value;
    PyObject *runner = local(0);
    if (!runner || !identity.trio_task)
        return;
    settle(b, tick, 1);
    uint32_t loop = loop_of(slot(runner, at_io));
    ring_emit(b, tick, REC_LOOP_STOP, 1, loop, 0, 0);
    ring_emit(b, tick, REC_LOOP_CLOSED, 0, loop, 0, 0);
}

/* A guest's run is polled by a thread of its own. A poll with a time-out of 0 does not wait. */
uint32_t trio_on_poll(thread_buffer *b, int *waits)
{
    PyObject *io_manager = local(0), *timeout = local(1);
    if (!identity.trio_task || !io_manager)
        return 0;
    uint32_t loop = loop_of(io_manager);
    double seconds = timeout ? PyFloat_AsDouble(timeout) : 0.0;
    PyErr_Clear();
    settle(b, clock_tick(), 1);
    *waits = seconds > 0.0;
    if (*waits)
        ring_emit(b, clock_tick(), REC_POLL_BEGIN, 0, loop, 0, 0);
    return loop;
}

void trio_on_polled(thread_buffer *b, uint32_t loop, int waits)
{
    ring_emit(b, clock_tick(), waits ? REC_POLL_END : REC_POLL_INSTANT, 0, loop, 0, 0);
}

/* --- callbacks --- */

/* The same callback may be waiting twice, but only without arguments. */
static uint64_t handle_of(const PyObject *function, const PyObject *args)
{
    int is_alone = !args || !PyTuple_Check(args) || !PyTuple_GET_SIZE(args);
    return (uint64_t)(uintptr_t)(is_alone ? function : args) | 1; /* asyncio's handles have even addresses */
}

void trio_on_submit(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    PyObject *function = local(1), *args = local(3);
    if (function)
        ring_emit(b, clock_tick(), REC_CB_READY, 0, 0, handle_of(function, args), 0);
}

void trio_on_callback(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    const compat_frame *at = compat_running_frame();
    PyObject *job = compat_frame_local(at, 0), *runner = NULL;
    for (; at && !runner; at = compat_frame_caller(at))
        if ((PyObject *)compat_frame_code(at) == types.run && types.run)
            runner = compat_frame_local(at, 0);
    if (!runner || !job || !PyTuple_Check(job) || PyTuple_GET_SIZE(job) != 2)
        return;
    PyObject *function = PyTuple_GET_ITEM(job, 0);
    uint32_t func = codes_callable(function);
    running_push(b, (step){.kind = STEP_TRIO});
    ring_emit(b, clock_tick(), REC_CB_BEGIN, 0, func, handle_of(function, PyTuple_GET_ITEM(job, 1)),
              loop_of(slot(runner, at_io)));
}

void trio_on_called(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)value;
    if (leave(b, NULL))
        ring_emit(b, tick, REC_CB_END, 0, 0, 0, 0);
}

/* --- set-up --- */

static int take(PyObject *facts, const char *name, PyObject **place, PyTypeObject *type)
{
    PyObject *found = PyDict_GetItemString(facts, name);
    if (!found || !PyObject_TypeCheck(found, type)) {
        PyErr_Format(PyExc_RuntimeError, "this version of trio is not known: it has no %s", name);
        return -1;
    }
    Py_XSETREF(*place, Py_NewRef(found));
    return 0;
}

static int take_slot(PyObject *facts, const char *type, const char *name, Py_ssize_t *offset)
{
    PyObject *found = PyDict_GetItemString(facts, type);
    *offset = found ? identity_slot(found, name) : -1;
    if (*offset < 0 && !PyErr_Occurred())
        PyErr_Format(PyExc_RuntimeError, "this version of trio is not known: %s has no %s", type, name);
    return *offset < 0 ? -1 : 0;
}

static int take_number(PyObject *facts, const char *name, int *number)
{
    PyObject *found = PyDict_GetItemString(facts, name);
    *number = found ? (int)PyLong_AsLong(found) : -1;
    if (*number < 0 && !PyErr_Occurred())
        PyErr_Format(PyExc_RuntimeError, "this version of trio is not known: it has no %s", name);
    return *number < 0 ? -1 : 0;
}

static int take_types(PyObject *facts)
{
    return take(facts, "task", (PyObject **)&identity.trio_task, &PyType_Type) || take(facts, "waits", &types.waits, &PyType_Type) ||
           take(facts, "detaches", &types.detaches, &PyType_Type) || take(facts, "error", &types.error, &PyType_Type) ||
           take(facts, "cancelled", &types.cancelled, &PyType_Type) || take(facts, "clock", &types.clock, &PyType_Type) ||
           take(facts, "placeholder", &types.placeholder, &PyType_Type) ||
           take(facts, "run", &types.run, &PyCode_Type) || take(facts, "init", &types.init, &PyCode_Type) ||
           take(facts, "entry", &types.entry, &PyCode_Type) || take(facts, "expire", &types.expire, &PyCode_Type) ||
           take(facts, "process_events", &types.process_events, &PyCode_Type);
}

static int take_places(PyObject *facts)
{
    return take_slot(facts, "task", "coro", &identity.trio_coro) || take_slot(facts, "task", "name", &at_name) ||
           take_slot(facts, "task", "_runner", &at_runner) || take_slot(facts, "task", "_parent_nursery", &at_nursery) ||
           take_slot(facts, "task", "_next_send_fn", &at_send) || take_slot(facts, "runner", "io_manager", &at_io) ||
           take_slot(facts, "runner", "main_task", &at_main) ||
           take_slot(facts, "runner", "main_task_outcome", &at_main_outcome) ||
           take_slot(facts, "runner", "clock", &at_clock) || take_slot(facts, "clock", "offset", &at_offset) ||
           take_number(facts, "task_of_run", &task_of_run) ||
           take_number(facts, "deadline_of_expire", &deadline_of_expire);
}

int trio_setup(PyObject *facts)
{
    if (!str_parent) {
        str_parent = PyUnicode_InternFromString("_parent_task");
        str_error = PyUnicode_InternFromString("error");
        str_exceptions = PyUnicode_InternFromString("exceptions");
    }
    text_wait = intern_string("await wait_task_rescheduled", 27);
    if (str_parent && str_error && str_exceptions && !take_types(facts) && !take_places(facts))
        return 0;
    trio_forget();
    return -1;
}

void trio_forget(void)
{
    PyObject **all[] = {&types.waits, &types.detaches, &types.error, &types.cancelled, &types.clock, &types.placeholder,
                        &types.run, &types.init, &types.entry, &types.process_events, &types.expire};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        Py_CLEAR(*all[i]);
    Py_CLEAR(identity.trio_task);
}

PyDoc_STRVAR(adopt_doc, "adopt_trio(runner, tasks, current)\n\n"
"The calling thread is inside `runner`'s run; `tasks` are there already, and `current` is running, or None.");

static PyObject *adopt_trio(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *runner, *tasks, *current;
    if (!PyArg_ParseTuple(args, "OO!O", &runner, &PyList_Type, &tasks, &current))
        return NULL;
    thread_buffer *b = identity.trio_task ? ring_current() : NULL;
    if (!b)
        Py_RETURN_NONE;
    ring_emit(b, clock_tick(), REC_LOOP_RUN, 1, loop_of(slot(runner, at_io)), 0, 0);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(tasks); i++) {
        PyObject *task = PyList_GET_ITEM(tasks, i);
        known_task *known = is_task(task) && !find(task) ? introduce(b, clock_tick(), task, ORIGIN_ADOPTED) : NULL;
        if (!known)
            continue;
        PyObject *send = slot(task, at_send);
        if (task == current) {
            running_push(b, (step){.object = task, .task = known->id, .kind = STEP_TRIO});
            ring_emit(b, clock_tick(), REC_STEP_BEGIN, 0, known->id, known->loop, 0);
        } else if (send && send != Py_None) {
            ring_emit(b, clock_tick(), REC_READY, READY_BY_NOBODY, known->id, 0, 0);
        } else {
            end_await(b, clock_tick(), task, known);
        }
    }
    Py_RETURN_NONE;
}

PyMethodDef trio_methods[] = {
    {"adopt_trio", adopt_trio, METH_VARARGS, adopt_doc},
    {NULL, NULL, 0, NULL},
};
