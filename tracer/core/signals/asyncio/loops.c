/* asyncio's loops: when one runs on its thread, and when it waits for something to do. */
#include "signals/asyncio/loops.h"

#include "signals/asyncio/identity.h"

/* A call to run_forever inside a step: asyncio is about to refuse it. */
static int is_nested(const thread_buffer *b)
{
    return b->loop && b->depth > b->poll_depth;
}

/* A poll with a time-out of 0 does not wait: it is part of the loop's own work. */
void loops_on_poll(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    if (!b->loop || b->depth != b->poll_depth)
        return;
    PyObject *timeout = compat_local(PyThreadState_Get(), 1);
    int overflow = 0; /* passed so that a huge time-out sets no exception */
    b->poll_waits = !(timeout && PyLong_CheckExact(timeout) &&
                      PyLong_AsLongAndOverflow(timeout, &overflow) == 0 && !overflow);
    if (b->poll_waits)
        ring_emit(b, clock_tick(), REC_POLL_BEGIN, 0, 0, 0, 0);
}

void loops_on_polled(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)value;
    if (!b->loop || b->depth != b->poll_depth)
        return;
    ring_emit(b, tick, b->poll_waits ? REC_POLL_END : REC_POLL_INSTANT, 0, 0, 0, 0);
    b->poll_waits = 0;
}

static void run_loop(thread_buffer *b, uint64_t tick, PyObject *loop)
{
    if (b->loop) /* an exception has ended its run, unnoticed (3.12) */
        ring_emit(b, tick, REC_LOOP_STOP, 0, b->loop, 0, 0);
    b->loop = identity_loop_id(loop);
    b->poll_depth = b->depth;
    b->loop_caller = NULL;
    b->contexts = 0;
    b->in_libuv = identity.uv_loop && PyObject_TypeCheck(loop, identity.uv_loop);
    ring_emit(b, tick, REC_LOOP_RUN, 0, b->loop, 0, 0);
}

/* --- uvloop's --- */

int loops_uv_run(thread_buffer *b, PyObject *loop)
{
    if (is_nested(b))
        return 0;
    run_loop(b, clock_tick(), loop);
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
    loops_uv_stop(b, loop);
    if (id)
        ring_emit(b, tick, REC_LOOP_CLOSED, 0, id, 0, 0);
}

int loops_uv_poll(thread_buffer *b, int timeout_ms)
{
    if (!b->loop || b->depth != b->poll_depth || b->contexts)
        return 0;
    b->poll_waits = timeout_ms != 0;
    if (b->poll_waits)
        ring_emit_detached(b, clock_tick(), REC_POLL_BEGIN);
    return 1;
}

void loops_uv_polled(thread_buffer *b)
{
    ring_emit_detached(b, clock_tick(), b->poll_waits ? REC_POLL_END : REC_POLL_INSTANT);
    b->poll_waits = 0;
}

/* --- asyncio's own --- */

void loops_on_run(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    if (!is_nested(b))
        run_loop(b, clock_tick(), compat_local(PyThreadState_Get(), 0));
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
    uint32_t loop = identity_known_loop(compat_local(PyThreadState_Get(), 0));
    if (loop)
        ring_emit(b, tick, REC_LOOP_CLOSED, 0, loop, 0, 0);
}

PyDoc_STRVAR(enter_doc, "enter_loop(loop)\n\nThe calling thread runs `loop` already.");

static PyObject *enter_loop(PyObject *module, PyObject *loop)
{
    (void)module;
    thread_buffer *b = ring_current();
    if (b && !b->loop)
        run_loop(b, clock_tick(), loop);
    Py_RETURN_NONE;
}

PyMethodDef loops_methods[] = {
    {"enter_loop", enter_loop, METH_O, enter_doc},
    {NULL, NULL, 0, NULL},
};
