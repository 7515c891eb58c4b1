/* Twisted's coroutines: the functions of inlineCallbacks, and those in ensureDeferred.
 *
 * All are gone on with by _inlineCallbacks(result, gen, status, …), in whatever calls the Deferred back that they wait for:
 * so their steps are nested in each other and in callbacks, as eager ones are. The status is made once a coroutine and
 * stands for it. What it waits for, a Deferred says: its canceller is a method of the lock or queue that has made it. */
#include "signals/twisted/deferreds.h"

#include "python/codes.h"
#include "python/plain.h"
#include "python/stacks.h"
#include "ring/intern.h"
#include "signals/asyncio/await.h"
#include "signals/asyncio/identity.h"
#include "signals/asyncio/locks.h"
#include "signals/asyncio/permits.h"
#include "signals/asyncio/running.h"
#include "signals/locks/queues.h"
#include "signals/watched.h"

enum { CHAIN_LIMIT = 64, WALKED = 64, NESTED = 16, BETWEEN = 3, CANCELLED = INT32_MAX };
enum { AT_RESULT, AT_GEN, AT_STATUS, AT_GRANTED = 1 }; /* variables of _inlineCallbacks; of release() */

/* What twisted.py has found. References; NULL: Twisted is not watched. */
static struct {
    PyObject *module;  /* stands for the reactor, which may not be there yet */
    PyObject *status, *failure, *lock, *semaphore, *queue, *gathering; /* types */
    PyObject *sleep, *made, *timers, *reads; /* codes: of two cancellers, of what the reactor calls back from, */
    PyObject *step, *errback;                /* … of _inlineCallbacks, and of what it fails with */
    PyObject *cancelled;                     /* type of an exception */
} types;
static int at_finished; /* the variable of _inlineCallbacks that says that it has returned */

static PyObject *str_canceller, *str_called, *str_chained, *str_callbacks, *str_waiting, *str_locked, *str_limit, *str_tokens;
static PyObject *str_value, *str_reactor, *str_loop;
static uint32_t text_future, text_sleep, text_gather, text_lock, text_semaphore, text_queue, text_exception;
static uint32_t kind_lock, kind_semaphore, kind_queue;

static PyObject *local(int index)
{
    return compat_local(PyThreadState_Get(), index);
}

static int is_a(PyObject *object, PyObject *type)
{
    return object && type && PyObject_TypeCheck(object, (PyTypeObject *)type);
}

static int is_running(PyObject *gen)
{
    return gen && (PyGen_CheckExact(gen) || PyCoro_CheckExact(gen));
}

static known_task *find(PyObject *status)
{
    compat_lock(&identity_guard);
    known_task *known = is_a(status, types.status) ? identity_find(status) : NULL;
    compat_unlock(&identity_guard);
    return known;
}

/* The program's line that has called Twisted. */
static uint32_t callers_site(void)
{
    compat_frame *at = *compat_frame_slot(PyThreadState_Get());
    for (int depth = 0; at && depth < WALKED; at = at->previous, depth++) {
        PyCodeObject *code = compat_frame_code(at);
        const code_facts *facts = code ? codes_of(code) : NULL;
        if (facts && !facts->inside_library && !facts->inside_package)
            return codes_line(code, facts, compat_frame_offset(at));
    }
    return 0;
}

/* --- what a Deferred says --- */

static int is_true(PyObject *object, PyObject *name)
{
    PyObject *value = plain_attribute(object, name);
    Py_XDECREF(value);
    return value == Py_True;
}

/* 0: it does not say. */
static uint32_t number_of(PyObject *object, PyObject *name)
{
    PyObject *value = plain_attribute(object, name);
    long number = value && PyLong_CheckExact(value) ? PyLong_AsLong(value) : 0;
    PyErr_Clear();
    Py_XDECREF(value);
    return number > 0 ? (uint32_t)number : 0;
}

/* The Deferred whose result is awaited in the end, as a new reference. */
static PyObject *behind(PyObject *deferred)
{
    PyObject *at = Py_XNewRef(deferred);
    for (int depth = 0; at && depth < CHAIN_LIMIT; depth++) {
        PyObject *next = is_true(at, str_called) ? plain_attribute(at, str_chained) : NULL;
        if (!next || next == Py_None) {
            Py_XDECREF(next);
            break;
        }
        Py_SETREF(at, next);
    }
    return at;
}

static PyObject *code_of(PyObject *function)
{
    return function && PyFunction_Check(function) ? PyFunction_GET_CODE(function) : NULL;
}

/* The status of the coroutine whose result it is, borrowed; NULL: none. */
static PyObject *status_behind(PyObject *canceller)
{
    PyObject *closure = code_of(canceller) == types.made && types.made ? PyFunction_GET_CLOSURE(canceller) : NULL;
    PyObject *cell = closure && PyTuple_GET_SIZE(closure) ? PyTuple_GET_ITEM(closure, 0) : NULL;
    return cell && PyCell_Check(cell) ? PyCell_GET(cell) : NULL;
}

/* --- what it waits for --- */

static void name(await_facts *facts, uint32_t what, uint32_t kind, enum await_primitive primitive, PyObject *of)
{
    facts->what = what;
    facts->kind = kind;
    facts->primitive = (uint8_t)primitive;
    facts->lock = Py_NewRef(of);
}

/* It has a name as soon as another one has to wait for it: its function's. */
static void name_awaited(thread_buffer *b, const known_task *awaited, await_facts *facts)
{
    size_t length;
    const char *text = intern_text(intern_function_of(awaited->func).name, &length);
    ring_emit_text(b, REC_TASK_NAME, 0, awaited->id, text, length, 0);
    facts->awaited = awaited->id;
}

/* What the Deferred stands for. */
static void describe(thread_buffer *b, PyObject *gen, PyObject *deferred, await_facts *facts)
{
    await_describe(gen, NULL, facts);
    PyObject *last = behind(deferred), *canceller = plain_attribute(last, str_canceller);
    PyObject *maker = canceller && PyMethod_Check(canceller) ? PyMethod_GET_SELF(canceller) : NULL;
    facts->what = text_future;
    if (is_a(maker, types.lock)) {
        name(facts, text_lock, kind_lock, PRIMITIVE_LOCK, maker);
    } else if (is_a(maker, types.semaphore)) {
        name(facts, text_semaphore, kind_semaphore, PRIMITIVE_SIGNAL, maker);
        facts->slots = number_of(maker, str_limit);
        facts->holder_count = permits_tell(maker, facts->what, &facts->holders);
    } else if (is_a(maker, types.queue)) {
        name(facts, text_queue, kind_queue, PRIMITIVE_SIGNAL, maker);
    } else if (is_a(last, types.gathering)) {
        facts->what = text_gather;
    } else if (types.sleep && code_of(canceller) == types.sleep) {
        facts->what = text_sleep;
    } else if (canceller) {
        const known_task *awaited = find(status_behind(canceller));
        if (awaited)
            name_awaited(b, awaited, facts);
    }
    if (!await_names_locks)
        Py_CLEAR(facts->lock);
    Py_XDECREF(canceller);
    Py_XDECREF(last);
}

static void end_await(thread_buffer *b, uint64_t tick, PyObject *gen, PyObject *deferred, PyObject *status)
{
    const noticed end = running_noticed(b, tick);
    await_facts facts;
    await_lock lock;
    describe(b, gen, deferred, &facts);
    known_task *known = find(status);
    if (known)
        known->sleeps = facts.what == text_sleep;
    if (known && facts.lock) {
        known->awaits_lock = 1;
        known->await_site = facts.site;
        async_locks_wait(b, &facts, &lock);
        lock.is_held |= facts.primitive == PRIMITIVE_LOCK;
        lock.shown_kind = facts.kind;
    }
    if (known)
        await_emit(b, running_end(b, end), known->id, &facts, facts.lock ? &lock : NULL);
    Py_XDECREF(facts.lock);
    queues_look(b, tick);
}

/* --- steps --- */

/* The reactor's loop: one of asyncio, if it is installed already and says so. */
static uint32_t reactor(void)
{
    PyObject *modules = PySys_GetObject("modules");
    PyObject *installed = modules && PyDict_Check(modules) ? PyDict_GetItemWithError(modules, str_reactor) : NULL;
    PyObject *loop = installed ? plain_attribute(installed, str_loop) : NULL;
    uint32_t id = loop ? identity_loop_id(loop) : identity_loop_of(types.module, LOOP_TWISTED);
    Py_XDECREF(loop);
    PyErr_Clear();
    return id;
}

/* Its first step is not told of before it waits, or something else is to be told of it. */
static known_task *introduce(thread_buffer *b, uint64_t tick, PyObject *gen, PyObject *status)
{
    uint32_t func = identity_function(gen), id = ++identity.next_task;
    known_task *known = identity_enroll(status, id, func);
    if (!known)
        return NULL;
    known->loop = b->loop ? b->loop : reactor();
    ring_emit(b, tick, REC_TASK_NEW, ORIGIN_EAGER, id, func, known->loop);
    ring_emit(b, tick, REC_STEP_BEGIN, 0, id, known->loop, 0);
    return known;
}

/* Tells of those that run on this thread, one inside the other, and have not been told of. */
static void introduce_running(thread_buffer *b)
{
    const compat_frame *found[NESTED];
    int count = 0;
    const step *top = running_top(b);
    const compat_frame *at = top && top->kind == STEP_DEFERRED && !top->task ? compat_running_frame() : NULL;
    while (at && count < NESTED) {
        at = compat_frame_caller(at); /* the first is that of whoever goes on */
        if (!at || (PyObject *)compat_frame_code(at) != types.step)
            continue;
        if (find(compat_frame_local(at, AT_STATUS)))
            break;
        found[count++] = at;
    }
    while (count--) {
        PyObject *status = compat_frame_local(found[count], AT_STATUS), *gen = compat_frame_local(found[count], AT_GEN);
        const known_task *known = is_running(gen) && is_a(status, types.status) ? introduce(b, clock_tick(), gen, status) : NULL;
        for (uint32_t depth = 0; known && depth < b->depth && depth < STEP_DEPTH; depth++)
            if (b->steps[depth].kind == STEP_DEFERRED && b->steps[depth].object == status)
                b->steps[depth].task = known->id;
    }
}

/* Why the reactor itself goes on with it. */
static uint8_t cause_outside(const known_task *known)
{
    for (const compat_frame *at = compat_running_frame(); at; at = compat_frame_caller(at)) {
        PyObject *code = (PyObject *)compat_frame_code(at);
        if (code && code == types.reads)
            return READY_BY_IO;
        if (code && code == types.timers && known->sleeps)
            return READY_BY_TIMER;
    }
    return READY_BY_NOBODY;
}

/* It is ready and goes on in the same moment. */
static void go_on(thread_buffer *b, known_task *known, int gave_up)
{
    introduce_running(b);
    const uint32_t id = known->id, loop = known->loop;
    uint8_t flag = running_top(b) ? 0 : cause_outside(known);
    if (gave_up && known->awaits_lock)
        flag |= READY_CANCELLED;
    known->awaits_lock = 0;
    PyCodeObject *called;
    uint32_t stack = stacks_named(stacks_capture_within(PyThreadState_Get(), &watched_runners, b->loop_caller, &called));
    uint64_t tick = clock_tick();
    ring_emit(b, tick, REC_READY, flag, id, stack, 0);
    ring_emit(b, tick, REC_STEP_BEGIN, 0, id, loop, 0);
}

void deferreds_on_step(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    PyObject *status = local(AT_STATUS);
    if (!is_a(status, types.status))
        return;
    known_task *known = find(status);
    if (known)
        go_on(b, known, is_a(local(AT_RESULT), types.failure));
    running_push(b, (step){.object = status, .task = known ? known->id : 0, .kind = STEP_DEFERRED});
}

/* The steps inside that of `status` have been left by exceptions; with it, they end. Returns 0 if it has none. */
static int leave(thread_buffer *b, const void *status)
{
    uint32_t depth = b->depth < STEP_DEPTH ? b->depth : STEP_DEPTH;
    while (depth && !(b->steps[depth - 1].kind == STEP_DEFERRED && b->steps[depth - 1].object == status))
        depth--;
    int is_deeper = !depth && b->depth > STEP_DEPTH; /* more are nested than are kept: it is the innermost of those */
    if (depth || is_deeper)
        b->depth = (is_deeper ? b->depth : depth) - 1;
    return depth || is_deeper;
}

/* The frame that has called this one, of such code; the interpreter has some of its own in between. */
static const compat_frame *called_by(const compat_frame *frame, PyObject *code)
{
    for (int depth = 0; frame && depth < BETWEEN; depth++) {
        frame = compat_frame_caller(frame);
        if (frame && (PyObject *)compat_frame_code(frame) == code)
            return frame;
    }
    return NULL;
}

/* A Failure is made: that with which _inlineCallbacks ends, before anybody takes it? */
void deferreds_on_failure(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)b, (void)tick, (void)value;
    const compat_frame *made = compat_running_frame();
    const compat_frame *step = called_by(called_by(made, types.errback), types.step);
    known_task *known = step ? find(compat_frame_local(step, AT_STATUS)) : NULL;
    PyObject *raised = known ? plain_attribute(compat_frame_local(made, 0), str_value) : NULL;
    if (raised && PyExceptionInstance_Check(raised))
        known->failure = is_a(raised, types.cancelled) ? CANCELLED : codes_type_name(raised);
    Py_XDECREF(raised);
}

void deferreds_on_stepped(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)value;
    PyObject *gen = local(AT_GEN), *status = local(AT_STATUS);
    if (!is_running(gen) || !is_a(status, types.status) || !leave(b, status))
        return;
    known_task *known = find(status);
    if (compat_gen_is_suspended(gen)) {
        if (known || introduce(b, tick, gen, status))
            end_await(b, tick, gen, local(AT_RESULT), status);
        return;
    }
    if (!known)
        return;
    int is_done = local(at_finished) == Py_True, was_cancelled = known->failure == CANCELLED;
    uint8_t how = is_done ? OUTCOME_DONE : was_cancelled ? OUTCOME_CANCELLED : OUTCOME_FAILED;
    uint32_t failure = how == OUTCOME_FAILED && known->failure ? known->failure : text_exception;
    ring_emit(b, tick, REC_STEP_DONE, how, known->id, how == OUTCOME_FAILED ? failure : 0, 0);
    identity_dismiss(known);
}

/* --- locks and semaphores --- */

static PyObject *item(PyObject *of, Py_ssize_t at, int is_list)
{
    if (!of || (is_list ? !PyList_CheckExact(of) : !PyTuple_CheckExact(of)))
        return NULL;
    Py_ssize_t size = PySequence_Fast_GET_SIZE(of);
    at += at < 0 ? size : 0;
    return at >= 0 && at < size ? PySequence_Fast_GET_ITEM(of, at) : NULL;
}

/* The status and generator that go on in the end when a Deferred has a result, borrowed from it; NULL: none. */
static PyObject *awaiting(PyObject *deferred, PyObject **gen)
{
    PyObject *callbacks = plain_attribute(deferred, str_callbacks), *status = *gen = NULL;
    PyObject *called = item(item(callbacks, -1, 1), 0, 0), *args = item(called, 1, 0), *each;
    for (Py_ssize_t i = 0; (each = item(args, i, 0)); i++) {
        if (is_a(each, types.status))
            status = each;
        else if (is_running(each))
            *gen = each;
    }
    Py_XDECREF(callbacks);
    return status && *gen && compat_gen_is_suspended(*gen) ? status : NULL;
}

void deferreds_on_acquire(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    PyObject *self = local(0);
    int is_lock = is_a(self, types.lock);
    if (is_lock ? is_true(self, str_locked) : !number_of(self, str_tokens))
        return;
    introduce_running(b);
    if (is_lock)
        async_lock_taken(b, self, running_task(b), callers_site());
    else
        permits_take(self, running_task(b));
}

/* The first that waits has it at once. */
void deferreds_on_release(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    PyObject *self = local(0), *gen;
    int is_lock = is_a(self, types.lock);
    if (is_lock ? !async_lock_given(b, self) : !is_a(self, types.semaphore))
        return;
    introduce_running(b);
    PyObject *waiting = plain_attribute(self, str_waiting), *first = item(waiting, 0, 1);
    const known_task *known = first ? find(awaiting(first, &gen)) : NULL;
    if (is_lock && known)
        async_lock_taken(b, self, known->id, known->await_site);
    else if (!is_lock)
        permits_give(self, running_task(b));
    if (first && !is_lock)
        permits_take(self, known ? known->id : 0);
    Py_XDECREF(waiting);
}

/* Whoever has it now waits on where its Deferred has called others, which it waits for from now on. */
void deferreds_on_released(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    PyObject *granted = local(AT_GRANTED), *gen;
    PyObject *status = granted ? awaiting(granted, &gen) : NULL;
    known_task *known = find(status);
    if (!known || !known->awaits_lock)
        return;
    go_on(b, known, 0);
    end_await(b, clock_tick(), gen, granted, status);
}

/* --- the reactor --- */

void deferreds_on_run(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    ring_emit(b, clock_tick(), REC_LOOP_RUN, 1, reactor(), 0, 0);
}

void deferreds_on_ran(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)value;
    ring_emit(b, tick, REC_LOOP_STOP, 1, reactor(), 0, 0);
}

/* It waits for events, and then reads and writes: the thread that waits; NULL: none does. */
static thread_buffer *polling;

static void end_poll(thread_buffer *b, uint64_t tick)
{
    if (polling != b)
        return;
    polling = NULL;
    ring_emit(b, tick, REC_POLL_END, 0, reactor(), 0, 0);
}

void deferreds_on_poll(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    PyObject *timeout = local(1);
    double seconds = timeout && timeout != Py_None ? PyFloat_AsDouble(timeout) : 1.0;
    PyErr_Clear();
    ring_emit(b, clock_tick(), seconds == 0.0 ? REC_POLL_INSTANT : REC_POLL_BEGIN, 0, reactor(), 0, 0);
    polling = seconds == 0.0 ? NULL : b;
}

void deferreds_on_polled(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)value;
    end_poll(b, tick);
}

void deferreds_on_read(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    end_poll(b, clock_tick());
}

/* --- set-up, from signals/loops/twisted.py --- */

static void intern_all(void)
{
    static const struct {
        PyObject **name;
        const char *text;
    } names[] = {{&str_canceller, "_canceller"}, {&str_called, "called"},   {&str_chained, "_chainedTo"},
                 {&str_callbacks, "_callbacks"}, {&str_waiting, "waiting"}, {&str_locked, "locked"}, {&str_limit, "limit"}, {&str_tokens, "tokens"},
                 {&str_value, "value"}, {&str_reactor, "twisted.internet.reactor"}, {&str_loop, "_asyncioEventloop"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!*names[i].name)
            *names[i].name = PyUnicode_InternFromString(names[i].text);
    text_future = intern_string("await future", 12);
    text_sleep = intern_string("await sleep", 11);
    text_gather = intern_string("await gather", 12);
    text_lock = intern_string("await Lock", 10);
    text_semaphore = intern_string("await Semaphore", 15);
    text_queue = intern_string("await Queue.get", 15);
    text_exception = intern_string("Exception", 9);
    kind_lock = intern_string("twisted.DeferredLock", 20);
    kind_semaphore = intern_string("twisted.DeferredSemaphore", 25);
    kind_queue = intern_string("twisted.DeferredQueue", 21);
}

static int take(PyObject *facts, const char *name, PyObject **place)
{
    PyObject *found = PyDict_GetItemString(facts, name);
    if (!found)
        PyErr_Format(PyExc_RuntimeError, "this version of Twisted is not known: it has no %s", name);
    else
        Py_XSETREF(*place, Py_NewRef(found));
    return found ? 0 : -1;
}

PyDoc_STRVAR(setup_doc, "setup_twisted(facts)\n\nModule, types, codes and a variable's number, as deferreds.c lists them.");

static PyObject *setup_twisted(PyObject *module, PyObject *facts)
{
    (void)module;
    PyObject *finished = PyDict_Check(facts) ? PyDict_GetItemString(facts, "at_finished") : NULL;
    at_finished = finished ? (int)PyLong_AsLong(finished) : -1;
    if (at_finished < 0) {
        PyErr_SetString(PyExc_RuntimeError, "this version of Twisted is not known");
        return NULL;
    }
    if (codes_start() < 0 || identity_start() < 0 || take(facts, "module", &types.module) ||
        take(facts, "status", &types.status) || take(facts, "failure", &types.failure) || take(facts, "lock", &types.lock) ||
        take(facts, "semaphore", &types.semaphore) || take(facts, "queue", &types.queue) ||
        take(facts, "gathering", &types.gathering) || take(facts, "cancelled", &types.cancelled) ||
        take(facts, "made", &types.made) || take(facts, "step", &types.step) || take(facts, "errback", &types.errback))
        return NULL;
    intern_all();
    Py_RETURN_NONE;
}

PyDoc_STRVAR(know_doc, "know_twisted(facts)\n\nCodes of other modules of Twisted: `sleep`, `timers`, `reads`, as deferreds.c lists them.");

static PyObject *know_twisted(PyObject *module, PyObject *facts)
{
    (void)module;
    static const struct {
        PyObject **place;
        const char *name;
    } codes[] = {{&types.sleep, "sleep"}, {&types.timers, "timers"}, {&types.reads, "reads"}};
    for (size_t i = 0; PyDict_Check(facts) && i < sizeof codes / sizeof *codes; i++) {
        PyObject *found = PyDict_GetItemString(facts, codes[i].name);
        if (found)
            Py_XSETREF(*codes[i].place, Py_NewRef(found));
    }
    Py_RETURN_NONE;
}

void deferreds_leave_parent(void)
{
    polling = NULL;
}

void deferreds_forget(void)
{
    polling = NULL; /* the next recording may have a buffer at the same address */
    PyObject **all[] = {&types.module, &types.status,    &types.failure,   &types.lock, &types.semaphore, &types.queue,
                        &types.gathering, &types.cancelled, &types.made, &types.sleep, &types.timers, &types.reads,
                        &types.step, &types.errback};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        Py_CLEAR(*all[i]);
}

PyMethodDef deferreds_methods[] = {
    {"setup_twisted", setup_twisted, METH_O, setup_doc},
    {"know_twisted", know_twisted, METH_O, know_doc},
    {NULL, NULL, 0, NULL},
};
