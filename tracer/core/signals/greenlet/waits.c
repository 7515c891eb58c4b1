/* What a greenlet waits for: named by the library's frames that it is in and, where gevent's code is compiled and has no
 * frames, by trampolines around its methods. */
#include "signals/greenlet/waits.h"

#include <string.h>

#include "python/codes.h"
#include "python/cython.h"
#include "python/stacks.h"
#include "python/trampolines.h"
#include "ring/intern.h"
#include "ring/stack_names.h"
#include "signals/asyncio/await.h"
#include "signals/asyncio/steps.h"
#include "signals/calls/calls.h"
#include "signals/greenlet/locks.h"

enum { CALLED_WITH_TWO = 0, CALLED_FAST_WITH_KEYWORDS = 3 /* calls_convention() */, SLOTS = 40, SLEEP_DEPTH = 64, NS_PER_S = 1000000000 };

static uint32_t text_switch, text_sleep, text_lock, text_rlock, text_slot;

/* --- naming a wait --- */

/* For how long it sleeps, in ns: the first argument of the function that is called so; 0: unknown. */
static uint64_t sleep_ns(void)
{
    compat_frame *at = *compat_frame_slot(PyThreadState_Get());
    for (int depth = 0; at && depth < SLEEP_DEPTH; at = at->previous, depth++) {
        PyCodeObject *code = compat_frame_code(at);
        if (!code || codes_of(code)->label != text_sleep)
            continue;
        PyObject *seconds = compat_frame_local(at, 0);
        double value = seconds && (PyFloat_CheckExact(seconds) || PyLong_CheckExact(seconds)) ? PyFloat_AsDouble(seconds) : 0.0;
        PyErr_Clear();
        return value > 0.0 && value < 1e9 ? (uint64_t)(value * NS_PER_S) : 0;
    }
    return 0;
}

/* gevent's own names for what is around its Semaphore; those of the standard library make a new one for each wait. */
static int is_of_gevent(uint32_t what)
{
    return what == text_lock || what == text_rlock || what == text_slot;
}

void waits_unknown(thread_buffer *b, uint64_t tick, const known_greenlet *left)
{
    await_emit(b, tick, left->id, &(await_facts){.what = text_switch}, NULL);
}

static uint32_t name_of(const greenlet_state *g, const stack_facts *facts)
{
    return facts && facts->await ? facts->await : g->waits ? g->waits : text_switch;
}

/* Whether the wait of this name is for the object that a compiled method has. */
static int is_for_object(const greenlet_state *g, uint32_t what)
{
    return g->wait_for && (g->waits == what || (g->wait_kind && is_of_gevent(what)));
}

uint32_t waits_plain(const thread_buffer *b, uint32_t stack)
{
    uint32_t what = name_of(&b->greenlets, stack_names_of(stack));
    return what == text_sleep || is_for_object(&b->greenlets, what) ? 0 : what;
}

void waits_begin(thread_buffer *b, uint64_t tick, known_greenlet *from, const known_greenlet *to, uint32_t stack)
{
    greenlet_state *g = &b->greenlets;
    const stack_facts *facts = stack_names_of(stack);
    int yields = g->is_yielding && !to->id;
    g->is_yielding = 0;
    from->due_ns = 0;
    if (yields) {
        from->is_ready = 1;
        ring_emit(b, tick, REC_STEP_YIELD, 0, from->id, 0, 0);
        return;
    }
    uint32_t what = name_of(g, facts);
    if (what == text_sleep) {
        uint64_t sleeps = sleep_ns();
        from->due_ns = sleeps ? clock_ns_of(CLOCK_MONOTONIC) + sleeps : 0;
    }
    await_facts wait = {.what = what, .site = facts ? facts->site : 0, .stack = stack};
    PyObject *object = (PyObject *)(uintptr_t)g->wait_for;
    const known_greenlet *awaited = g->waits == what && object ? greenlets_find(object) : NULL;
    if (awaited) {
        wait.awaited = awaited->id;
    } else if (is_for_object(g, what)) {
        await_lock lock;
        greenlet_locks_wait(from, object, what, &lock);
        await_emit(b, tick, from->id, &wait, &lock);
        return;
    }
    await_emit(b, tick, from->id, &wait, NULL);
}

/* --- compiled methods in which a greenlet waits --- */

typedef struct {
    PyMethodDef *def;     /* NULL: free */
    PyCFunction original; /* stays set: greenlets may be inside */
    uint32_t what;        /* string "await …"; 0: it gives a lock back */
    uint8_t takes;        /* a lock, if it does not return False */
} slot;

static slot slots[SLOTS];
static int slot_count;

typedef PyObject *(*two_args)(PyObject *, PyObject *);
typedef PyObject *(*fast_keywords)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);

typedef struct {
    step_entry entry;
    uint32_t outer;
    const void *outer_for, *outer_gives;
    PyObject *self; /* alive while the call lasts */
    uint8_t takes, gives;
} inside;

/* The outermost names the wait: it is what the programmer wrote. Of calls for one lock inside each other, as __enter__
 * and acquire of a lock, only the outermost takes it, or gives it back. */
static inline inside enter(const slot *s, PyObject *self)
{
    thread_buffer *b = ring_current();
    inside i = {.entry = steps_entry(b)};
    if (!b)
        return i;
    i.outer = b->greenlets.waits;
    i.outer_for = b->greenlets.wait_for;
    i.outer_gives = b->greenlets.gives;
    i.takes = s->takes && s->what && i.outer_for != self;
    i.gives = !s->what && i.outer_gives != self;
    i.self = self;
    if (i.gives)
        b->greenlets.gives = self;
    if (!i.outer && s->what) {
        b->greenlets.wait_kind = s->takes;
        b->greenlets.waits = s->what;
        b->greenlets.wait_for = self;
    }
    return i;
}

static void hold(thread_buffer *b, const inside *i, const PyObject *result)
{
    PyObject *raised = result ? NULL : PyErr_GetRaisedException();
    if (i->takes)
        greenlet_locks_called(b, i->self, result && result != Py_False);
    else
        greenlet_locks_released(b, i->self);
    if (raised)
        PyErr_SetRaisedException(raised);
}

static inline PyObject *leave(const inside *i, PyObject *result)
{
    thread_buffer *b = steps_same_recording(i->entry);
    if (b) {
        b->greenlets.waits = i->outer;
        b->greenlets.wait_for = i->outer_for;
        b->greenlets.gives = i->outer_gives;
        if (i->takes || (i->gives && result))
            hold(b, i, result);
    }
    return result;
}

#define AROUND(n, call)                  \
    const slot *s = &slots[n];           \
    const inside i = enter(s, self);     \
    return leave(&i, call);

#define TRAMPOLINES(n)                                                                            \
    static PyObject *two_##n(PyObject *self, PyObject *a)                                         \
    {                                                                                             \
        AROUND(n, ((two_args)s->original)(self, a))                                               \
    }                                                                                             \
    static PyObject *keywords_##n(PyObject *self, PyObject *const *a, Py_ssize_t c, PyObject *k)  \
    {                                                                                             \
        AROUND(n, ((fast_keywords)(void (*)(void))s->original)(self, a, c, k))                    \
    }

#define TEN(X, tens) X(tens##0) X(tens##1) X(tens##2) X(tens##3) X(tens##4) X(tens##5) X(tens##6) X(tens##7) \
    X(tens##8) X(tens##9)
#define EVERY_SLOT(X) TEN(X, ) TEN(X, 1) TEN(X, 2) TEN(X, 3)
EVERY_SLOT(TRAMPOLINES)

#define ENTRY(n) {two_##n, (PyCFunction)(void (*)(void))keywords_##n},
static const PyCFunction trampolines[SLOTS][2] = {EVERY_SLOT(ENTRY)};

/* The trampoline that fits; NULL: none does. */
static PyCFunction trampoline(int place, const PyMethodDef *def)
{
    int which = calls_convention(def->ml_flags);
    return which == CALLED_WITH_TWO ? trampolines[place][0] : which == CALLED_FAST_WITH_KEYWORDS ? trampolines[place][1] : NULL;
}

PyDoc_STRVAR(watch_doc, "watch_greenlet_wait(method, text, takes) -> bool\n\n"
"Names what a greenlet waits for in a compiled method of gevent: \"await Semaphore\"; whether it takes a lock.\n"
"\"\": it waits for nothing and gives a lock back. False if it is no such method.");

static PyObject *watch_greenlet_wait(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *method, *text;
    int takes;
    if (!PyArg_ParseTuple(args, "OUp", &method, &text, &takes))
        return NULL;
    PyMethodDef *def = cython_def(method);
    int place = 0;
    while (place < slot_count && slots[place].def != def)
        place++;
    if (!def || place == SLOTS || !trampoline(place, def))
        Py_RETURN_FALSE;
    if (place < slot_count)
        Py_RETURN_TRUE;
    slots[place] = (slot){def, NULL, codes_text(text), (uint8_t)takes};
    trampoline_put(def, trampoline(place, def), &slots[place].original);
    slot_count++;
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(start_doc, "start_greenlet_waits()\n\nBefore the first wait is named.");

static PyObject *start_greenlet_waits(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    text_switch = intern_string("await switch", 12);
    text_sleep = intern_string("await sleep", 11);
    text_lock = intern_string("await Lock", 10);
    text_rlock = intern_string("await RLock", 11);
    text_slot = intern_string("await pool slot", 15);
    greenlet_locks_start();
    Py_RETURN_NONE;
}

/* A slot whose method other code has since put its own function in front of stays taken. */
static PyObject *unwatch_greenlet_waits(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    int kept = 0;
    for (int i = slot_count - 1; i >= 0; i--) {
        slot *s = &slots[i];
        if (!trampoline_take(s->def, trampoline(i, s->def), s->original) && !kept)
            kept = i + 1;
    }
    slot_count = kept;
    Py_RETURN_NONE;
}

PyMethodDef waits_methods[] = {
    {"start_greenlet_waits", start_greenlet_waits, METH_NOARGS, start_doc},
    {"watch_greenlet_wait", watch_greenlet_wait, METH_VARARGS, watch_doc},
    {"unwatch_greenlet_waits", unwatch_greenlet_waits, METH_NOARGS, "Removes the trampolines."},
    {NULL, NULL, 0, NULL},
};
