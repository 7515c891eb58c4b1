/* Numbers for locks and what is waited for in other objects, by address and weak reference. */
#include "signals/locks/ids.h"

#include "ring/map.h"

enum { SWEEP_AT_FIRST = 1024 };

typedef struct {
    uint32_t id;
    PyObject *ref; /* weak; NULL where the type has none, and the address must do */
} known_lock;

static map known; /* key_of() -> known_lock* */
static uint32_t last_id, sweep_at = SWEEP_AT_FIRST;
static compat_mutex guard; /* of all of it, where the GIL is not */

/* Addresses have 47 bits, of which the lowest four are 0. */
static uint64_t key_of(const PyObject *object, uint32_t what)
{
    return (uint64_t)(uintptr_t)object >> 4 | (uint64_t)what << 43;
}

static known_lock *at(const map_slot *slot)
{
    return (known_lock *)(uintptr_t)slot->value;
}

static void drop(known_lock *lock)
{
    Py_XDECREF(lock->ref);
    free(lock);
}

/* Into a new map: removing moves neighbours. */
static void sweep(void)
{
    map kept = {0};
    for (uint32_t i = 0; known.slots && i <= known.mask; i++) {
        if (!known.slots[i].key)
            continue;
        known_lock *lock = at(&known.slots[i]);
        int is_gone = lock->ref && compat_weakref_target(lock->ref) == Py_None;
        uint64_t *place = is_gone ? NULL : map_put(&kept, known.slots[i].key);
        if (place)
            *place = known.slots[i].value;
        else
            drop(lock);
    }
    map_free(&known);
    known = kept;
    sweep_at = kept.used * 2 + SWEEP_AT_FIRST;
}

static uint32_t id_of(PyObject *object, uint32_t what)
{
    uint64_t key = key_of(object, what);
    if (known.used >= sweep_at)
        sweep();
    uint64_t *slot = map_put(&known, key);
    if (!slot)
        return 0;
    known_lock *lock = (known_lock *)(uintptr_t)*slot;
    if (lock && (!lock->ref || compat_weakref_target(lock->ref) == object))
        return lock->id; /* else the address has come back */
    if (!lock)
        lock = calloc(1, sizeof *lock);
    *slot = (uint64_t)(uintptr_t)lock;
    if (!lock) {
        map_remove(&known, key);
        return 0;
    }
    PyObject *raised = PyErr_GetRaisedException();
    PyObject *ref = PyType_SUPPORTS_WEAKREFS(Py_TYPE(object)) ? PyWeakref_NewRef(object, NULL) : NULL;
    PyErr_SetRaisedException(raised);
    Py_XSETREF(lock->ref, ref);
    return lock->id = ++last_id;
}

uint32_t lock_ids_of(PyObject *object, uint32_t what)
{
    compat_lock(&guard);
    uint32_t id = id_of(object, what);
    compat_unlock(&guard);
    return id;
}

void lock_ids_forget(void)
{
    compat_lock(&guard);
    for (uint32_t i = 0; known.slots && i <= known.mask; i++)
        if (known.slots[i].key)
            drop(at(&known.slots[i]));
    map_free(&known);
    sweep_at = SWEEP_AT_FIRST;
    compat_unlock(&guard);
}
