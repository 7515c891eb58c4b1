/* The wrappers around the methods of locks, and which thread holds which lock. */
#include "signals/locks/locks.h"

#include <string.h>

#include "python/codes.h"
#include "python/stacks.h"
#include "python/trampolines.h"
#include "ring/intern.h"
#include "ring/stack_names.h"
#include "schema.h"
#include "signals/calls/calls.h"
#include "signals/locks/holders.h"
#include "signals/locks/ids.h"
#include "signals/locks/queues.h"

enum { LOOKS = 64 };

static PyInterpreterState *home; /* codes and objects of other interpreters are not named */

/* NOARGS methods that answer without blocking: locked, _is_owned, empty, is_done, none. */
static PyCFunction probes[KINDS];
static int reads_rlocks; /* compat_rlock_is_taken() is right */

void locks_code_dies(PyCodeObject *code)
{
    ++*deaths_of(code);
}

static inline uint32_t token_of(const void *lock)
{
    return (uint32_t)((uintptr_t)lock >> 4);
}

static inline int probe(enum kind kind, PyObject *self, PyObject *expected)
{
    PyObject *answer = probes[kind] ? probes[kind](self, NULL) : NULL; /* bools are immortal */
    return answer == expected;
}

/* Whether any thread holds the lock; for an RLock, any other thread. */
static int is_taken(enum kind kind, PyObject *self)
{
    if (kind == KIND_RLOCK)
        return reads_rlocks && compat_rlock_is_taken(self) && probe(KIND_RLOCK, self, Py_False);
    return probe(KIND_LOCK, self, Py_True);
}

/* --- taking --- */

/* One call that may block, from before it to after it. */
typedef struct {
    call_frame call;
    PyThreadState *tstate;
    holder *holder;
    const void *key;
    uint32_t what, id;
    uint8_t kind;
    uint8_t told;      /* the wait is in the trace … */
    uint8_t is_signal; /* … as one for something that nobody holds */
    uint8_t counted;   /* among the waiters */
} taking;

/* Whether the call may block. A lock with a waiter may already be granted to that waiter, which locked()
 * shows only once the waiter has run. */
static inline int may_block(const taking *t, PyObject *self)
{
    const holder *h = t->holder;
    int waited_for = h->lock == t->key && !h->owner && h->waiters;
    int known = h->lock == t->key && !(h->flags & IS_UNSEEN);
    switch (t->kind) {
    case KIND_LOCK: return waited_for || ((!known || h->owner) && is_taken(KIND_LOCK, self));
    case KIND_RLOCK:
        return waited_for || (known ? h->owner && h->owner != (uint32_t)t->call.buffer->tid : is_taken(KIND_RLOCK, self));
    case KIND_QUEUE: return probe(KIND_QUEUE, self, Py_True);
    case KIND_THREAD: return probe(KIND_THREAD, self, Py_False);
    default: return 1; /* threads: the call itself looks */
    }
}

/* Whether taking it is sure not to block: with the GIL, no other thread can take it first. */
static inline int is_free(const taking *t)
{
    const holder *h = t->holder;
    if (COMPAT_FREE_THREADED || !can_be_held(t->kind) || h->lock != t->key || h->waiters ||
        h->flags & (IS_RECORDED | IS_UNSEEN))
        return 0;
    if (t->kind == KIND_RLOCK)
        return h->owner == (uint32_t)t->call.buffer->tid || (!h->owner && h->flags & IS_COUNTED);
    return !h->owner;
}

static uint32_t site_of(PyCodeObject *code, int offset)
{
    return code ? codes_line(code, codes_of(code), offset) : 0;
}

/* Where the owner took it. Without a GIL the owner's code may die at any time, unless codes.c knows it. */
static uint32_t owner_site(const holder *seen)
{
    if (!seen->code || seen->deaths != *deaths_of(seen->code))
        return 0;
    return COMPAT_FREE_THREADED ? codes_line_if_known(seen->code, seen->offset) : site_of(seen->code, seen->offset);
}

/* What is known about the lock. Without a GIL, its owner may not have entered itself yet. */
static holder look(const taking *t, PyObject *self, int late)
{
    for (int patience = COMPAT_FREE_THREADED && t->kind == KIND_LOCK && !late ? LOOKS : 1;;) {
        hold_still(t->holder);
        const holder seen = *t->holder;
        let_go(t->holder);
        if (--patience == 0 || (seen.lock == t->key && seen.owner) || !is_taken(KIND_LOCK, self))
            return seen;
        sched_yield();
    }
}

/* A lock at this address is about to be freed: its owner, if any, no longer holds it. */
static void on_freed(const void *lock, uint32_t id)
{
    thread_buffer *b = calls_buffer();
    for (int kind = KIND_LOCK; kind <= KIND_RLOCK; kind++) {
        const void *key = key_of(lock, kind);
        holder *h = holder_of(lock, key);
        hold_still(h);
        int is_shown = h->lock == key && h->flags & IS_RECORDED;
        if (h->lock == key)
            *h = (holder){.busy = h->busy};
        let_go(h);
        if (is_shown && b)
            ring_emit(b, clock_tick(), REC_LOCK_FREED, 0, 0, id, 0);
    }
}

/* The number of what the thread waits for. A thread handle has none of its own: it keeps its other waiters' number. */
static uint32_t id_of_wait(const taking *t, PyObject *self, const wait_reason *reason, const holder *seen)
{
    if (reason->about)
        return lock_ids_of(reason->about, reason->what, NULL);
    if (t->kind == KIND_THREAD && seen->lock == t->key && seen->waiters)
        return seen->id;
    return lock_ids_of(self, 0, on_freed);
}

/* Records that the thread waits. No exception is set. */
static __attribute__((noinline)) void announce(taking *t, PyObject *self, int late)
{
    thread_buffer *b = t->call.buffer;
    holder *h = t->holder;
    lock_wait_details details = {.stack = stacks_capture(t->tstate), .token = token_of(self)};
    if (details.stack && !stack_names_of(details.stack))
        stacks_resolve();
    const stack_facts *stack = stack_names_of(details.stack);
    const holder seen = look(t, self, late);
    uint32_t owner = seen.lock == t->key && !late ? seen.owner : 0;
    const wait_reason reason = reason_of(t->kind, self, t->tstate, stack, owner);
    t->is_signal = reason.is_signal;
    t->what = reason.what;
    t->id = id_of_wait(t, self, &reason, &seen);
    if (reason.about)
        queues_know(reason.about, t->id, t->what, stack ? stack->site : 0);
    queues_look(b, clock_tick());
    details.owner_tid = reason.is_signal ? reason.joined : owner;
    details.joined = reason.pthread;
    details.slots = reason.slots;
    if (!reason.is_signal && owner)
        details.owner_site = owner_site(&seen);
    int unseen = seen.lock != t->key && can_be_held(t->kind) && !late && is_taken(t->kind, self);
    hold_still(h);
    if (h->lock != t->key && !is_pinned(h))
        *h = (holder){.lock = t->key, .flags = unseen ? IS_UNSEEN : 0, .busy = h->busy};
    if (h->lock == t->key) {
        unseen = h->flags & IS_UNSEEN && !late;
        h->id = t->id;
        h->waiters++;
        t->counted = 1;
        if (!t->is_signal && owner)
            h->flags |= IS_RECORDED;
    }
    let_go(h);
    uint64_t tick = clock_tick();
    record *slot = ring_reserve(b, 2, tick);
    if (slot) {
        uint8_t flags = (uint8_t)((late ? LOCK_TOLD_LATE : 0) | (t->is_signal ? LOCK_IS_SIGNAL : 0) |
                                  (reason.is_end ? LOCK_IS_END : 0) | (unseen && !t->is_signal ? LOCK_IS_HELD : 0));
        slot[0] = (record){tick, REC_LOCK_WAIT, flags, 1, t->what, t->id, 0};
        memcpy(&slot[1], &details, sizeof details);
        ring_commit(b, 2);
    }
    t->told = 1;
}

/* The call is over and has blocked, or was expected to. */
static __attribute__((noinline)) void conclude(taking *t, PyObject *self, int blocked, int acquired)
{
    PyObject *raised = PyErr_GetRaisedException();
    thread_buffer *b = t->call.buffer;
    if (blocked && gil_mode != GIL_WATCHED)
        calls_write_unwatched(b, &t->call, t->what, CLASS_LOCK);
    if (!t->counted)
        t->holder = holder_of(self, t->key);
    if (!t->told)
        announce(t, self, 1);
    if (atomic_load_explicit(&stacks_pending, memory_order_relaxed))
        stacks_resolve();
    ring_emit(b, clock_tick(), REC_LOCK_GOT, blocked ? acquired ? LOCK_ACQUIRED : LOCK_TIMED_OUT : LOCK_FREE, 0,
              t->id, 0);
    if (t->counted) {
        hold_still(t->holder);
        t->holder->waiters--;
        let_go(t->holder);
    }
    PyErr_SetRaisedException(raised);
}

static __attribute__((noinline)) void record_hold(taking *t, uint32_t id, PyCodeObject *code, int offset)
{
    uint32_t site = site_of(code, offset);
    ring_emit(t->call.buffer, clock_tick(), REC_LOCK_ACQUIRED, 0, site, id, reason_names[t->kind]);
}

/* Enters the thread as owner: one level deeper than before, or, if `restores`, at whatever depth it had. */
static inline void claim(taking *t, int contended, int restores)
{
    holder *h = t->holder;
    uint32_t tid = (uint32_t)t->call.buffer->tid;
    compat_frame *frame = *compat_frame_slot(t->tstate);
    PyCodeObject *code = frame ? compat_frame_code(frame) : NULL;
    if (COMPAT_FREE_THREADED && code)
        codes_remember(code);
    hold_still(h);
    if (h->lock != t->key) {
        if (is_pinned(h)) {
            let_go(h);
            return;
        }
        h->lock = t->key;
        h->flags = 0;
    } else if (t->kind == KIND_RLOCK && h->owner == tid) {
        h->depth++;
        let_go(h);
        return;
    }
    int is_counted = h->flags & IS_COUNTED && !h->owner && !restores;
    int shown = h->flags & IS_RECORDED; /* as another thread's, whose release was not seen */
    int is_shown = (contended || h->waiters || shown) && !t->is_signal;
    h->flags = (is_counted ? IS_COUNTED : 0) | (is_shown ? IS_RECORDED : 0);
    h->depth = 1;
    if (COMPAT_FREE_THREADED)
        h->claims++;
    h->owner = tid;
    h->code = code;
    h->offset = code ? compat_frame_offset(frame) : 0;
    h->deaths = code ? *deaths_of(code) : 0;
    uint32_t id = h->id;
    let_go(h);
    if (__builtin_expect(is_shown, 0))
        record_hold(t, id, code, code ? compat_frame_offset(frame) : 0);
}

/* Whether this thread's calls are recorded; fills in what the wrappers need. */
static inline int begins(taking *t, PyObject *self, enum kind kind)
{
    thread_buffer *b = calls_buffer();
    if (!b)
        return 0;
    t->tstate = PyThreadState_Get();
    t->kind = (uint8_t)kind;
    t->told = t->is_signal = t->counted = 0;
    t->what = reason_names[kind];
    t->key = key_of(self, kind);
    t->holder = holder_of(self, t->key);
    t->call.buffer = b;
    return t->tstate->interp == home;
}

static inline PyObject *ends(taking *t, PyObject *self, int restores, PyObject *result)
{
    if (__builtin_expect(!calls_same_recording(&t->call), 0))
        return result;
    int blocked = calls_leave(&t->call) != NULL;
    int acquired = t->kind == KIND_THREAD ? result && probe(KIND_THREAD, self, Py_True) : result && result != Py_False;
    if (__builtin_expect(blocked || t->told, 0))
        conclude(t, self, blocked, acquired);
    if (acquired && can_be_held(t->kind))
        claim(t, blocked, restores);
    return result;
}

/* The call did not block. */
static inline PyObject *took(taking *t, int restores, PyObject *result)
{
    if (result && result != Py_False)
        claim(t, 0, restores);
    return result;
}

/* --- releasing --- */

/* One release, as noted before it: afterwards nothing shows who had the lock. */
typedef struct {
    holder *holder;
    uint64_t tick; /* before another thread can take it; 0: nobody waits and no record says that it is held */
    uint32_t id, claims;
    enum { GIVES_ALL, GIVES_ONE, GIVES_UNTOLD } gives;
} giving;

static inline int may_tell(giving *g, PyObject *self, enum kind kind, int all)
{
    thread_buffer *b = calls_buffer();
    const void *key = key_of(self, kind);
    holder *h = g->holder = holder_of(self, key);
    if (!b || h->lock != key)
        return 0;
    g->tick = __builtin_expect(is_pinned(h), 0) ? clock_tick() : 0;
    g->id = h->id;
    g->claims = h->claims;
    if (kind != KIND_RLOCK || all)
        g->gives = GIVES_ALL;
    else if (h->flags & IS_COUNTED && h->owner == (uint32_t)b->tid)
        g->gives = h->depth > 1 ? GIVES_ONE : GIVES_ALL;
    else
        g->gives = GIVES_UNTOLD;
    return 1;
}

static inline void given(const giving *g, PyObject *self, enum kind kind)
{
    holder *h = g->holder;
    if (g->gives == GIVES_UNTOLD && probe(KIND_RLOCK, self, Py_True))
        return;
    hold_still(h);
    if (h->lock == key_of(self, kind) && h->claims == g->claims) { /* else another thread already has it */
        if (g->gives == GIVES_ONE) {
            h->depth--;
        } else {
            h->owner = 0;
            h->flags = IS_COUNTED;
        }
    }
    let_go(h);
    if (g->tick && g->gives != GIVES_ONE)
        ring_emit(ring_mine, g->tick, REC_LOCK_RELEASED, 0, stacks_here(),
                  g->id, token_of(self));
}

/* --- the wrappers: one per method and calling convention --- */

typedef PyObject *(*two_args)(PyObject *, PyObject *);
typedef PyObject *(*three_args)(PyObject *, PyObject *, PyObject *);
typedef PyObject *(*fast)(PyObject *, PyObject *const *, Py_ssize_t);
typedef PyObject *(*fast_keywords)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);
typedef PyObject *(*fast_method)(PyObject *, PyTypeObject *, PyObject *const *, Py_ssize_t, PyObject *);

/* acquire(False) does not wait. Other ways to ask for that are detected afterwards. */
static int tuple_polls(PyObject *args, PyObject *keywords)
{
    if (args && PyTuple_Check(args) && PyTuple_GET_SIZE(args))
        return PyTuple_GET_ITEM(args, 0) == Py_False;
    return keywords && PyDict_GetItemString(keywords, "blocking") == Py_False;
}

#define TAKE(row, kind, polls, made)                                                               \
    PyCFunction original = rows[ROW_##row].original;                                                     \
    taking t;                                                                                      \
    if (__builtin_expect(!begins(&t, self, kind), 0))                                              \
        return made;                                                                               \
    if (__builtin_expect(is_free(&t), 1))                                                          \
        return took(&t, ROW_##row == ROW_RLock__acquire_restore, made);                            \
    if (__builtin_expect(may_block(&t, self), 0) && !(polls))                                     \
        announce(&t, self, 0);                                                                     \
    t.call = calls_enter(t.call.buffer, t.what, CLASS_LOCK, *compat_frame_slot(t.tstate));         \
    return ends(&t, self, ROW_##row == ROW_RLock__acquire_restore, made);

#define GIVE(row, kind, all, made)                                                                 \
    PyCFunction original = rows[ROW_##row].original;                                               \
    giving g;                                                                                      \
    if (!may_tell(&g, self, kind, all))                                                            \
        return made;                                                                               \
    PyObject *result = made;                                                                       \
    if (result)                                                                                    \
        given(&g, self, kind);                                                                     \
    return result;

#define RELEASE(row, kind, polls, made) GIVE(row, kind, 0, made)
#define RELEASE_ALL(row, kind, polls, made) GIVE(row, kind, 1, made)

/* X(row, what it does, kind) */
#define ROWS(X)                                         \
    X(lock_acquire, TAKE, KIND_LOCK)                    \
    X(lock_acquire_lock, TAKE, KIND_LOCK)               \
    X(lock___enter__, TAKE, KIND_LOCK)                  \
    X(lock_release, RELEASE, KIND_LOCK)                 \
    X(lock_release_lock, RELEASE, KIND_LOCK)            \
    X(lock___exit__, RELEASE, KIND_LOCK)                \
    X(RLock_acquire, TAKE, KIND_RLOCK)                  \
    X(RLock___enter__, TAKE, KIND_RLOCK)                \
    X(RLock__acquire_restore, TAKE, KIND_RLOCK)         \
    X(RLock_release, RELEASE, KIND_RLOCK)               \
    X(RLock___exit__, RELEASE, KIND_RLOCK)              \
    X(RLock__release_save, RELEASE_ALL, KIND_RLOCK)     \
    X(SimpleQueue_get, TAKE, KIND_QUEUE)                \
    X(SimpleQueue_put, RELEASE_ALL, KIND_QUEUE)         \
    X(SimpleQueue_put_nowait, RELEASE_ALL, KIND_QUEUE)  \
    X(_ThreadHandle_join, TAKE, KIND_THREAD)            \
    X(_ThreadHandle__set_done, RELEASE, KIND_THREAD)    \
    X(_thread__shutdown, TAKE, KIND_THREADS)

enum row {
#define NUMBER(row, does, kind) ROW_##row,
    ROWS(NUMBER) ROW_COUNT
};

static struct {
    const char *name;
    PyMethodDef *def; /* NULL: not wrapped */
    PyCFunction original; /* stays set: threads may be inside */
} rows[ROW_COUNT] = {
#define NAME(row, does, kind) {#row, NULL, NULL},
    ROWS(NAME)
};

#define WRAPPERS(row, does, kind)                                                                  \
    static PyObject *two_##row(PyObject *self, PyObject *a)                                        \
    {                                                                                              \
        does(row, kind, tuple_polls(a, NULL), ((two_args)original)(self, a))                 \
    }                                                                                              \
    static PyObject *three_##row(PyObject *self, PyObject *a, PyObject *k)                         \
    {                                                                                              \
        does(row, kind, tuple_polls(a, k), ((three_args)(void (*)(void))original)(self, a, k)) \
    }                                                                                              \
    static PyObject *fast_##row(PyObject *self, PyObject *const *a, Py_ssize_t n)                  \
    {                                                                                              \
        does(row, kind, n && a[0] == Py_False, ((fast)(void (*)(void))original)(self, a, n)) \
    }                                                                                              \
    static PyObject *keywords_##row(PyObject *self, PyObject *const *a, Py_ssize_t n, PyObject *k) \
    {                                                                                              \
        does(row, kind, n && a[0] == Py_False,                                               \
             ((fast_keywords)(void (*)(void))original)(self, a, n, k))                             \
    }                                                                                              \
    static PyObject *method_##row(PyObject *self, PyTypeObject *type, PyObject *const *a, Py_ssize_t n, PyObject *k) \
    {                                                                                              \
        does(row, kind, n && a[0] == Py_False,                                               \
             ((fast_method)(void (*)(void))original)(self, type, a, n, k))                         \
    }
ROWS(WRAPPERS)

#define ENTRY(row, does, kind)                                                                     \
    {two_##row, (PyCFunction)(void (*)(void))three_##row, (PyCFunction)(void (*)(void))fast_##row, \
     (PyCFunction)(void (*)(void))keywords_##row, (PyCFunction)(void (*)(void))method_##row},
static const PyCFunction wrappers[ROW_COUNT][CALLS_CONVENTIONS] = {ROWS(ENTRY)};

/* --- arming --- */

void locks_leave_parent(void)
{
    ring_zero(holders, sizeof holders);
}

PyDoc_STRVAR(start_doc, "start_locks()\n\nForgets all holders, before the methods are wrapped.");

static PyObject *start_locks(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    reasons_start();
    home = PyInterpreterState_Get();
    ring_zero(holders, sizeof holders);
    Py_RETURN_NONE;
}

/* Whether an RLock of this type reads correctly, both taken and free; -1 with an exception. */
static int reads_right(PyTypeObject *rlock)
{
    PyObject *one = PyObject_CallNoArgs((PyObject *)rlock);
    int before = one && compat_rlock_is_taken(one);
    PyObject *done = one ? PyObject_CallMethod(one, "acquire", NULL) : NULL;
    int taken = done && compat_rlock_is_taken(one);
    Py_XSETREF(done, done ? PyObject_CallMethod(one, "release", NULL) : NULL);
    int right = done ? !before && taken && !compat_rlock_is_taken(one) : -1;
    Py_XDECREF(one);
    Py_XDECREF(done);
    return right;
}

PyDoc_STRVAR(probe_doc, "probe_lock(kind, method)\n\n"
"Sets the method, called without arguments, that returns whether a Lock is locked, an RLock is owned by\n"
"the thread, a SimpleQueue is empty, or a _ThreadHandle is done (kinds 0 to 3). False if it takes others.");

static PyObject *probe_lock(PyObject *module, PyObject *args)
{
    (void)module;
    int kind;
    PyObject *method;
    if (!PyArg_ParseTuple(args, "iO", &kind, &method))
        return NULL;
    PyMethodDef *def = compat_method_def(method);
    if (!def || def->ml_flags != METH_NOARGS || kind < 0 || kind >= KINDS)
        Py_RETURN_FALSE;
    probes[kind] = def->ml_meth;
    if (kind == KIND_RLOCK && (reads_rlocks = reads_right(PyDescr_TYPE(method))) < 0)
        return NULL;
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(wrap_doc, "wrap_lock(name, method) -> bool\n\n"
"Wraps a method known here as \"lock_acquire\". False if its calling convention is unknown.");

static PyObject *wrap_lock(PyObject *module, PyObject *args)
{
    (void)module;
    const char *name;
    PyObject *method;
    if (!PyArg_ParseTuple(args, "sO", &name, &method))
        return NULL;
    PyMethodDef *def = compat_method_def(method);
    int which = def ? calls_convention(def->ml_flags) : -1;
    int row = 0;
    while (row < ROW_COUNT && strcmp(rows[row].name, name))
        row++;
    if (which < 0 || row == ROW_COUNT)
        Py_RETURN_FALSE;
    if (rows[row].def)
        Py_RETURN_TRUE;
    rows[row].def = def;
    trampoline_put(def, wrappers[row][which], &rows[row].original);
    Py_RETURN_TRUE;
}

/* A method that other code has wrapped after us keeps both wrappers. */
static PyObject *unwrap_locks(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    for (int row = 0; row < ROW_COUNT; row++) {
        PyMethodDef *def = rows[row].def;
        if (def && trampoline_take(def, wrappers[row][calls_convention(def->ml_flags)], rows[row].original))
            rows[row].def = NULL;
    }
    lock_ids_forget();
    queues_forget();
    Py_RETURN_NONE;
}

PyMethodDef locks_methods[] = {
    {"start_locks", start_locks, METH_NOARGS, start_doc},
    {"probe_lock", probe_lock, METH_VARARGS, probe_doc},
    {"wrap_lock", wrap_lock, METH_VARARGS, wrap_doc},
    {"unwrap_locks", unwrap_locks, METH_NOARGS, "Removes the wrappers."},
    {NULL, NULL, 0, NULL},
};
