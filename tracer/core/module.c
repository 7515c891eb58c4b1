/* Glue of tracer._core: the module object and its method table. */
#include "compat.h"

extern PyMethodDef launch_methods[];

static int exec_core(PyObject *module)
{
    return PyModule_AddFunctions(module, launch_methods);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, exec_core},
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "tracer._core",
    .m_doc = "The recorder's C core.",
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__core(void)
{
    return PyModuleDef_Init(&definition);
}
