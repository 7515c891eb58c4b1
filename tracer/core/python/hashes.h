/* A builtin keeps the hash that it had before a trampoline was put in front of it. */
#ifndef TRACER_HASHES_H
#define TRACER_HASHES_H

#include "python/compat.h"

/* `def` has `trampoline` now; before, it had `original`. Attached. */
void hash_keep(PyMethodDef *def, PyCFunction trampoline, PyCFunction original);

#endif
