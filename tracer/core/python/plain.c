/* Reads attributes of the program's objects without running code of the program. */
#include "python/plain.h"

/* Slots, and the attributes of types written in C. */
static int is_in_c(PyObject *descriptor)
{
    return Py_IS_TYPE(descriptor, &PyMemberDescr_Type) || Py_IS_TYPE(descriptor, &PyGetSetDescr_Type);
}

PyObject *plain_attribute(PyObject *object, PyObject *name)
{
    PyObject *of_class = object ? _PyType_Lookup(Py_TYPE(object), name) : NULL;
    int computes = of_class && Py_TYPE(of_class)->tp_descr_get && !is_in_c(of_class);
    PyObject *found = object && !computes ? PyObject_GenericGetAttr(object, name) : NULL;
    if (!found)
        PyErr_Clear();
    return found;
}

PyObject *plain_path(PyObject *object, PyObject *names)
{
    PyObject *found = Py_XNewRef(object);
    for (Py_ssize_t i = 0; found && i < PyTuple_GET_SIZE(names); i++)
        Py_SETREF(found, plain_attribute(found, PyTuple_GET_ITEM(names, i)));
    return found;
}
