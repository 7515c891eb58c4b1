/* Locks: who has which, who waits for one, and since when.
 *
 * Wrappers replace `ml_meth` of the lock types' methods, as calls.h has it. A table of the locks
 * used last says who took each where; it is lossy, and what it has lost is unknown. Records are
 * written of contended locks only. */
#ifndef TRACER_LOCKS_H
#define TRACER_LOCKS_H

#include "python/compat.h"

/* Called by the code watcher: a code of the program is about to die. */
void locks_code_dies(PyCodeObject *code);

extern PyMethodDef locks_methods[];

#endif
