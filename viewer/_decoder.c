/* Speed-up of reader.py's Python twin: trace bytes to columns. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "viewer._decoder", .m_doc = "Trace bytes to columns."};

PyMODINIT_FUNC PyInit__decoder(void)
{
    return PyModuleDef_Init(&definition);
}
