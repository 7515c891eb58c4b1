/* Switches between greenlets: trampolines around switch() and throw(), for Python and for C.
 *
 * A greenlet leaves by calling one of the two, and goes on when its call returns. So a trampoline knows before the call
 * who stops, on which line, and who goes on; and after it who was left, if that one has ended. greenlet's own trace
 * functions are not used: they cost more, there is one per thread, and it is the program's. */
#include "signals/greenlet/switches.h"

#include "python/codes.h"
#include "python/stacks.h"
#include "python/trampolines.h"
#include "ring/intern.h"
#include "ring/stack_names.h"
#include "signals/asyncio/identity.h"
#include "signals/asyncio/steps.h"
#include "signals/greenlet/callbacks.h"
#include "signals/greenlet/greenlets.h"
#include "signals/greenlet/waits.h"

enum { API_THROW = 5, API_SWITCH = 6, API_COUNT = 12, LINEAGE = 64 };

typedef PyObject *(*three_args)(PyObject *, PyObject *, PyObject *);
typedef PyObject *(*four_args)(PyObject *, PyObject *, PyObject *, PyObject *);

/* The originals stay set: threads may be inside. */
static struct {
    PyMethodDef *switch_def, *throw_def; /* NULL: not watched */
    void **interface;
    PyCFunction switch_method, throw_method;
    three_args switch_function;
    four_args throw_function;
} originals;

/* A call of switch() or throw(), from before it to after it. What the thread was in is the greenlet's, not the
 * thread's: others run meanwhile. */
typedef struct {
    step_entry entry;
    PyObject *self; /* who calls; alive while it does */
    const void *call_frame, *learned_frame, *wait_for;
    uint32_t call, learned, waits;
    uint8_t call_blocks, wait_kind, is_recorded;
} departure;

/* --- what is recorded --- */

/* Inside a step of asyncio's nothing is: whoever uses greenlets there (SQLAlchemy) goes back before the step ends. */
static int is_nested(const thread_buffer *b)
{
    return b->loop && b->depth > b->poll_depth;
}

static void goes_on(thread_buffer *b, known_greenlet *known)
{
    b->greenlets.current = known;
    known->has_begun = 1;
    known->is_ready = 0;
    known->is_running = 1;
}

/* `left`: the task that has stopped, or 0. */
static void begin(thread_buffer *b, uint64_t tick, known_greenlet *known, uint32_t left)
{
    if (!known->id) {
        b->greenlets.current = known;
        callbacks_go_on(b, tick, left);
        return;
    }
    goes_on(b, known);
    ring_emit(b, tick, REC_STEP_BEGIN, 0, known->id, b->greenlets.loop, 0);
}

/* The first switch that is seen on a thread: `self` has been running. */
static int enter_thread(thread_buffer *b, uint64_t tick, PyObject *self)
{
    if (!b->greenlets.loop) {
        b->greenlets.loop = ++identity.next_loop | (uint32_t)LOOP_GREENLETS << LOOP_KIND_SHIFT;
        if (!b->loop)
            ring_emit(b, tick, REC_LOOP_RUN, 0, b->greenlets.loop, 0, 0);
    }
    known_greenlet *known = greenlets_introduce(b, tick, self, ORIGIN_ADOPTED);
    if (known)
        begin(b, tick, known, 0);
    return known != NULL;
}

/* `left` has stopped in a way that no hook has seen. */
static void leave_unseen(thread_buffer *b, uint64_t tick, known_greenlet *left, PyObject *raised, PyObject *result)
{
    left->is_running = 0;
    if (greenlets_is_over(left))
        greenlets_end(b, tick, left, raised, result);
    else if (left->id)
        waits_unknown(b, tick, left);
}

/* `self` runs, although another one was seen last. */
static void arrive_unseen(thread_buffer *b, uint64_t tick, PyObject *self, PyObject *raised, PyObject *result)
{
    known_greenlet *left = b->greenlets.current;
    known_greenlet *known = greenlets_introduce(b, tick, self, ORIGIN_ADOPTED);
    if (!known) {
        b->greenlets.current = NULL;
        return;
    }
    if (known->id)
        ring_emit(b, tick, REC_READY, 0, known->id, 0, 0); /* by the one that has ended */
    uint32_t id = left->id;
    leave_unseen(b, tick, left, raised, result);
    begin(b, tick, known, id);
}

static void lost(thread_buffer *b)
{
    PyObject *self = greenlet_api.current();
    known_greenlet *known = self ? greenlets_find(self) : NULL;
    PyErr_Clear();
    if (known && known != b->greenlets.current && !known->is_inside) /* it has freed a greenlet, which ran its last */
        arrive_unseen(b, clock_tick(), self, NULL, NULL);
    Py_XDECREF(self);
}

PyObject *switches_target(PyObject *callback)
{
    return originals.switch_def && PyCFunction_CheckExact(callback) &&
           ((PyCFunctionObject *)callback)->m_ml == originals.switch_def ? PyCFunction_GET_SELF(callback) : NULL;
}

void switches_ready(thread_buffer *b, uint64_t tick, PyObject *greenlet)
{
    if (is_nested(b) || greenlets_is_own(greenlet))
        return;
    known_greenlet *current = b->greenlets.current;
    if (!current) { /* the hub is not known yet: the caller is no greenlet but a thread */
        PyObject *self = greenlet_api.current();
        PyErr_Clear();
        int is_known = self && enter_thread(b, tick, self);
        Py_XDECREF(self);
        if (!is_known)
            return;
    }
    callbacks_show(b);
    known_greenlet *known = greenlets_introduce(b, tick, greenlet, ORIGIN_CREATED);
    if (!known || !known->id)
        return;
    uint32_t stack = greenlets_in_hub(b) ? 0 : stacks_capture(PyThreadState_Get());
    known->is_ready = 1;
    ring_emit(b, tick, REC_READY, 0, known->id, stacks_named(stack), 0);
}

/* --- around a switch --- */

/* Who runs next: the target, or if that is over, the first of its parents that is not. Borrowed: its child, or the
 * program, holds it. */
static PyObject *next_of(PyObject *target)
{
    for (int i = 0; i < LINEAGE && target && !greenlet_api.active(target) && greenlet_api.started(target); i++) {
        PyObject *parent = greenlet_api.parent(target);
        PyErr_Clear();
        Py_XDECREF(parent);
        target = parent;
    }
    return target;
}

static void move(thread_buffer *b, known_greenlet *from, PyObject *to, int is_thrown)
{
    uint64_t tick = clock_tick();
    int from_hub = !from->id;
    from->is_running = 0;
    known_greenlet *known = greenlets_find(to);
    if (!known) /* one that has started has done so before the recording */
        known = greenlets_introduce(b, tick, to, greenlet_api.started(to) ? ORIGIN_ADOPTED : ORIGIN_CREATED);
    if (!known)
        return;
    if (from_hub) {
        callbacks_resume(b, tick, known, is_thrown);
    } else {
        uint32_t stack = stacks_here();
        uint32_t what = known->id && known->has_begun ? waits_plain(b, stack) : 0;
        if (what) { /* most switches: one record says it all */
            b->greenlets.is_yielding = known->is_killed = 0;
            from->due_ns = 0;
            goes_on(b, known);
            ring_emit(b, tick, REC_SWITCH, 0, from->id, (uint64_t)what << 32 | known->id,
                      (uint64_t)stack << 32 | b->greenlets.loop);
            return;
        }
        if (known->id)
            ring_emit(b, tick, REC_READY, 0, known->id, stack, 0);
        waits_begin(b, tick, from, known, stack);
    }
    if (!known->has_begun)
        greenlets_name(b, known, to);
    known->is_killed = 0;
    begin(b, tick, known, from->id);
}

/* Before the call. */
static void depart(departure *d, PyObject *target, int is_thrown)
{
    thread_buffer *b = ring_current();
    *d = (departure){.entry = steps_entry(b)};
    if (!b || !originals.switch_def || !PyObject_TypeCheck(target, greenlet_api.type))
        return;
    PyObject *self = greenlet_api.current();
    if (!self) {
        PyErr_Clear();
        d->entry.buffer = NULL;
        return;
    }
    Py_DECREF(self);
    greenlet_state *g = &b->greenlets;
    d->self = self;
    d->call = b->call, d->call_blocks = b->call_blocks, d->call_frame = b->call_frame;
    d->learned = b->learned, d->learned_frame = b->learned_frame;
    d->waits = g->waits, d->wait_kind = g->wait_kind, d->wait_for = g->wait_for;
    PyObject *next = is_nested(b) ? NULL : next_of(target);
    if (next && next != self && !greenlets_is_own(next) && !greenlets_is_own(self)) {
        known_greenlet *from = g->current;
        if (!from)
            enter_thread(b, clock_tick(), self);
        else if (from->object != self || !from->ref)
            arrive_unseen(b, clock_tick(), self, NULL, NULL);
        if ((from = g->current)) {
            from->is_inside = 1;
            d->is_recorded = 1;
            move(b, from, next, is_thrown);
        }
    }
    b->call = 0, b->call_frame = NULL, b->learned = 0, b->learned_frame = NULL;
    g->waits = 0, g->wait_for = NULL;
}

/* After it: the greenlet that called goes on. */
static PyObject *arrive(const departure *d, PyObject *result)
{
    thread_buffer *b = steps_same_recording(d->entry);
    if (!b)
        return result;
    PyObject *raised = result ? NULL : PyErr_GetRaisedException();
    greenlet_state *g = &b->greenlets;
    known_greenlet *current = g->current;
    if (d->is_recorded && current && !is_nested(b) && (current->object != d->self || !current->ref))
        arrive_unseen(b, clock_tick(), d->self, raised, result);
    if (d->is_recorded && g->current)
        ((known_greenlet *)g->current)->is_inside = 0;
    b->call = d->call, b->call_blocks = d->call_blocks, b->call_frame = d->call_frame;
    b->learned = d->learned, b->learned_frame = d->learned_frame;
    g->waits = d->waits, g->wait_kind = d->wait_kind, g->wait_for = d->wait_for;
    if (raised)
        PyErr_SetRaisedException(raised);
    return result;
}

static PyObject *switch_traced(PyObject *target, PyObject *args, PyObject *keywords)
{
    departure d;
    depart(&d, target, 0);
    return arrive(&d, ((three_args)(void (*)(void))originals.switch_method)(target, args, keywords));
}

static PyObject *switch_function_traced(PyObject *target, PyObject *args, PyObject *keywords)
{
    departure d;
    depart(&d, target, 0);
    return arrive(&d, originals.switch_function(target, args, keywords));
}

/* Whether it is GreenletExit, of which throw() without an argument makes one. */
static int is_exit(PyObject *type)
{
    PyTypeObject *of = !type || !PyType_Check(type) ? type ? Py_TYPE(type) : NULL : (PyTypeObject *)type;
    return greenlet_api.exit && (!of || PyType_IsSubtype(of, (PyTypeObject *)greenlet_api.exit));
}

static void note_kill(const departure *d, PyObject *target, PyObject *type)
{
    known_greenlet *known = d->is_recorded && is_exit(type) ? greenlets_find(target) : NULL;
    if (known)
        known->is_killed = 1;
}

static PyObject *throw_traced(PyObject *target, PyObject *args)
{
    departure d;
    depart(&d, target, 1);
    note_kill(&d, target, PyTuple_Check(args) && PyTuple_GET_SIZE(args) ? PyTuple_GET_ITEM(args, 0) : NULL);
    return arrive(&d, originals.throw_method(target, args));
}

static PyObject *throw_function_traced(PyObject *target, PyObject *type, PyObject *value, PyObject *traceback)
{
    departure d;
    depart(&d, target, 1);
    note_kill(&d, target, type);
    return arrive(&d, originals.throw_function(target, type, value, traceback));
}

/* --- set-up --- */

static const PyCFunction traced_switch = (PyCFunction)(void (*)(void))switch_traced;

PyDoc_STRVAR(watch_doc, "watch_greenlets(greenlet, interface)\n\n"
"Watches switches: of the class greenlet.greenlet, with the module's C interface, `_C_API`.");

static PyObject *watch_greenlets(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *type, *capsule;
    if (!PyArg_ParseTuple(args, "O!O", &PyType_Type, &type, &capsule))
        return NULL;
    void **interface = PyCapsule_GetPointer(capsule, "greenlet._C_API");
    PyObject *switch_ = interface ? PyObject_GetAttrString(type, "switch") : NULL;
    PyObject *throw_ = switch_ ? PyObject_GetAttrString(type, "throw") : NULL;
    PyMethodDef *switch_def = throw_ ? compat_method_def(switch_) : NULL;
    PyMethodDef *throw_def = throw_ ? compat_method_def(throw_) : NULL;
    Py_XDECREF(switch_);
    Py_XDECREF(throw_);
    if (PyErr_Occurred())
        return NULL;
    if (COMPAT_FREE_THREADED || !switch_def || switch_def->ml_flags != (METH_VARARGS | METH_KEYWORDS) || !throw_def ||
        throw_def->ml_flags != METH_VARARGS) {
        PyErr_SetString(PyExc_RuntimeError, COMPAT_FREE_THREADED ? "greenlets need a GIL to be recorded"
                                                                  : "greenlets switch in an unknown way");
        return NULL;
    }
    if (greenlets_setup(interface, lost) < 0)
        return NULL;
    if (interface[API_SWITCH] != (void *)(uintptr_t)switch_function_traced) {
        originals.switch_function = (three_args)(uintptr_t)interface[API_SWITCH];
        originals.throw_function = (four_args)(uintptr_t)interface[API_THROW];
        interface[API_SWITCH] = (void *)(uintptr_t)switch_function_traced;
        interface[API_THROW] = (void *)(uintptr_t)throw_function_traced;
    }
    trampoline_put(switch_def, traced_switch, &originals.switch_method);
    trampoline_put(throw_def, throw_traced, &originals.throw_method);
    originals.interface = interface;
    originals.throw_def = throw_def;
    originals.switch_def = switch_def;
    Py_RETURN_NONE;
}

/* What other code has since put its own function in front of stays as it is. */
static PyObject *unwatch_greenlets(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    if (!originals.switch_def)
        Py_RETURN_NONE;
    trampoline_take(originals.switch_def, traced_switch, originals.switch_method);
    trampoline_take(originals.throw_def, throw_traced, originals.throw_method);
    if (originals.interface[API_SWITCH] == (void *)(uintptr_t)switch_function_traced)
        originals.interface[API_SWITCH] = (void *)(uintptr_t)originals.switch_function;
    if (originals.interface[API_THROW] == (void *)(uintptr_t)throw_function_traced)
        originals.interface[API_THROW] = (void *)(uintptr_t)originals.throw_function;
    originals.switch_def = NULL;
    greenlets_forget();
    Py_RETURN_NONE;
}

PyMethodDef switches_methods[] = {
    {"watch_greenlets", watch_greenlets, METH_VARARGS, watch_doc},
    {"unwatch_greenlets", unwatch_greenlets, METH_NOARGS, "Removes the trampolines, and forgets every greenlet."},
    {NULL, NULL, 0, NULL},
};
