/* Learns the names of unknown blocking C functions where they have blocked: see learn.c. */
#ifndef TRACER_LEARN_H
#define TRACER_LEARN_H

#include "python/compat.h"
#include "ring/hot.h"

/* The running call of this thread has blocked in libc and has no name. Inside the GIL's hooks. */
void learn_blocked(PyThreadState *tstate);

/* Whether any site is waiting to be armed; cheap. */
extern OURS _Atomic int learn_pending;
void learn_resolve(void); /* attached, where Python may run */

/* sys.monitoring's CALL event in code without a role, and the end of such a call. */
PyObject *learn_on_call(PyObject *const *args);
void learn_on_end(void);

void learn_code_dies(PyCodeObject *code);

extern PyMethodDef learn_methods[];

#endif
