/* gevent's locks: which greenlet holds which.
 *
 * A semaphore that two hold at a time is no lock: nobody owns it. */
#include "signals/greenlet/locks.h"

#include <string.h>

#include "python/codes.h"
#include "python/plain.h"
#include "ring/intern.h"
#include "ring/map.h"
#include "signals/locks/ids.h"

enum { TABLE_BITS = 12, WALKED = 64, SEMAPHORE = 2 };

/* A recently used lock. While greenlets wait for it, or its hold is recorded, its place is not given to another one. */
typedef struct {
    const void *lock; /* address, only compared; NULL: empty place */
    uint32_t owner;   /* task; 0: none, or unknown */
    uint32_t site;    /* string: where it was taken */
    uint32_t count, waiters;
    uint8_t is_shared; /* several have held it at once */
    uint8_t recorded;  /* a record says that it is held */
    uint8_t contended; /* the next hold is to be recorded */
} holder;

static holder holders[1 << TABLE_BITS]; /* guarded by the GIL */
static const char *const lock_names[] = {"Lock", "RLock", [SEMAPHORE] = "Semaphore"};
static uint32_t locks[sizeof lock_names / sizeof *lock_names]; /* "await Lock" … */

void greenlet_locks_start(void)
{
    char text[32];
    for (size_t i = 0; i < sizeof lock_names / sizeof *lock_names; i++)
        locks[i] = intern_string(text, (size_t)PyOS_snprintf(text, sizeof text, "await %s", lock_names[i]));
    ring_zero(holders, sizeof holders);
}

/* The standard library's Semaphore, where threading is patched, waits for a lock that it has taken itself. */
static int is_own_lock_of_semaphore(PyObject *object, uint32_t what)
{
    const char *type = Py_TYPE(object)->tp_name, *last = strrchr(type, '.');
    return what == locks[SEMAPHORE] && !strcmp(last ? last + 1 : type, "LockType");
}

static int is_lock(uint32_t what)
{
    for (size_t i = 0; i < sizeof locks / sizeof *locks; i++)
        if (locks[i] == what)
            return 1;
    return 0;
}

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
    if (h->waiters || h->recorded)
        return NULL;
    *h = (holder){.lock = lock};
    return h;
}

/* A lock is about to be freed: its owner, if any, no longer holds it. */
static void on_freed(const void *lock, uint32_t id)
{
    holder *h = place_of(lock);
    thread_buffer *b = h->lock == lock && h->recorded ? ring_current() : NULL;
    if (h->lock == lock)
        *h = (holder){0};
    if (b)
        ring_emit(b, clock_tick(), REC_LOCK_FREED, 0, 0, id, 0);
}

static long number_of(PyObject *lock, PyObject *name)
{
    PyObject *value = name ? plain_attribute(lock, name) : NULL;
    long number = value && PyLong_CheckExact(value) ? PyLong_AsLong(value) : -1;
    PyErr_Clear();
    Py_XDECREF(value);
    return number;
}

/* Whether the semaphore that was just taken says that nobody else has it. Then what its place says of others is about a
 * lock that is gone, whose address it has. */
static int has_one_holder(PyObject *lock)
{
    static PyObject *counter, *initial;
    if ((!counter && !(counter = PyUnicode_InternFromString("counter"))) ||
        (!initial && !(initial = PyUnicode_InternFromString("_initial_value"))))
        return 0;
    long whole = number_of(lock, initial), left = number_of(lock, counter);
    return whole > 0 && left >= 0 && whole - left == 1;
}

/* The program's line that has called the library. */
static uint32_t callers_site(void)
{
    compat_frame *at = *compat_frame_slot(PyThreadState_Get());
    for (int depth = 0; at && depth < WALKED; at = at->previous, depth++) {
        PyCodeObject *code = compat_frame_code(at);
        const code_facts *facts = code ? codes_of(code) : NULL;
        if (facts && !facts->inside_library)
            return codes_line(code, facts, compat_frame_offset(at));
    }
    return 0;
}

/* "gevent.Lock" for "await Lock". */
static uint32_t kind_of(uint32_t what)
{
    char text[64];
    size_t length, prefix = strlen("await ");
    const char *name = intern_text(what, &length);
    int size = PyOS_snprintf(text, sizeof text, "gevent.%.*s", length > prefix ? (int)(length - prefix) : 0, name + prefix);
    return size < (int)sizeof text ? intern_string(text, (size_t)size) : 0;
}

void greenlet_locks_wait(known_greenlet *from, PyObject *object, uint32_t what, await_lock *details)
{
    holder *h = is_lock(what) && !is_own_lock_of_semaphore(object, what) ? holder_of(object) : NULL;
    int can_be_held = h && !h->is_shared;
    *details = (await_lock){.lock = lock_ids_of(object, can_be_held ? 0 : what, can_be_held ? on_freed : NULL),
                            .shown_kind = kind_of(what)};
    if (!h)
        return;
    from->waits_for = object;
    h->waiters++;
    if (!can_be_held)
        return;
    h->contended = 1;
    h->recorded |= h->owner != 0;
    details->kind = details->shown_kind;
    details->owner_task = h->owner;
    details->owner_site = h->site;
    details->is_held = h->count > 0;
}

static void let_go(thread_buffer *b, holder *h, uint32_t id)
{
    if (h->recorded)
        ring_emit(b, clock_tick(), REC_LOCK_RELEASED, 1, 0, id, 0);
    h->owner = h->site = 0;
    h->recorded = 0;
}

void greenlet_locks_called(thread_buffer *b, const void *lock, int acquired)
{
    known_greenlet *current = b->greenlets.current;
    holder *h = holder_of(lock);
    if (current && current->waits_for == lock) {
        current->waits_for = NULL;
        if (h && h->waiters)
            h->waiters--;
    }
    if (h && acquired && (h->count || h->is_shared) && !h->waiters && has_one_holder((PyObject *)(uintptr_t)lock))
        *h = (holder){.lock = lock};
    if (!h || !acquired || h->is_shared)
        return;
    uint32_t id = h->recorded || h->contended ? lock_ids_of((PyObject *)(uintptr_t)lock, 0, on_freed) : 0;
    if (h->count++) {
        let_go(b, h, id);
        h->is_shared = 1;
        h->contended = 0;
        return;
    }
    h->owner = current ? current->id : 0;
    h->site = h->owner ? callers_site() : 0;
    if (h->contended && h->owner) {
        ring_emit(b, clock_tick(), REC_LOCK_ACQUIRED, 1, h->site, id, h->owner);
        h->recorded = 1;
    }
}

void greenlet_locks_released(thread_buffer *b, PyObject *lock)
{
    holder *h = place_of(lock);
    b->greenlets.given = lock;
    if (h->lock != lock)
        return;
    if (h->count)
        h->count--;
    let_go(b, h, h->recorded ? lock_ids_of(lock, 0, on_freed) : 0);
    h->contended = h->waiters > 0;
}
