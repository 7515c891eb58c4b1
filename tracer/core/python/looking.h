/* Looking at frames and objects of the program: none of its code runs, no exception is left, references are borrowed. */
#ifndef TRACER_LOOKING_H
#define TRACER_LOOKING_H

#include "python/plain.h"

static inline const compat_frame *calling(const compat_frame *frame)
{
    do
        frame = frame->previous;
    while (frame && (!compat_frame_code(frame) || compat_is_shim(compat_frame_code(frame))));
    return frame;
}

static inline const compat_frame *current(void)
{
    return *compat_frame_slot(PyThreadState_Get());
}

static inline int runs(const compat_frame *frame, const PyObject *code)
{
    return frame && code && (const PyObject *)compat_frame_code(frame) == code;
}

/* Borrowed; NULL: there is none yet, or the function has fewer: another version of a library has other ones. */
static inline PyObject *local(const compat_frame *frame, int index)
{
    const PyCodeObject *code = frame ? compat_frame_code(frame) : NULL;
    PyObject *found = code && index < code->co_nlocalsplus ? compat_frame_local(frame, index) : NULL;
    return found && PyCell_Check(found) ? PyCell_GET(found) : found;
}

/* Borrowed from `object`, which keeps it; NULL: it has none. */
static inline PyObject *attribute(PyObject *object, PyObject *name)
{
    PyObject *found = name ? plain_attribute(object, name) : NULL;
    Py_XDECREF(found);
    return found;
}

/* Borrowed; NULL: it is no tuple, or too short. */
static inline PyObject *item(PyObject *tuple, Py_ssize_t at)
{
    return tuple && PyTuple_CheckExact(tuple) && at < PyTuple_GET_SIZE(tuple) ? PyTuple_GET_ITEM(tuple, at) : NULL;
}

static inline int is_tuple_of(PyObject *value, Py_ssize_t size)
{
    return value && PyTuple_CheckExact(value) && PyTuple_GET_SIZE(value) == size;
}

static inline int is_a(PyObject *object, const PyObject *type)
{
    return object && type && (const PyObject *)Py_TYPE(object) == type;
}

static inline uint64_t number_of(PyObject *value)
{
    uint64_t number = value && PyLong_Check(value) ? PyLong_AsUnsignedLongLong(value) : UINT64_MAX;
    PyErr_Clear();
    return number;
}

#endif
