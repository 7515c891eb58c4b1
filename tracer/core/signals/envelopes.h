/* Callables around callbacks that a loop is given, which show when it runs them. */
#ifndef TRACER_ENVELOPES_H
#define TRACER_ENVELOPES_H

#include "python/compat.h"
#include "ring/ring.h"

/* What is called around the callback; `self` is the envelope, `due_ns` what envelopes_due() has set, else 0. */
typedef struct {
    void (*begin)(thread_buffer *b, PyObject *callback, const void *self, uint64_t due_ns);
    void (*end)(thread_buffer *b, uint64_t tick, PyObject *callback);
} envelope_hooks;

int envelopes_setup(void); /* once; 0, or -1 with an exception */
/* A new reference, or NULL with an exception. */
PyObject *envelopes_seal(PyObject *callback, const envelope_hooks *hooks);
void envelopes_due(PyObject *envelope, uint64_t due_ns);

#endif
