/* kernel.h for Python: what signals/sched.py calls. */
#include "signals/kernel/methods.h"

#include "signals/kernel/kernel.h"

PyDoc_STRVAR(kernel_start_doc, "kernel_start(refusal) -> str\n\n"
"Context switches are recorded from now on: ''; or counters instead, and why. `refusal`: an errno\n"
"the kernel is taken to answer with, for tests; 0 asks it.");

static PyObject *start_kernel(PyObject *module, PyObject *args)
{
    (void)module;
    int refusal;
    char why[192];
    if (!PyArg_ParseTuple(args, "i", &refusal))
        return NULL;
    return PyUnicode_FromString(kernel_start(refusal, why, sizeof why) ? why : "");
}

PyMethodDef kernel_methods[] = {
    {"kernel_start", start_kernel, METH_VARARGS, kernel_start_doc},
    {NULL, NULL, 0, NULL},
};
