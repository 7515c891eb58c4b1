/* Timers of asyncio's own loops: how many a loop has, looked at ten times a second, and how often the program cancels its
 * own. Of neither is there anything per timer in the trace. */
#include "signals/asyncio/timers.h"

#include <string.h>

#include "python/codes.h"
#include "python/plain.h"
#include "ring/hot.h"
#include "ring/intern.h"
#include "schema.h"
#include "signals/asyncio/identity.h"

/* A name is kept for ever. A counter begins with MANY timers of a loop that wait, or with SOME that were cancelled. */
enum { KEPT = 64, MANY = 256, SOME = 5, SEEN = 64, NAME_ROOM = 400 };
enum { EVERY_NS = 100 * 1000 * 1000 };

typedef struct {
    uint32_t func, loop; /* `loop`: whose timers wait; 0: those that were cancelled */
    uint32_t name;
    int64_t count, told;
    uint64_t due; /* told again from this tick on */
} counted;

static counted all[KEPT];
static int kept;
static uint64_t look_due;
static Py_ssize_t scheduled_offset;
static PyObject *str_scheduled, *str_cancelled;

/* call_at()'s events. Few loops ever have MANY timers, and every sleep sets one: once a poll has shown that a loop has few,
 * there are no events until one has more. From then on they stay. */
static struct {
    PyObject *set, *tool, *code, *mask; /* sys.monitoring.set_local_events and its arguments; NULL: nothing is watched */
    PyObject *get, *name;               /* sys.monitoring.get_tool, and the name that our tool has */
    int are_on;
    uint64_t look_due;
} events;

static PyObject *at(const void *object, Py_ssize_t offset)
{
    return *(PyObject *const *)((const char *)object + offset);
}

/* NULL: there are too many. */
static counted *find(uint32_t func, uint32_t loop)
{
    for (int i = 0; i < kept; i++)
        if (all[i].func == func && all[i].loop == loop)
            return &all[i];
    if (!func || kept == KEPT)
        return NULL;
    all[kept] = (counted){.func = func, .loop = loop};
    return &all[kept++];
}

/* "timers pending <loop> <function> <line>", with the line of the program that the hooked code was called from. */
static uint32_t name_of(const counted *these, const char *prefix)
{
    char name[NAME_ROOM];
    size_t called, placed;
    const char *function = intern_text(intern_function_of(these->func).name, &called);
    const char *line = intern_text(codes_user_line(compat_running_frame()), &placed);
    int shown = called < NAME_ROOM / 4 ? (int)called : NAME_ROOM / 4;
    int length = PyOS_snprintf(name, sizeof name, "%s%u %.*s %.*s", prefix, these->loop, shown, function,
                               placed < NAME_ROOM / 2 ? (int)placed : NAME_ROOM / 2, line);
    return placed ? intern_string(name, (size_t)length) : 0;
}

static void tell(thread_buffer *b, uint64_t tick, counted *these, const char *prefix)
{
    if (!these->name)
        these->name = name_of(these, prefix);
    these->due = tick + clock_ticks_of(EVERY_NS);
    if (!these->name || these->count == these->told)
        return;
    these->told = these->count;
    ring_emit(b, tick, REC_COUNTER, COUNTER_QUEUE, these->name, 0, (uint64_t)these->count);
}

/* Of a loop's timers as many as are looked at, evenly spread: the part that calls the same code, in per cent. */
static int64_t share_of(PyObject *scheduled, const PyCodeObject *code)
{
    Py_ssize_t count = PyList_GET_SIZE(scheduled), same = 0, alive = 0;
    for (Py_ssize_t i = 0; i < SEEN; i++) {
        PyObject *handle = PyList_GET_ITEM(scheduled, i * count / SEEN);
        PyObject *callback = PyObject_TypeCheck(handle, identity.timer_handle) ? at(handle, identity.callback_offset) : NULL;
        if (!callback || callback == Py_None)
            continue;
        alive++;
        same += codes_of_callable(callback) == code;
    }
    return alive ? same * 100 / alive : 0;
}

static int64_t waiting_of(PyObject *loop, PyObject **timers)
{
    PyObject *cancelled = plain_attribute(loop, str_cancelled);
    *timers = plain_attribute(loop, str_scheduled);
    int is_known = *timers && PyList_CheckExact(*timers) && cancelled && PyLong_CheckExact(cancelled);
    int64_t waiting = is_known ? PyList_GET_SIZE(*timers) - PyLong_AsSsize_t(cancelled) : -1;
    Py_XDECREF(cancelled);
    return waiting;
}

static int has_names(void)
{
    return (str_scheduled || (str_scheduled = PyUnicode_InternFromString("_scheduled"))) &&
           (str_cancelled || (str_cancelled = PyUnicode_InternFromString("_timer_cancelled_count")));
}

static void look(thread_buffer *b, uint64_t tick, PyObject *loop, PyObject *callback)
{
    PyObject *scheduled;
    int64_t waiting = waiting_of(loop, &scheduled);
    uint32_t id = identity_known_loop(loop);
    PyCodeObject *code = codes_of_callable(callback);
    int64_t share = id && code && waiting >= MANY ? share_of(scheduled, code) : 0;
    counted *these = share > 50 ? find(codes_func(code), id) : NULL;
    if (these) {
        these->count = waiting * share / 100;
        tell(b, tick, these, SCHEMA_TEXT_TIMERS_PENDING_PREFIX);
    }
    PyErr_Clear();
    Py_XDECREF(scheduled);
}

/* The program may have freed our tool, and taken its number. */
static int are_ours(void)
{
    PyObject *name = PyObject_CallOneArg(events.get, events.tool);
    int same = name && PyUnicode_Check(name) && !PyUnicode_Compare(name, events.name);
    Py_XDECREF(name);
    return same;
}

static void switch_events(int on)
{
    if (!are_ours()) {
        PyErr_Clear();
        Py_CLEAR(events.set);
        return;
    }
    PyObject *done = on ? PyObject_CallFunctionObjArgs(events.set, events.tool, events.code, events.mask, NULL)
                        : PyObject_CallFunction(events.set, "OOi", events.tool, events.code, 0);
    if (!done)
        PyErr_Clear(); /* they stay as they are */
    else
        events.are_on = on;
    Py_XDECREF(done);
}

static COLD void look_at(PyObject *loop)
{
    PyObject *scheduled;
    int64_t waiting = waiting_of(loop, &scheduled);
    if (waiting >= MANY) {
        switch_events(1);
        Py_CLEAR(events.set);
    } else if (waiting >= 0 && events.are_on) {
        switch_events(0);
    }
    PyErr_Clear();
    Py_XDECREF(scheduled);
}

HOT void timers_polled(thread_buffer *b, uint64_t tick)
{
    if (tick < events.look_due || !events.set || COMPAT_FREE_THREADED)
        return;
    events.look_due = tick + clock_ticks_of(EVERY_NS);
    const compat_frame *select = compat_running_frame(), *once = select ? compat_frame_caller(select) : NULL;
    const PyCodeObject *code = once ? compat_frame_code(once) : NULL;
    PyObject *loop = code && code->co_argcount ? compat_frame_local(once, 0) : NULL; /* of _run_once() */
    if (loop && identity_known_loop(loop) == b->loop && has_names())
        look_at(loop);
}

HOT void timers_on_call_at(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)value;
    tick = clock_tick();
    if (tick < look_due || COMPAT_FREE_THREADED)
        return;
    look_due = tick + clock_ticks_of(EVERY_NS);
    if (!has_names())
        return;
    PyObject *loop = compat_local(PyThreadState_Get(), 0), *callback = compat_local(PyThreadState_Get(), 2);
    if (loop && callback)
        look(b, tick, loop, callback);
}

/* Timers that have called back are cancelled, too, by asyncio.sleep(): they wait no longer. */
HOT void timers_on_cancel(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    PyObject *handle = compat_local(PyThreadState_Get(), 1);
    if (!handle || COMPAT_FREE_THREADED || !PyObject_TypeCheck(handle, identity.timer_handle) ||
        at(handle, scheduled_offset) != Py_True)
        return;
    PyObject *callback = at(handle, identity.callback_offset);
    PyCodeObject *code = callback ? codes_of_callable(callback) : NULL;
    const code_facts *facts = code ? codes_of(code) : NULL;
    if (!facts || facts->inside_library || facts->inside_package)
        return;
    counted *these = find(facts->func, 0);
    if (!these || ++these->count < SOME)
        return;
    uint64_t now = clock_tick();
    if (now >= these->due)
        tell(b, now, these, SCHEMA_TEXT_TIMERS_CANCELLED_PREFIX);
}

PyDoc_STRVAR(doc, "watch_timers(type, get_tool, name, set_local_events, tool, code, mask)\n\n"
"The type of asyncio's timers, after setup_asyncio(); and how call_at()'s events are set, which are on, while the tool\n"
"has this name.");

static PyObject *watch_timers(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *type, *get, *name, *set, *tool, *code, *mask;
    if (!PyArg_ParseTuple(args, "OOUOOOO", &type, &get, &name, &set, &tool, &code, &mask))
        return NULL;
    timers_unwatch();
    scheduled_offset = identity_slot(type, "_scheduled");
    if (scheduled_offset < 0)
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_RuntimeError, "asyncio's timers are not known");
    events.get = Py_NewRef(get);
    events.name = Py_NewRef(name);
    events.set = Py_NewRef(set);
    events.tool = Py_NewRef(tool);
    events.code = Py_NewRef(code);
    events.mask = Py_NewRef(mask);
    events.are_on = 1;
    Py_RETURN_NONE;
}

void timers_forget(void)
{
    memset(all, 0, sizeof all);
    kept = 0;
    look_due = events.look_due = 0;
}

void timers_unwatch(void)
{
    timers_forget();
    Py_CLEAR(events.get);
    Py_CLEAR(events.name);
    Py_CLEAR(events.set);
    Py_CLEAR(events.tool);
    Py_CLEAR(events.code);
    Py_CLEAR(events.mask);
}

PyDoc_STRVAR(unwatch_doc, "unwatch_timers()\n\ncall_at()'s events are no longer switched.");

static PyObject *unwatch_timers(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    timers_unwatch();
    Py_RETURN_NONE;
}

PyMethodDef timers_methods[] = {
    {"unwatch_timers", unwatch_timers, METH_NOARGS, unwatch_doc},
    {"watch_timers", watch_timers, METH_VARARGS, doc},
    {NULL, NULL, 0, NULL},
};
