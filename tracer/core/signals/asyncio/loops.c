/* asyncio's loops: when one runs on its thread, and when it waits for something to do. */
#include "signals/asyncio/loops.h"

#include "python/trampolines.h"
#include "ring/hot.h"
#include "signals/asyncio/found.h"
#include "signals/asyncio/identity.h"
#include "signals/asyncio/old_timers.h"
#include "signals/asyncio/steps.h"
#include "signals/asyncio/timers.h"
#include "signals/asyncio/unasked.h"
#include "signals/calls/accepted.h"
#include "signals/trio/trio.h"
#include "signals/watched.h"

/* A call to run_forever inside a step: asyncio is about to refuse it. */
static int is_nested(const thread_buffer *b)
{
    return b->loop && b->depth > b->poll_depth;
}

static HOT void polled(thread_buffer *b, uint64_t tick)
{
    accepted_polled(b, tick);
    b->poll_waits = 0;
}

/* --- uvloop's --- */

int loops_uv_run(thread_buffer *b, PyObject *loop)
{
    if (is_nested(b))
        return 0;
    found_run(b, loop, 0);
    b->loop_caller = compat_running_frame();
    return 1;
}

void loops_uv_stop(thread_buffer *b, PyObject *loop)
{
    if (!b->loop || b->loop != identity_known_loop(loop))
        return;
    b->in_libuv = 0;
    b->loop_caller = NULL;
    ring_emit(b, clock_tick(), REC_LOOP_STOP, 0, b->loop, 0, 0);
    b->loop = 0;
}

void loops_uv_close(thread_buffer *b, uint64_t tick, PyObject *loop)
{
    uint32_t id = identity_known_loop(loop);
    unasked_close(loop);
    loops_uv_stop(b, loop);
    if (id)
        ring_emit(b, tick, REC_LOOP_CLOSED, 0, id, 0, 0);
}

HOT int loops_uv_poll(thread_buffer *b, int timeout_ms)
{
    if (!b->loop || b->depth != b->poll_depth || b->contexts)
        return 0;
    if (!b->loop_caller) /* of a run that began before the recording; nothing of Python's runs above it now */
        b->loop_caller = *compat_frame_slot((PyThreadState *)b->libuv_tstate);
    b->poll_waits = timeout_ms != 0;
    if (b->poll_waits)
        ring_emit_detached(b, clock_tick(), REC_POLL_BEGIN, 0, 0);
    return 1;
}

HOT void loops_uv_polled(thread_buffer *b)
{
    uint64_t tick = clock_tick();
    ring_emit_detached(b, tick, b->poll_waits ? REC_POLL_END : REC_POLL_INSTANT, 0, 0);
    if (b->is_old_run && old_timers_count)
        old_timers_polled(b);
    polled(b, tick);
}

/* --- asyncio's own: their selectors' calls --- */

typedef PyObject *(*fast)(PyObject *, PyObject *const *, Py_ssize_t);
typedef PyObject *(*fast_keywords)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);

enum { POLLS = 4 };

static struct {
    PyMethodDef *def; /* NULL: not watched */
    PyCFunction original;
} polls[POLLS];

typedef struct {
    step_entry entry;
    uint32_t trio_run; /* the loop that polls, if it is trio's … */
    int waits;         /* … and whether it does more than look */
} poll_entry;

/* A selector's select() asks the system. A poll with a time-out of 0 does not wait: it is part of the loop's own work. */
static HOT poll_entry poll_begins(void)
{
    enum loop_part caller = watched_part(compat_running_frame());
    thread_buffer *b = caller == LOOP_POLLS || caller == LOOP_POLLS_TRIO ? ring_current() : NULL;
    poll_entry poll = {steps_entry(b), 0, 0};
    if (!b)
        return poll;
    if (caller == LOOP_POLLS_TRIO) {
        poll.trio_run = trio_on_poll(b, &poll.waits);
        if (!poll.trio_run)
            poll.entry.buffer = NULL;
        return poll;
    }
    if (!found_current() || !b->loop || b->depth != b->poll_depth) {
        poll.entry.buffer = NULL;
        return poll;
    }
    PyObject *timeout = compat_local(PyThreadState_Get(), 1);
    int overflow = 0; /* passed so that a huge time-out sets no exception */
    b->poll_waits = !(timeout && PyLong_CheckExact(timeout) &&
                      PyLong_AsLongAndOverflow(timeout, &overflow) == 0 && !overflow);
    if (b->poll_waits)
        ring_emit(b, clock_tick(), REC_POLL_BEGIN, 0, 0, 0, 0);
    return poll;
}

static HOT PyObject *poll_ended(poll_entry poll, PyObject *result)
{
    thread_buffer *b = steps_same_recording(poll.entry);
    if (!b)
        return result;
    if (poll.trio_run) {
        trio_on_polled(b, poll.trio_run, poll.waits);
        return result;
    }
    uint64_t tick = clock_tick();
    ring_emit(b, tick, b->poll_waits ? REC_POLL_END : REC_POLL_INSTANT, 0, 0, 0, 0);
    polled(b, tick);
    if (result)
        timers_polled(b, tick);
    return result;
}

#define POLL(n)                                                                                               \
    static HOT PyObject *fast_##n(PyObject *self, PyObject *const *args, Py_ssize_t count)                    \
    {                                                                                                         \
        poll_entry poll = poll_begins();                                                                     \
        return poll_ended(poll, ((fast)(void (*)(void))polls[n].original)(self, args, count));               \
    }                                                                                                         \
    static HOT PyObject *keywords_##n(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names) \
    {                                                                                                         \
        poll_entry poll = poll_begins();                                                                     \
        return poll_ended(poll, ((fast_keywords)(void (*)(void))polls[n].original)(self, args, count, names)); \
    }
POLL(0) POLL(1) POLL(2) POLL(3)
#define ENTRY(n) {(PyCFunction)(void (*)(void))fast_##n, (PyCFunction)(void (*)(void))keywords_##n},
static const PyCFunction poll_trampolines[POLLS][2] = {ENTRY(0) ENTRY(1) ENTRY(2) ENTRY(3)};

/* NULL: it is called in an unknown way. */
static PyCFunction poll_trampoline(int place, const PyMethodDef *def)
{
    int flags = def->ml_flags & ~METH_KEYWORDS;
    return flags == METH_FASTCALL ? poll_trampolines[place][(def->ml_flags & METH_KEYWORDS) != 0] : NULL;
}

PyDoc_STRVAR(polls_doc, "watch_polls(functions)\n\nThe C functions in which selectors wait.");

static PyObject *watch_polls(PyObject *module, PyObject *functions)
{
    (void)module;
    PyObject *found = PySequence_Tuple(functions);
    for (Py_ssize_t i = 0; found && i < PyTuple_GET_SIZE(found) && i < POLLS; i++) {
        PyMethodDef *def = compat_method_def(PyTuple_GET_ITEM(found, i));
        PyCFunction trampoline = def ? poll_trampoline((int)i, def) : NULL;
        if (!trampoline) {
            Py_DECREF(found);
            return PyErr_Format(PyExc_RuntimeError, "the module select works in an unknown way");
        }
        trampoline_put(def, trampoline, &polls[i].original);
        polls[i].def = def;
    }
    if (!found)
        return NULL;
    Py_DECREF(found);
    Py_RETURN_NONE;
}

void loops_unwatch(void)
{
    for (int i = 0; i < POLLS; i++) {
        if (polls[i].def)
            trampoline_take(polls[i].def, poll_trampoline(i, polls[i].def), polls[i].original);
        polls[i].def = NULL;
    }
}

/* --- asyncio's own: their runs --- */

void loops_on_run(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    if (found_current() && !is_nested(b))
        found_run(b, compat_local(PyThreadState_Get(), 0), 0);
}

void loops_on_stop(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)value;
    if (!b->loop || is_nested(b))
        return;
    ring_emit(b, tick ? tick : clock_tick(), REC_LOOP_STOP, 0, b->loop, 0, 0);
    b->loop = 0;
}

void loops_on_close(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)value;
    PyObject *closed = compat_local(PyThreadState_Get(), 0);
    uint32_t loop = identity_known_loop(closed);
    unasked_close(closed);
    if (loop)
        ring_emit(b, tick, REC_LOOP_CLOSED, 0, loop, 0, 0);
}

PyMethodDef loops_methods[] = {
    {"watch_polls", watch_polls, METH_O, polls_doc},
    {NULL, NULL, 0, NULL},
};
