/* What gevent's hub calls back between greenlets.
 *
 * Most callbacks only switch to a greenlet: then they are what made it ready, and no more. Others are shown if they wake
 * somebody or last. */
#include "signals/greenlet/callbacks.h"

#include <string.h>

#include "python/codes.h"
#include "python/cython.h"

void callbacks_begin(thread_buffer *b, PyObject *callback, const void *key)
{
    greenlet_state *g = &b->greenlets;
    if (!greenlets_in_hub(b))
        return;
    g->callback = key;
    g->called = callback;
    g->is_shown = 0;
    g->resumed = 0;
    g->callback_tick = clock_tick();
}

static void show(thread_buffer *b)
{
    greenlet_state *g = &b->greenlets;
    g->is_shown = 1;
    uint32_t func = codes_callable((PyObject *)(uintptr_t)g->called);
    ring_emit(b, g->callback_tick, REC_CB_BEGIN, 0, func, (uint64_t)(uintptr_t)g->callback, 0);
}

void callbacks_show(thread_buffer *b)
{
    if (b->greenlets.callback && !b->greenlets.is_shown && greenlets_in_hub(b))
        show(b);
}

void callbacks_end(thread_buffer *b, uint64_t tick)
{
    greenlet_state *g = &b->greenlets;
    if (!g->callback)
        return;
    if (!g->is_shown && tick - g->callback_tick >= gil_threshold_ticks)
        show(b);
    if (g->is_shown)
        ring_emit(b, tick, REC_CB_END, 0, 0, 0, 0);
    g->callback = NULL;
    g->is_shown = 0;
}

/* It goes through all who wait for one thing, which the one before has not given back. Others go on with a greenlet
 * because of what the one before has done. */
static int notifies(const greenlet_state *g)
{
    PyObject *callback = (PyObject *)(uintptr_t)g->called;
    if (PyMethod_Check(callback) && PyMethod_GET_SELF(callback) == g->given)
        return 0;
    PyObject *function = PyMethod_Check(callback) ? PyMethod_GET_FUNCTION(callback) : callback;
    const PyMethodDef *def = cython_def(function);
    const char *name = def ? def->ml_name : "";
    if (PyFunction_Check(function))
        name = PyUnicode_AsUTF8(((PyFunctionObject *)function)->func_name);
    return name && !strncmp(name, "_notify_links", 13);
}

void callbacks_resume(thread_buffer *b, uint64_t tick, const known_greenlet *known, int is_thrown)
{
    greenlet_state *g = &b->greenlets;
    if (!known->is_ready) {
        int by_task = g->callback && g->resumed && !notifies(g);
        uint8_t by = by_task ? RESUMED_BY_TASK : g->callback ? RESUMED_BY_CALLBACK
                   : known->due_ns || is_thrown ? RESUMED_BY_TIMER : RESUMED_BY_IO;
        uint64_t key = by_task ? g->resumed : g->is_shown ? 0 : (uint64_t)(uintptr_t)g->callback;
        ring_emit(b, tick, REC_RESUMED, by, known->id, key, is_thrown ? 0 : known->due_ns);
    }
    if (g->is_shown)
        ring_emit(b, tick, REC_CB_END, 0, 0, 0, 0);
    g->is_shown = 0;
    g->given = NULL;
}

void callbacks_go_on(thread_buffer *b, uint64_t tick, uint32_t task)
{
    b->greenlets.resumed = task;
    b->greenlets.callback_tick = tick;
}
