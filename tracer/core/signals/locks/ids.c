/* Numbers for locks, and for what threads wait for in other objects, by address and weak reference. */
#include "signals/locks/ids.h"

#include "ring/map.h"
#include "ring/memory.h"

enum { SWEEP_AT_FIRST = 1024 };

typedef struct {
    uint32_t id;
    PyObject *ref; /* weak */
    lock_freed *freed;
} known_lock;

static map known;  /* key_of() -> known_lock* */
static map by_ref; /* those with `freed`: ref -> key_of() */
static uint32_t last_id, sweep_at = SWEEP_AT_FIRST;
static compat_mutex guard; /* protects all of it where there is no GIL */

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
    if (lock->freed)
        map_remove(&by_ref, (uint64_t)(uintptr_t)lock->ref);
    Py_XDECREF(lock->ref);
    memory_give(lock, sizeof *lock);
}

static PyObject *on_freed(PyObject *module, PyObject *ref)
{
    (void)module;
    compat_lock(&guard);
    const uint64_t *found = map_find(&by_ref, (uint64_t)(uintptr_t)ref);
    uint64_t key = found ? *found : 0;
    const uint64_t *slot = key ? map_find(&known, key) : NULL;
    known_lock *lock = slot ? (known_lock *)(uintptr_t)*slot : NULL;
    if (lock) {
        map_remove(&known, key);
        lock->freed((const void *)(uintptr_t)(key << 4), lock->id);
        drop(lock);
    }
    compat_unlock(&guard);
    Py_RETURN_NONE;
}

/* NULL: no memory. Keeps the exception that is set, if any. */
static PyObject *new_ref(PyObject *object, int is_told)
{
    static PyMethodDef def = {"tracer_lock_freed", on_freed, METH_O, NULL};
    static PyObject *callback;
    PyObject *raised = PyErr_GetRaisedException(), *ref = NULL;
    if (!is_told || callback || (callback = PyCFunction_New(&def, NULL)))
        ref = PyWeakref_NewRef(object, is_told ? callback : NULL);
    if (ref && !is_told && Py_REFCNT(ref) == 1) /* ours alone: programs that count what the collector has do not see it */
        PyObject_GC_UnTrack(ref);
    PyErr_SetRaisedException(raised);
    return ref;
}

/* Copies into a new map, since removing an entry moves its neighbours. */
static void sweep(void)
{
    map kept = {0};
    for (uint32_t i = 0; known.slots && i <= known.mask; i++) {
        if (!known.slots[i].key)
            continue;
        known_lock *lock = at(&known.slots[i]);
        int is_gone = !lock->freed && compat_weakref_target(lock->ref) == Py_None;
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

static uint32_t id_of(PyObject *object, uint32_t what, lock_freed *freed)
{
    if (!PyType_SUPPORTS_WEAKREFS(Py_TYPE(object)))
        return ++last_id; /* nothing shows when the address is reused */
    uint64_t key = key_of(object, what);
    if (known.used >= sweep_at)
        sweep();
    uint64_t *slot = map_put(&known, key);
    if (!slot)
        return 0;
    known_lock *lock = (known_lock *)(uintptr_t)*slot;
    if (lock && compat_weakref_target(lock->ref) == object)
        return lock->id;
    if (lock)
        drop(lock); /* the address has been reused */
    lock = memory_take(sizeof *lock);
    PyObject *ref = lock ? new_ref(object, freed != NULL) : NULL;
    uint64_t *told = ref && freed ? map_put(&by_ref, (uint64_t)(uintptr_t)ref) : NULL;
    if (!ref || (freed && !told)) {
        Py_XDECREF(ref);
        memory_give(lock, sizeof *lock);
        map_remove(&known, key);
        return 0;
    }
    if (told)
        *told = key;
    *lock = (known_lock){++last_id, ref, freed};
    *slot = (uint64_t)(uintptr_t)lock;
    return lock->id;
}

uint32_t lock_ids_of(PyObject *object, uint32_t what, lock_freed *freed)
{
    compat_lock(&guard);
    uint32_t id = id_of(object, what, freed);
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
    map_free(&by_ref);
    sweep_at = SWEEP_AT_FIRST;
    compat_unlock(&guard);
}
