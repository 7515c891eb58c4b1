/* A builtin keeps the hash that it had before a trampoline was put in front of it.
 *
 * CPython hashes a builtin by its `ml_meth`. Sets and dicts that had it before (os.supports_dir_fd) would not find it
 * any more. So the hash of builtins is computed here, with the `ml_meth` that each had at first. */
#include "python/hashes.h"

#include <stdatomic.h>

enum { MOST = 512, TYPES = 2 };

typedef struct {
    PyMethodDef *def;
    PyCFunction trampoline, original;
} kept;

static kept table[MOST]; /* never shrinks: where the trampoline is gone, the entry says nothing */
static atomic_int count;
static int is_tried;

/* As the interpreter does. */
static Py_hash_t hash_pointer(const void *pointer)
{
    size_t bits = (size_t)pointer;
    return (Py_hash_t)(bits >> 4 | bits << (8 * sizeof bits - 4));
}

static Py_hash_t hash_with(const PyCFunctionObject *function, PyCFunction method)
{
    Py_hash_t hash = hash_pointer(function->m_self) ^ hash_pointer((void *)(uintptr_t)method);
    return hash == -1 ? -2 : hash;
}

static Py_hash_t hash_of(PyObject *object)
{
    const PyCFunctionObject *function = (PyCFunctionObject *)object;
    PyCFunction method = function->m_ml->ml_meth;
    for (int i = 0, n = atomic_load_explicit(&count, memory_order_acquire); i < n; i++)
        if (table[i].def == function->m_ml && table[i].trampoline == method)
            return hash_with(function, table[i].original);
    return hash_with(function, method);
}

/* Only in an interpreter that hashes as this file does. */
static void begin(void)
{
    PyTypeObject *types[TYPES] = {&PyCFunction_Type, &PyCMethod_Type};
    PyObject *module = PyImport_ImportModule("builtins");
    PyObject *known = module ? PyObject_GetAttrString(module, "len") : NULL;
    int agrees = known && PyCFunction_CheckExact(known);
    for (int i = 0; agrees && i < TYPES; i++)
        agrees = types[i]->tp_hash == PyCFunction_Type.tp_hash && types[i]->tp_hash(known) == hash_of(known);
    for (int i = 0; agrees && i < TYPES; i++)
        types[i]->tp_hash = hash_of;
    Py_XDECREF(known);
    Py_XDECREF(module);
    PyErr_Clear();
}

void hash_keep(PyMethodDef *def, PyCFunction trampoline, PyCFunction original)
{
    if (!is_tried) {
        is_tried = 1;
        begin();
    }
    int n = atomic_load(&count);
    for (int i = 0; i < n; i++) {
        if (table[i].def == def && table[i].trampoline == trampoline) {
            table[i].original = original;
            return;
        }
    }
    if (n == MOST)
        return;
    table[n] = (kept){def, trampoline, original};
    atomic_store_explicit(&count, n + 1, memory_order_release);
}
