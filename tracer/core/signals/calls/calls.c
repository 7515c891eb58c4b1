/* The trampolines, and the table of the functions they stand in front of. */
#include "signals/calls/calls.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "python/codes.h"
#include "python/stacks.h"
#include "python/trampolines.h"
#include "ring/hot.h"
#include "signals/calls/learn.h"
#include "signals/calls/peers.h"
#include "signals/calls/traffic.h"
#include "signals/locks/queues.h"

enum { SLOTS = 160 };

/* MOVES_BYTES: its result is their number, or they; MOVES_TEXT: it takes text for an output, a character being a byte. */
enum moved { MOVES_UNKNOWN, MOVES_BYTES, MOVES_TEXT };

typedef struct {
    PyMethodDef *def; /* NULL: free */
    PyCFunction original;
    uint32_t name; /* string: "io: socket.recv" */
    uint8_t class;
    uint8_t counts; /* what it moves: enum moved */
} slot;

static slot slots[SLOTS];
static int slot_count;
static compat_mutex guard; /* of both, while they change */

typedef PyObject *(*two_args)(PyObject *, PyObject *);
typedef PyObject *(*three_args)(PyObject *, PyObject *, PyObject *);
typedef PyObject *(*fast)(PyObject *, PyObject *const *, Py_ssize_t);
typedef PyObject *(*fast_keywords)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);
typedef PyObject *(*fast_method)(PyObject *, PyTypeObject *, PyObject *const *, Py_ssize_t, PyObject *);

thread_buffer *calls_leave_unwatched(const call_frame *f)
{
    int blocked = f->start_tick && !f->is_part && clock_tick() - f->start_tick >= gil_threshold_ticks;
    if (gil_mode == GIL_ABSENT && !blocked && !f->outer_call)
        attached_stay(f->buffer);
    return blocked ? f->buffer : NULL;
}

void calls_write_unwatched(thread_buffer *b, const call_frame *f, uint32_t call, uint8_t class)
{
    record made = {.kind = REC_CALL, .flag = class, .a = call, .c = b->call_serial};
    if (gil_mode == GIL_ABSENT) {
        made.b = (uint64_t)(b->libc_longest_fd + 1);
        attached_back(b, &made, f->start_tick);
        return;
    }
    uint64_t tick = clock_tick();
    uint32_t stack = stacks_capture(PyThreadState_Get());
    record *two = ring_reserve(b, 2, tick);
    if (!two)
        return;
    two[0] = made;
    two[0].tick = tick;
    two[1] = (record){tick, REC_TAKE, TAKE_UNWATCHED, 0, stack, f->start_tick, 0};
    ring_commit(b, 2);
}

static int64_t bytes_of(PyObject *result)
{
    if (result && PyBytes_CheckExact(result))
        return PyBytes_GET_SIZE(result);
    if (!result || !PyLong_CheckExact(result))
        return -1;
    int overflow;
    return PyLong_AsLongLongAndOverflow(result, &overflow);
}

/* Which exception ended a call that blocked: a time limit, or somebody who went away. */
static COLD void tell_failure(thread_buffer *b)
{
    PyObject *raised = PyErr_GetRaisedException();
    if (raised)
        ring_emit(b, clock_tick(), REC_CALL_FAILED, 0, codes_type_name(raised), 0, 0);
    PyErr_SetRaisedException(raised);
}

/* The call was long enough to be written: adds what only Python knows about it. */
static COLD void tell(thread_buffer *b, const slot *s, const call_frame *f, PyObject *result)
{
    if (gil_mode != GIL_WATCHED)
        calls_write_unwatched(b, f, s->name, s->class);
    /* Not for one whose bytes the calls made inside it, from frames of their own, have told already. */
    if (s->counts && !f->is_part && f->serial == b->call_serial) {
        int64_t size = bytes_of(result);
        if (size >= 0)
            ring_emit(b, clock_tick(), REC_CALL_BYTES, 0, 0, (uint64_t)size, 0);
    }
    if (!result && s->class == CLASS_IO && !f->is_part)
        tell_failure(b);
    if (b->waited_fd) {
        if (peers_is_own(b->waited_fd - 1))
            ring_emit(b, clock_tick(), REC_CALL_OWN_PEER, 0, 0, 0, 0);
        b->waited_fd = 0;
    }
    queues_look(b, clock_tick());
    if (atomic_load_explicit(&stacks_pending, memory_order_relaxed))
        stacks_resolve();
    if (atomic_load_explicit(&learn_pending, memory_order_relaxed))
        learn_resolve();
}

/* Text for a pipe stays in a buffer until much of it is there, or the program ends: whoever reads the other end
 * sees nothing of it. That there is some is told once, as it first comes. */
static uint8_t awaits_text;

static void await_text(void)
{
    struct stat output;
    awaits_text = !fstat(STDOUT_FILENO, &output) && S_ISFIFO(output.st_mode);
}

static COLD void printed(const call_frame *f, PyObject *file)
{
    if (!calls_same_recording(f) || file != PySys_GetObject("stdout"))
        return;
    awaits_text = 0;
    uint64_t tick = clock_tick();
    ring_emit(f->buffer, tick, REC_PRINTED, 0, stacks_here(), 0, 0);
}

static COLD void tell_traffic(const call_frame *f)
{
    if (calls_same_recording(f))
        traffic_tell(f->buffer);
}

/* What all trampolines of one calling convention do is there once: mostly it is in the processor's cache. The slot
 * is read before the call and after it: `original` stays valid when the hooks are removed. */
#define AROUND(call)                                                                              \
    thread_buffer *b = calls_buffer();                                                            \
    call_frame f = calls_enter(b, s->name, s->class, b ? compat_running_frame() : NULL);          \
    PyObject *result = call;                                                                      \
    if (__builtin_expect((b = calls_leave(&f)) != NULL, 0))                                       \
        tell(b, s, &f, result);                                                                   \
    if (f.buffer && f.buffer == ring_mine && __builtin_expect(f.buffer->traffic.count, 0))        \
        tell_traffic(&f);                                                                         \
    if (__builtin_expect(s->counts == MOVES_TEXT, 0) && awaits_text && result)                    \
        printed(&f, self);                                                                        \
    return result;

static HOT_ALONE PyObject *around_two(PyObject *self, PyObject *a, const slot *s)
{
    AROUND(((two_args)s->original)(self, a))
}

static HOT_ALONE PyObject *around_three(PyObject *self, PyObject *a, PyObject *k, const slot *s)
{
    AROUND(((three_args)(void (*)(void))s->original)(self, a, k))
}

static HOT_ALONE PyObject *around_fast(PyObject *self, PyObject *const *a, Py_ssize_t c, const slot *s)
{
    AROUND(((fast)(void (*)(void))s->original)(self, a, c))
}

static HOT_ALONE PyObject *around_keywords(PyObject *self, PyObject *const *a, Py_ssize_t c, PyObject *k, const slot *s)
{
    AROUND(((fast_keywords)(void (*)(void))s->original)(self, a, c, k))
}

static HOT_ALONE PyObject *around_method(PyObject *self, PyTypeObject *t, PyObject *const *a, Py_ssize_t c, PyObject *k,
                                         const slot *s)
{
    AROUND(((fast_method)(void (*)(void))s->original)(self, t, a, c, k))
}

#define TRAMPOLINES(n)                                                                            \
    static PyObject *two_##n(PyObject *self, PyObject *a)                                         \
    {                                                                                             \
        return around_two(self, a, &slots[n]);                                                    \
    }                                                                                             \
    static PyObject *three_##n(PyObject *self, PyObject *a, PyObject *k)                          \
    {                                                                                             \
        return around_three(self, a, k, &slots[n]);                                               \
    }                                                                                             \
    static PyObject *fast_##n(PyObject *self, PyObject *const *a, Py_ssize_t c)                   \
    {                                                                                             \
        return around_fast(self, a, c, &slots[n]);                                                \
    }                                                                                             \
    static PyObject *keywords_##n(PyObject *self, PyObject *const *a, Py_ssize_t c, PyObject *k)  \
    {                                                                                             \
        return around_keywords(self, a, c, k, &slots[n]);                                         \
    }                                                                                             \
    static PyObject *method_##n(PyObject *self, PyTypeObject *t, PyObject *const *a, Py_ssize_t c, PyObject *k) \
    {                                                                                             \
        return around_method(self, t, a, c, k, &slots[n]);                                        \
    }

#define TEN(X, tens) X(tens##0) X(tens##1) X(tens##2) X(tens##3) X(tens##4) X(tens##5) X(tens##6) X(tens##7) \
    X(tens##8) X(tens##9)
#define EVERY_SLOT(X) TEN(X, ) TEN(X, 1) TEN(X, 2) TEN(X, 3) TEN(X, 4) TEN(X, 5) TEN(X, 6) TEN(X, 7) TEN(X, 8)  \
    TEN(X, 9) TEN(X, 10) TEN(X, 11) TEN(X, 12) TEN(X, 13) TEN(X, 14) TEN(X, 15)
EVERY_SLOT(TRAMPOLINES)

#define ENTRY(n) {two_##n, (PyCFunction)(void (*)(void))three_##n, (PyCFunction)(void (*)(void))fast_##n, \
                  (PyCFunction)(void (*)(void))keywords_##n, (PyCFunction)(void (*)(void))method_##n},
static const PyCFunction trampolines[SLOTS][CALLS_CONVENTIONS] = {EVERY_SLOT(ENTRY)};

int calls_convention(int flags)
{
    switch (flags & ~(METH_CLASS | METH_STATIC | METH_COEXIST)) {
    case METH_NOARGS:
    case METH_O:
    case METH_VARARGS: return 0;
    case METH_VARARGS | METH_KEYWORDS: return 1;
    case METH_FASTCALL: return 2;
    case METH_FASTCALL | METH_KEYWORDS: return 3;
    case METH_METHOD | METH_FASTCALL | METH_KEYWORDS: return 4;
    default: return -1;
    }
}

PyDoc_STRVAR(watch_doc, "watch_call(callable, name, call_class, moves) -> bool\n\n"
"Sets the name of the wait while a thread runs a C function or method. False if it is neither.");

static PyObject *watch_call(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *callable, *name;
    int class, counts;
    if (!PyArg_ParseTuple(args, "OUii", &callable, &name, &class, &counts))
        return NULL;
    PyMethodDef *def = compat_method_def(callable);
    int which = def ? calls_convention(def->ml_flags) : -1;
    if (which < 0)
        Py_RETURN_FALSE;
    uint32_t text = codes_text(name);
    if (counts == MOVES_TEXT)
        await_text();
    compat_lock(&guard);
    int place = 0;
    while (place < slot_count && slots[place].def != def)
        place++;
    int is_new = place == slot_count && place < SLOTS;
    if (is_new) {
        slots[place] = (slot){def, NULL, text, (uint8_t)class, (uint8_t)counts};
        trampoline_put(def, trampolines[place][which], &slots[place].original);
        slot_count++;
    }
    int is_watched = place < slot_count;
    compat_unlock(&guard);
    return PyBool_FromLong(is_watched);
}

/* Threads inside a trampoline still read its slot, so it keeps its contents. A function that other code
 * has since put its own trampoline in front of stays as it is, and our slot stays taken. */
static PyObject *unwatch_calls(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    int kept = 0;
    for (int i = slot_count - 1; i >= 0; i--) {
        slot *s = &slots[i];
        if (!trampoline_take(s->def, trampolines[i][calls_convention(s->def->ml_flags)], s->original) && !kept)
            kept = i + 1;
    }
    slot_count = kept;
    Py_RETURN_NONE;
}

PyMethodDef calls_methods[] = {
    {"watch_call", watch_call, METH_VARARGS, watch_doc},
    {"unwatch_calls", unwatch_calls, METH_NOARGS, "Removes the trampolines."},
    {NULL, NULL, 0, NULL},
};
