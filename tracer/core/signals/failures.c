/* Failures: answers of HTTP that are errors, and exceptions that reach the program's code.
 *
 * For these there is sys.monitoring's RAISE: code that raises nothing pays nothing. It comes for every frame that an
 * exception passes; the first one of the program counts: what a library raises and handles is no failure of a call. Where
 * very many are raised the event is switched off for a while, longer each time. Of all that is left so many are written in
 * a pass of the writer, and those that are not are counted. */
#include "signals/failures.h"

#include <stdatomic.h>
#include <unistd.h>

#include "python/codes.h"
#include "python/plain.h"
#include "python/stacks.h"
#include "ring/clock.h"
#include "ring/records.h"
#include "ring/ring.h"

/* In a pass, of 100 to 185 ms: 10,000 frames are 0.2 % of a processor, 0.65 % if all may be told of.
 * New stacks: the table of all has 131,072. */
enum { FRAMES_MOST = 10000, WRITTEN_MOST = 250, NEW_STACKS_MOST = 4096, PASSED_MOST = 16, DOUBLINGS = 5 };
enum { LEAST_STATUS = 400, MOST_STATUS = 599 }; /* of HTTP: the client's or the server's error */
#define FIRST_PAUSE_NS 1000000000ull
#define CALM_NS (30 * FIRST_PAUSE_NS) /* after that the next pause is a first one again */
#define MS_NS 1000000ull

/* With the GIL. */
static PyObject *set_events, *get_tool, *tool, *tool_name, *mask, *zero;
HOT_DATA const uint8_t *failures_heard;
HOT_DATA uint8_t failures_tool;
static uint64_t omitted; /* since the last one that was written */
static uint64_t off_ms;  /* for how long it was switched off since then */
static uint32_t new_stacks;
static int pauses;
/* The writer's, too. */
static _Atomic uint32_t frames, written;
static _Atomic uint64_t off_ns, on_ns; /* it is off, from then until then; 0: it is on */
static _Atomic pid_t asked;                /* in this process it will be switched on soon */

/* Leaves no exception. The program may have taken our tool over. */
static void want(PyObject *events)
{
    PyObject *name = set_events ? PyObject_CallOneArg(get_tool, tool) : NULL;
    if (name && PyUnicode_Check(name) && PyUnicode_Compare(name, tool_name) == 0)
        Py_XDECREF(PyObject_CallFunctionObjArgs(set_events, tool, events, NULL));
    Py_XDECREF(name);
    PyErr_Clear();
}

static void pause_for_long(void)
{
    uint64_t now = clock_ns_of(CLOCK_MONOTONIC);
    if (now - atomic_load(&on_ns) > CALM_NS)
        pauses = 0;
    atomic_store(&on_ns, now + (FIRST_PAUSE_NS << pauses));
    atomic_store(&off_ns, now);
    pauses += pauses < DOUBLINGS;
    want(zero);
}

static int go_on(void *unused)
{
    (void)unused;
    uint64_t since = atomic_exchange(&off_ns, 0);
    atomic_store(&asked, 0);
    if (since) {
        off_ms += (clock_ns_of(CLOCK_MONOTONIC) - since) / MS_NS;
        want(mask);
    }
    return 0;
}

void failures_after_pass(void)
{
    atomic_store_explicit(&frames, 0, memory_order_relaxed);
    atomic_store_explicit(&written, 0, memory_order_relaxed);
    if (!atomic_load(&off_ns) || clock_ns_of(CLOCK_MONOTONIC) < atomic_load(&on_ns) || atomic_load(&asked) == getpid())
        return;
    atomic_store(&asked, getpid()); /* a forked child asks for itself */
    if (compat_call_soon(go_on) < 0)
        atomic_store(&asked, 0);
}

static int is_a(PyTypeObject *type, PyObject *class)
{
    return PyType_IsSubtype(type, (PyTypeObject *)class);
}

/* Whether programs do not rather raise such exceptions to say what they found, or to be done. */
static int is_failure(PyTypeObject *type)
{
    PyObject *exact = (PyObject *)type;
    if (is_a(type, PyExc_OSError))
        return !is_a(type, PyExc_BlockingIOError) && !is_a(type, PyExc_InterruptedError) &&
               !is_a(type, PyExc_FileNotFoundError) && !is_a(type, PyExc_TimeoutError);
    if (!PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE))
        return exact == PyExc_RuntimeError || exact == PyExc_Exception;
    return is_a(type, PyExc_Exception) && !is_a(type, PyExc_LookupError) && !is_a(type, PyExc_AttributeError) &&
           !is_a(type, PyExc_ImportError) && !is_a(type, PyExc_StopIteration) && !is_a(type, PyExc_StopAsyncIteration);
}

/* Cython's functions are in tracebacks by the name of their file where they were compiled, which is below no library. */
static int is_cythons(PyCodeObject *code)
{
    PyObject *file = code->co_filename;
    Py_ssize_t length = PyUnicode_GET_LENGTH(file);
    const char *name = PyUnicode_IS_COMPACT_ASCII(file) ? PyUnicode_DATA(file) : "";
    return *name && *name != '/' && length > 4 && !strcmp(name + length - 4, ".pyx");
}

static int is_programs(PyCodeObject *code)
{
    return codes_owner(code) == OWNER_USER && !is_cythons(code);
}

/* Borrowed: the frame has it, and the traceback the frame. */
static PyCodeObject *code_of(const PyTracebackObject *at)
{
    PyCodeObject *code = PyFrame_GetCode(at->tb_frame);
    Py_DECREF(code);
    return code;
}

/* Whether all that it has passed before it came here is not the program's. */
static int comes_first(const PyTracebackObject *head)
{
    for (const PyTracebackObject *at = head->tb_next; at; at = at->tb_next)
        if (is_programs(code_of(at)))
            return 0;
    return 1;
}

/* Where it was raised and what it has passed, then the frame that it is in now and its callers. Of many that it has passed
 * those in the middle are left out, so that there is room for the program's. */
static uint32_t stack_of(const PyTracebackObject *head)
{
    stack_frame frames[STACK_DEPTH_MOST + 1]; /* one more than fits: that says that there are more */
    int passed = 0, n = 0;
    for (const PyTracebackObject *at = head->tb_next; at; at = at->tb_next)
        passed += !is_cythons(code_of(at));
    int depth = passed < PASSED_MOST ? passed : PASSED_MOST;
    for (const PyTracebackObject *at = head->tb_next; at; at = at->tb_next) { /* the innermost one is the last */
        if (is_cythons(code_of(at)))
            continue;
        int is_last = ++n == passed;
        if (is_last || n < depth)
            frames[is_last ? 0 : depth - n] = (stack_frame){code_of(at), at->tb_lasti};
    }
    const compat_frame *at = *compat_frame_slot(PyThreadState_Get());
    for (; at && depth <= STACK_DEPTH_MOST; at = compat_frame_caller(at))
        if (compat_frame_code(at))
            frames[depth++] = (stack_frame){compat_frame_code(at), compat_frame_offset(at)};
    return stacks_named(stacks_put(frames, depth));
}

/* Whether there is room for one more in this pass. */
static int may_write(void)
{
    uint32_t before = atomic_load_explicit(&written, memory_order_relaxed);
    if (new_stacks >= NEW_STACKS_MOST)
        return 0;
    if (before >= WRITTEN_MOST) {
        omitted++;
        return 0;
    }
    atomic_store_explicit(&written, before + 1, memory_order_relaxed);
    return 1;
}

/* `end`: of the stacks before this one was named. */
static void write_one(thread_buffer *b, uint64_t tick, uint8_t is_answer, uint32_t what, uint32_t stack, uint32_t end)
{
    new_stacks += stacks_end() != end;
    uint64_t off = off_ms < UINT32_MAX ? off_ms : UINT32_MAX;
    ring_emit(b, tick, REC_RAISED, is_answer, stack, off << 32 | what, omitted);
    omitted = off_ms = 0;
}

static void raised(PyObject *error, const PyTracebackObject *head)
{
    thread_buffer *b = ring_current();
    if (!b || !may_write())
        return;
    uint64_t tick = clock_tick();
    uint32_t end = stacks_end(), stack = stack_of(head);
    write_one(b, tick, 0, codes_type_name(error), stack, end);
}

/* args: code, or what an extension module in C gives for it, offset, exception. */
static PyObject *on_raise(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module, (void)count;
    PyBaseExceptionObject *error = (PyBaseExceptionObject *)args[2];
    PyTracebackObject *head = (PyTracebackObject *)error->traceback;
    uint32_t so_many = atomic_load_explicit(&frames, memory_order_relaxed) + 1;
    atomic_store_explicit(&frames, so_many, memory_order_relaxed);
    if (so_many > FRAMES_MOST)
        pause_for_long();
    else if (head && PyCode_Check(args[0]) && is_failure(Py_TYPE(error)) && is_programs((PyCodeObject *)args[0]) &&
             comes_first(head))
        raised((PyObject *)error, head);
    Py_RETURN_NONE;
}

/* A library's function that has read the head of an answer returns: its first variable is that. */
void failures_on_answer(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)value;
    static PyObject *names[2];
    if (COMPAT_FREE_THREADED || (!names[0] && !(names[0] = PyUnicode_InternFromString("status"))) ||
        (!names[1] && !(names[1] = PyUnicode_InternFromString("status_code")))) {
        PyErr_Clear();
        return;
    }
    PyObject *answer = compat_local(PyThreadState_Get(), 0);
    PyObject *status = plain_attribute(answer, names[0]);
    if (!status)
        status = plain_attribute(answer, names[1]);
    long number = status && PyLong_Check(status) ? PyLong_AsLong(status) : 0;
    PyErr_Clear();
    Py_XDECREF(status);
    if (number < LEAST_STATUS || number > MOST_STATUS || !may_write())
        return;
    uint32_t end = stacks_end(), stack = stacks_here();
    write_one(b, tick, 1, (uint32_t)number, stack, end);
}

PyDoc_STRVAR(watch_doc, "watch_failures(set_events, get_tool, tool, name, mask)\n\n"
"From now on exceptions are recorded, but not where threads run without a GIL.");

static PyObject *watch_failures(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *set, *get, *id, *name, *wanted;
    if (!PyArg_ParseTuple(args, "OOOUO", &set, &get, &id, &name, &wanted) || (!zero && !(zero = PyLong_FromLong(0))))
        return NULL;
    if (COMPAT_FREE_THREADED)
        Py_RETURN_NONE;
    Py_XSETREF(set_events, Py_NewRef(set));
    Py_XSETREF(get_tool, Py_NewRef(get));
    Py_XSETREF(tool, Py_NewRef(id));
    Py_XSETREF(tool_name, Py_NewRef(name));
    Py_XSETREF(mask, Py_NewRef(wanted));
    omitted = off_ms = 0;
    new_stacks = 0;
    pauses = 0;
    atomic_store(&off_ns, 0);
    failures_tool = (uint8_t)(1u << (PyLong_AsLong(tool) & 7));
    failures_heard = compat_hear_of_exceptions();
    want(mask);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(unwatch_doc, "unwatch_failures()\n\nSwitches the event off.");

static PyObject *unwatch_failures(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    failures_heard = NULL;
    want(zero);
    atomic_store(&off_ns, 0);
    Py_CLEAR(set_events);
    Py_CLEAR(get_tool);
    Py_CLEAR(tool);
    Py_CLEAR(tool_name);
    Py_CLEAR(mask);
    Py_RETURN_NONE;
}

PyMethodDef failures_methods[] = {
    {"on_raise", (PyCFunction)(void (*)(void))on_raise, METH_FASTCALL, NULL},
    {"watch_failures", watch_failures, METH_VARARGS, watch_doc},
    {"unwatch_failures", unwatch_failures, METH_NOARGS, unwatch_doc},
    {NULL, NULL, 0, NULL},
};
