/* Callables around callbacks that a loop is given. What the program sees of one, its repr and its attributes, are the
 * callback's. */
#include "signals/envelopes.h"

#include "signals/asyncio/steps.h"

typedef struct {
    PyObject_HEAD
    PyObject *callback;
    const envelope_hooks *hooks;
    uint64_t due_ns; /* of a timer, else 0 */
    vectorcallfunc vectorcall;
} envelope;

static PyTypeObject *envelope_type;

static PyObject *envelope_call(PyObject *self, PyObject *const *args, size_t count, PyObject *keywords)
{
    envelope *e = (envelope *)self;
    PyObject *callback = Py_XNewRef(e->callback);
    if (!callback) {
        PyErr_SetString(PyExc_RuntimeError, "this callback has been cleared");
        return NULL;
    }
    thread_buffer *b = ring_current();
    if (b)
        e->hooks->begin(b, callback, self, e->due_ns);
    const envelope_hooks *hooks = e->hooks; /* the envelope may die in the call */
    step_entry entry = steps_entry(b);
    PyObject *result = PyObject_Vectorcall(callback, args, count, keywords);
    if ((b = steps_same_recording(entry))) {
        uint64_t tick = clock_tick();
        PyObject *raised = result ? NULL : PyErr_GetRaisedException();
        hooks->end(b, tick, callback);
        if (raised)
            PyErr_SetRaisedException(raised);
    }
    Py_DECREF(callback);
    return result;
}

PyObject *envelopes_seal(PyObject *callback, const envelope_hooks *hooks)
{
    envelope *e = PyObject_GC_New(envelope, envelope_type);
    if (!e)
        return NULL;
    e->callback = Py_NewRef(callback);
    e->hooks = hooks;
    e->due_ns = 0;
    e->vectorcall = envelope_call;
    PyObject_GC_Track(e);
    return (PyObject *)e;
}

static int envelope_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((envelope *)self)->callback);
    return 0;
}

static int envelope_clear(PyObject *self)
{
    Py_CLEAR(((envelope *)self)->callback);
    return 0;
}

static void envelope_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    envelope_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *envelope_repr(PyObject *self)
{
    return PyObject_Repr(((envelope *)self)->callback);
}

static PyObject *envelope_str(PyObject *self)
{
    return PyObject_Str(((envelope *)self)->callback);
}

static PyObject *envelope_attribute(PyObject *self, PyObject *name)
{
    PyObject *callback = ((envelope *)self)->callback;
    return callback ? PyObject_GetAttr(callback, name) : PyObject_GenericGetAttr(self, name);
}

static PyMemberDef envelope_members[] = {
    {"__vectorcalloffset__", Py_T_PYSSIZET, offsetof(envelope, vectorcall), Py_READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot envelope_slots[] = {
    {Py_tp_members, envelope_members},
    {Py_tp_dealloc, envelope_dealloc},
    {Py_tp_traverse, envelope_traverse},
    {Py_tp_clear, envelope_clear},
    {Py_tp_repr, envelope_repr},
    {Py_tp_str, envelope_str},
    {Py_tp_getattro, envelope_attribute},
    {Py_tp_call, PyVectorcall_Call},
    {0, NULL},
};

static PyType_Spec envelope_spec = {
    .name = "tracer._core.callback",
    .basicsize = sizeof(envelope),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = envelope_slots,
};

void envelopes_due(PyObject *self, uint64_t due_ns)
{
    ((envelope *)self)->due_ns = due_ns;
}

int envelopes_setup(void)
{
    return envelope_type || (envelope_type = (PyTypeObject *)PyType_FromSpec(&envelope_spec)) ? 0 : -1;
}
