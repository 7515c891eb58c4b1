/* Locks of tasks: which task holds which, known from the first wait for any lock of the type onwards.
 *
 * Until a task waits for a lock, nothing is watched and locks cost nothing. From then on, the returns
 * of acquire and release are watched until the recording ends. The owner of an asyncio.Lock taken
 * before that is searched for among the tasks suspended inside an `async with`; other locks know it. */
#include "signals/asyncio/locks.h"

#include <string.h>

#include "python/codes.h"
#include "python/notes.h"
#include "python/plain.h"
#include "ring/intern.h"
#include "ring/map.h"
#include "signals/asyncio/identity.h"
#include "signals/locks/ids.h"
#include "signals/locks/queues.h"

enum { TABLE_BITS = 12, SEARCHED_MOST = 4096, CHAIN_LIMIT = 256, TYPES = 8 };

typedef struct {
    PyTypeObject *type;
    uint32_t kind;              /* string "asyncio.Lock" */
    PyObject *owner;            /* names of attributes, one of another, the last is the task; NULL: it has none */
    PyCodeObject *enter, *exit; /* `async with lock` */
    PyObject *on_first_wait;    /* called once, with no arguments; then NULL */
} lock_type;

static lock_type types[TYPES];

/* A recently used lock. While it is contended, or its hold is recorded, its place in the table is not
 * given to another lock. */
typedef struct {
    const void *lock;  /* address, only compared; NULL: empty place */
    uint32_t owner;    /* task; 0: none, or unknown */
    uint32_t site;     /* string: where it was taken */
    uint8_t contended; /* a task waits, or did at the last release: the next hold is recorded */
    uint8_t recorded;  /* a record says that it is held */
    uint8_t searched;  /* its owner was searched for: do not search again */
} holder;

static holder holders[1 << TABLE_BITS]; /* guarded by the GIL */
static PyObject *str_locked, *str_waiters;
static int with_except_start; /* opcode */

static holder *place_of(const void *lock)
{
    return &holders[map_hash((uint64_t)(uintptr_t)lock) & ((1u << TABLE_BITS) - 1)];
}

/* NULL: another lock has its place. */
static holder *holder_of(const void *lock)
{
    holder *h = place_of(lock);
    if (h->lock == lock)
        return h;
    if (h->contended || h->recorded)
        return NULL;
    *h = (holder){.lock = lock};
    return h;
}

/* NULL: it is none that is known. */
static lock_type *type_of(PyObject *lock)
{
    for (lock_type *type = types; lock && type < types + TYPES && type->type; type++)
        if (PyObject_TypeCheck(lock, type->type))
            return type;
    return NULL;
}

static int is_true(PyObject *object, PyObject *attribute)
{
    PyObject *value = PyObject_GetAttr(object, attribute);
    int truth = value ? PyObject_IsTrue(value) : 0;
    Py_XDECREF(value);
    PyErr_Clear();
    return truth > 0;
}

/* --- finding the owner of a lock taken earlier --- */

static PyCodeObject *code_of(PyObject *function)
{
    return function && PyFunction_Check(function) ? (PyCodeObject *)PyFunction_GET_CODE(function) : NULL;
}

/* Where a task holds a lock: inside this frame's `async with`, whose exit is `depth` deep in its stack. */
typedef struct {
    const compat_frame *frame;
    int depth;
    int count; /* exits found */
} inside;

/* Adds the lock's __aexit__ methods among the first `size` values on the frame's stack: bound, or next to
 * the lock. */
static void find_exits(const compat_frame *frame, int size, PyObject *lock, inside *found)
{
    const lock_type *type = type_of(lock);
    const PyCodeObject *exit_code = type ? type->exit : NULL;
    PyObject *before = NULL;
    for (int i = 0; i < size; i++) {
        PyObject *value = compat_stack_value(frame, i);
        int is_bound = value && PyMethod_Check(value) && PyMethod_GET_SELF(value) == lock;
        if (is_bound ? code_of(PyMethod_GET_FUNCTION(value)) == exit_code
                     : value == lock && code_of(before) == exit_code)
            *found = found->count ? (inside){found->frame, found->depth, found->count + 1} : (inside){frame, i + 1, 1};
        before = value;
    }
}

/* Whether a task is inside `async with lock`, and not still entering it (in `__aenter__` or below). */
static int is_inside(PyObject *coro, PyObject *lock, inside *found)
{
    *found = (inside){0};
    const lock_type *type = type_of(lock);
    for (int depth = 0; type && coro && depth < CHAIN_LIMIT; depth++) {
        if (PyCoro_CheckExact(coro) || PyGen_CheckExact(coro) || PyAsyncGen_CheckExact(coro)) {
            if (!compat_gen_is_suspended(coro))
                break;
            if (compat_gen_code(coro) == type->enter)
                found->count -= compat_gen_local(coro, 0) == lock;
            else
                find_exits(compat_gen_frame(coro), compat_gen_stack_size(coro), lock, found);
        }
        coro = await_next(coro);
        Py_XDECREF(coro); /* its predecessor holds it */
    }
    return found->count > 0;
}

/* An entry of a code's exception table: this code, in units, has its handler there, which finds `depth` values
 * on the stack. Entries do not overlap. */
typedef struct {
    int start, size, handler, depth;
} covered;

static const uint8_t *read_varint(const uint8_t *at, const uint8_t *end, int *value)
{
    *value = 0;
    while (at < end) {
        *value = *value << 6 | (*at & 63);
        if (!(*at++ & 64))
            break;
    }
    return at;
}

/* Reads the entry at `at` and goes on to the next; 0 at the end of the table. */
static int next_covered(const PyCodeObject *code, const uint8_t **at, covered *entry)
{
    const uint8_t *start = (const uint8_t *)PyBytes_AS_STRING(code->co_exceptiontable);
    const uint8_t *end = start + PyBytes_GET_SIZE(code->co_exceptiontable);
    if (!*at)
        *at = start;
    if (*at >= end)
        return 0;
    *at = read_varint(read_varint(*at, end, &entry->start), end, &entry->size);
    *at = read_varint(read_varint(*at, end, &entry->handler), end, &entry->depth);
    entry->depth >>= 1; /* the lowest bit is another thing */
    return 1;
}

static int unit_of(const compat_frame *frame)
{
    return compat_frame_offset(frame) / (int)sizeof(_Py_CODEUNIT);
}

/* The line of the `async with`: the line of the exception handler that calls its exit, and that covers
 * code before and after the frame's current position. 0: unknown. */
static uint32_t site_of_with(const inside *found)
{
    PyCodeObject *code = compat_frame_code(found->frame);
    int here = unit_of(found->frame), handler = -1, covers = 0;
    covered entry;
    for (const uint8_t *at = NULL; next_covered(code, &at, &entry);) {
        if (entry.depth == found->depth && entry.start <= here && entry.handler + 1 < Py_SIZE(code) &&
            compat_opcode(code, entry.handler + 1) == with_except_start) {
            handler = entry.handler;
            covers = 0;
        }
        covers |= entry.handler == handler && entry.start + entry.size > here;
    }
    return covers ? codes_line(code, codes_of(code), handler * (int)sizeof(_Py_CODEUNIT)) : 0;
}

/* How many values are on a running frame's stack for sure: those that the handler around its current
 * position would find. */
static int sure_depth(const compat_frame *frame)
{
    int here = unit_of(frame);
    covered entry;
    for (const uint8_t *at = NULL; next_covered(compat_frame_code(frame), &at, &entry);)
        if (entry.start <= here && here < entry.start + entry.size)
            return entry.depth;
    return 0;
}

/* The frame in which a task of this thread begins, while it runs. */
static const compat_frame *first_frame(const step *running)
{
    known_task *known = running->task ? identity_find(running->object) : NULL;
    if (!known || known->id != running->task || !PyObject_TypeCheck(known->task, identity.c_task))
        return NULL;
    PyObject *coro = identity_coro(known->task);
    Py_XDECREF(coro); /* the task holds it */
    return coro && (PyCoro_CheckExact(coro) || PyGen_CheckExact(coro)) ? compat_gen_frame(coro) : NULL;
}

/* Adds the tasks that run in this thread, each in the middle of a step of the one before it: an eager task
 * begins to wait while its creator runs. */
static int find_running_owners(const thread_buffer *b, PyObject *lock, holder *h)
{
    const compat_frame *frame = *compat_frame_slot(PyThreadState_Get());
    int owners = 0;
    for (int depth = b->depth <= STEP_DEPTH ? (int)b->depth : 0; depth--;) {
        const compat_frame *first = first_frame(&b->steps[depth]);
        inside found = {0};
        for (int left = CHAIN_LIMIT; first && frame && left--; frame = frame->previous) {
            if (compat_frame_code(frame))
                find_exits(frame, sure_depth(frame), lock, &found);
            if (frame == first)
                break;
        }
        if (!first || frame != first)
            break;
        frame = frame->previous;
        if (found.count) {
            owners++;
            h->owner = b->steps[depth].task;
            h->site = site_of_with(&found);
        }
    }
    return owners;
}

/* The one task that can hold the lock, and where it took it; 0 when there is none, or more than one, or
 * too many to look at. No Python code runs in here: only C tasks are examined. */
static void find_owner(const thread_buffer *b, PyObject *lock, holder *h)
{
    map *tasks = &identity.by_task;
    if (!identity.c_task || tasks->used > SEARCHED_MOST)
        return;
    int owners = find_running_owners(b, lock, h);
    compat_lock(&identity_guard);
    for (uint32_t i = 0; tasks->slots && i <= tasks->mask; i++) {
        known_task *known = (known_task *)(uintptr_t)tasks->slots[i].value;
        if (!tasks->slots[i].key || !PyObject_TypeCheck(known->task, identity.c_task))
            continue;
        inside found;
        PyObject *coro = identity_read(known->task, FIELD_CORO);
        if (coro && is_inside(coro, lock, &found)) {
            owners++;
            h->owner = known->id;
            h->site = site_of_with(&found);
        }
        Py_XDECREF(coro);
    }
    compat_unlock(&identity_guard);
    if (owners != 1)
        h->owner = h->site = 0;
}

/* --- the hooks --- */

/* A lock is about to be freed: its owner, if any, no longer holds it. */
static void on_freed(const void *lock, uint32_t id)
{
    holder *h = place_of(lock);
    int is_shown = h->lock == lock && h->recorded;
    thread_buffer *b = is_shown ? ring_current() : NULL;
    if (h->lock == lock)
        *h = (holder){0};
    if (b)
        ring_emit(b, clock_tick(), REC_LOCK_FREED, 0, 0, id, 0);
}

/* The task that holds a lock which says so; NULL: none that is known. `is_held`: by any. */
static known_task *find_named_owner(const lock_type *type, PyObject *lock, int *is_held)
{
    PyObject *task = plain_path(lock, type->owner);
    known_task *known = task ? identity_find(task) : NULL;
    *is_held = task && task != Py_None;
    Py_XDECREF(task); /* the lock holds it */
    return known;
}

/* Where the owner took it: around its `async with`, or in the call that has just got it. */
static uint32_t site_in(const known_task *owner, PyObject *lock)
{
    inside found = {0};
    await_facts facts = {0};
    uint32_t site = 0;
    PyObject *coro = identity_coro(owner->task);
    if (coro && is_inside(coro, lock, &found) && found.frame) {
        site = site_of_with(&found);
    } else if (coro) {
        await_describe(coro, NULL, &facts);
        site = facts.lock == lock ? facts.site : 0;
        Py_XDECREF(facts.lock);
    }
    Py_XDECREF(coro);
    return site;
}

static void tell_owner(const thread_buffer *b, lock_type *type, PyObject *lock, await_lock *details)
{
    holder *h = holder_of(lock);
    int locked = 0;
    if (type->owner) {
        const known_task *owner = find_named_owner(type, lock, &locked);
        details->is_held = (uint32_t)locked;
        if (h && owner && h->owner != owner->id) {
            h->owner = owner->id;
            h->site = site_in(owner, lock);
        }
    } else {
        details->is_held = (uint32_t)(locked = is_true(lock, str_locked));
        if (h && !h->owner && !h->searched && locked) {
            find_owner(b, lock, h);
            h->searched = 1;
        }
    }
    if (!h)
        return;
    h->contended = 1;
    h->recorded |= h->owner != 0;
    details->owner_task = h->owner;
    details->owner_site = h->site;
}

void async_locks_wait(const thread_buffer *b, const await_facts *facts, await_lock *details)
{
    PyObject *lock = facts->lock;
    int is_lock = facts->primitive == PRIMITIVE_LOCK;
    lock_type *type = is_lock ? type_of(lock) : NULL;
    *details = (await_lock){.lock = lock_ids_of(lock, is_lock ? 0 : facts->what, is_lock ? on_freed : NULL),
                            .slots = facts->slots, .holders = facts->holder_count};
    if (!is_lock)
        queues_know(lock, details->lock, facts->what, facts->site);
    if (!type) {
        details->shown_kind = facts->kind;
        return;
    }
    details->kind = type->kind;
    details->shown_kind = type->owner ? type->kind : 0;
    if (type->on_first_wait)
        notes_call_once(&type->on_first_wait, "locks of tasks");
    tell_owner(b, type, lock, details);
}

static uint32_t running_task(const thread_buffer *b)
{
    return b->depth && b->depth <= STEP_DEPTH ? b->steps[b->depth - 1].task : 0;
}

/* The line at which the program called asyncio. */
static uint32_t callers_site(PyThreadState *tstate)
{
    for (compat_frame *at = *compat_frame_slot(tstate); at; at = at->previous) {
        PyCodeObject *code = compat_frame_code(at);
        const code_facts *facts = code ? codes_of(code) : NULL;
        if (facts && !facts->inside_scheduler)
            return codes_line(code, facts, compat_frame_offset(at));
    }
    return 0;
}

static void give_back(thread_buffer *b, uint64_t tick, PyObject *lock, holder *h)
{
    if (h->recorded)
        ring_emit(b, tick, REC_LOCK_RELEASED, 1, 0, lock_ids_of(lock, 0, on_freed), 0);
    h->owner = h->site = 0;
    h->recorded = h->searched = 0;
}

void async_locks_acquired(thread_buffer *b, uint64_t tick, PyObject *value)
{
    PyThreadState *tstate = PyThreadState_Get();
    PyObject *lock = compat_local(tstate, 0);
    holder *h = lock && value == Py_True ? holder_of(lock) : NULL;
    if (!h)
        return;
    h->searched = 0;
    h->owner = running_task(b);
    h->site = callers_site(tstate);
    if (!h->contended && !h->recorded)
        return;
    if (!h->owner) {
        give_back(b, tick, lock, h); /* the previous owner no longer holds it */
        return;
    }
    ring_emit(b, tick, REC_LOCK_ACQUIRED, 1, h->site, lock_ids_of(lock, 0, on_freed), h->owner);
    h->recorded = 1;
    h->contended = (uint8_t)is_true(lock, str_waiters);
}

void async_locks_released(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)value;
    PyObject *lock = compat_local(PyThreadState_Get(), 0);
    holder *h = lock ? holder_of(lock) : NULL;
    if (h)
        give_back(b, tick, lock, h);
}

/* The lock has been taken by `owner`, whom the trace knows if it is contended. */
static void take(thread_buffer *b, uint64_t tick, PyObject *lock, holder *h, uint32_t owner, uint32_t site)
{
    h->owner = owner;
    h->site = site;
    if (!h->contended && !h->recorded)
        return;
    ring_emit(b, tick, REC_LOCK_ACQUIRED, 1, site, lock_ids_of(lock, 0, on_freed), owner);
    h->recorded = 1;
}

void owned_lock_acquired(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)value;
    PyThreadState *tstate = PyThreadState_Get();
    PyObject *lock = compat_local(tstate, 0);
    holder *h = type_of(lock) ? holder_of(lock) : NULL;
    uint32_t task = running_task(b);
    if (h && task && h->owner != task) /* else it got it when its owner released it */
        take(b, tick, lock, h, task, callers_site(tstate));
}

/* It belongs to the next waiter at once, if there is one. */
void owned_lock_released(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)value;
    PyObject *lock = compat_local(PyThreadState_Get(), 0);
    const lock_type *type = type_of(lock);
    holder *h = type ? holder_of(lock) : NULL;
    if (!h)
        return;
    give_back(b, tick, lock, h);
    int is_held;
    const known_task *next = find_named_owner(type, lock, &is_held);
    if (next)
        take(b, tick, lock, h, next->id, next->await_site);
    else
        h->contended = 0;
}

void async_lock_taken(thread_buffer *b, PyObject *lock, uint32_t owner, uint32_t site)
{
    holder *h = holder_of(lock);
    if (h && owner)
        take(b, h->contended || h->recorded ? clock_tick() : 0, lock, h, owner, site);
}

int async_lock_given(thread_buffer *b, PyObject *lock)
{
    holder *h = holder_of(lock);
    if (!h)
        return 1;
    if (h->contended || h->recorded)
        give_back(b, clock_tick(), lock, h);
    h->owner = 0;
    return h->contended;
}

/* --- set-up, from signals/loops/task_locks.py --- */

PyDoc_STRVAR(label_doc, "label_primitive(code, is_lock, kind)\n\n"
"A task that waits in `code` waits for its first argument: a lock if is_lock, else something nobody can hold, a\n"
"`kind` (\"\": the name of the wait tells).");

static PyObject *label_primitive(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *code, *kind;
    int is_lock;
    if (!PyArg_ParseTuple(args, "O!pU", &PyCode_Type, &code, &is_lock, &kind))
        return NULL;
    code_facts *facts = codes_change((PyCodeObject *)code);
    if (facts->func) {
        facts->primitive = is_lock ? PRIMITIVE_LOCK : PRIMITIVE_SIGNAL;
        facts->kind = codes_text(kind);
    }
    Py_RETURN_NONE;
}

void async_locks_leave_parent(void)
{
    ring_zero(holders, sizeof holders);
}

PyDoc_STRVAR(know_doc, "know_lock(type, kind, owner, enter, exit, on_first_wait)\n\n"
"Locks of this type are called `kind`; `owner` are the names of attributes, of which the last is the task that holds\n"
"them (none: they do not say);\n"
"`enter` and `exit` are the codes of `async with`. `on_first_wait` is called when a task first waits for one.");

static PyObject *know_lock(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *lock, *kind, *owner, *enter, *leave, *call;
    if (!PyArg_ParseTuple(args, "O!UO!O!O!O", &PyType_Type, &lock, &kind, &PyTuple_Type, &owner, &PyCode_Type, &enter, &PyCode_Type,
                          &leave, &call))
        return NULL;
    for (lock_type *type = types; type < types + TYPES; type++) {
        if (type->type)
            continue;
        *type = (lock_type){(PyTypeObject *)Py_NewRef(lock), codes_text(kind),
                            PyTuple_GET_SIZE(owner) ? Py_NewRef(owner) : NULL, (PyCodeObject *)Py_NewRef(enter),
                            (PyCodeObject *)Py_NewRef(leave), Py_NewRef(call)};
        Py_RETURN_NONE;
    }
    return PyErr_Format(PyExc_RuntimeError, "too many types of locks");
}

PyDoc_STRVAR(start_doc, "start_async_locks(with_except_start)\n\n`with_except_start` is an opcode, or -1.");

static PyObject *start_async_locks(PyObject *module, PyObject *opcode)
{
    (void)module;
    with_except_start = (int)PyLong_AsLong(opcode);
    if (PyErr_Occurred())
        return NULL;
    if (!str_locked && !(str_locked = PyUnicode_InternFromString("_locked")))
        return NULL;
    if (!str_waiters && !(str_waiters = PyUnicode_InternFromString("_waiters")))
        return NULL;
    ring_zero(holders, sizeof holders);
    await_names_locks = 1;
    Py_RETURN_NONE;
}

/* The labels of code objects stay. */
static PyObject *stop_async_locks(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    await_names_locks = 0;
    queues_forget();
    for (lock_type *type = types; type < types + TYPES; type++) {
        const lock_type left = *type;
        *type = (lock_type){0};
        Py_XDECREF(left.type);
        Py_XDECREF(left.owner);
        Py_XDECREF(left.enter);
        Py_XDECREF(left.exit);
        Py_XDECREF(left.on_first_wait);
    }
    Py_RETURN_NONE;
}

PyMethodDef async_locks_methods[] = {
    {"label_primitive", label_primitive, METH_VARARGS, label_doc},
    {"know_lock", know_lock, METH_VARARGS, know_doc},
    {"start_async_locks", start_async_locks, METH_O, start_doc},
    {"stop_async_locks", stop_async_locks, METH_NOARGS, "Forgets all holders."},
    {NULL, NULL, 0, NULL},
};
