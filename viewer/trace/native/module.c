/* The module: its functions by name, and the type of a trace's texts. */
#include "strings.h"

/* Each has a file of its own; its twin in decode.py, sweeps.py or timelines.py says what it does. */
#define SWEEPS(X)                                                                              \
    X(describe) X(above) X(pair) X(grouped_stats) X(keyed_sums) X(group_keys) X(either) X(pick)         \
    X(gather) X(pairs) X(distinct) X(tally) X(states) X(assign)                                            \
    X(flatten) X(charge) X(carve) X(meet) X(lanes)                                             \
    X(tile) X(clip) X(longer) X(gaps) X(find_args) X(find_numbers)                             \
    X(head_sites) X(spans) X(histogram) X(lines) X(calling) X(strings) X(beginning)            \
    X(lesser) X(upto)                                                                           \
    X(take) X(known) X(between) X(latest) X(ranked) X(bounds) X(narrow) X(keep_memory)

#define DECLARE(name) extern PyObject *name(PyObject *, PyObject *const *, Py_ssize_t);
SWEEPS(DECLARE)
extern PyObject *decode(PyObject *, PyObject *), *framed(PyObject *, PyObject *);

#define FAST(name) {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL, NULL},
static PyMethodDef methods[] = {
    {"decode", decode, METH_O, NULL},
    {"framed", framed, METH_O, NULL},
    SWEEPS(FAST)
    {0},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, strings_add},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "viewer._decoder",
    .m_doc = "Trace bytes to columns, and the sweeps over them.",
    .m_size = STATE_BYTES,
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__decoder(void)
{
    return PyModuleDef_Init(&definition);
}
