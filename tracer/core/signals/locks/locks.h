/* Locks: which thread holds which, which threads wait for one, and since when.
 *
 * Wrappers replace `ml_meth` of the lock types' methods, as calls.h describes. A table of recently used
 * locks holds who took each one, and where; it is lossy, and what it has lost is unknown. Records are
 * written for contended locks only. */
#ifndef TRACER_LOCKS_H
#define TRACER_LOCKS_H

#include "python/compat.h"

/* Called by the code watcher: one of the program's codes is about to die. */
void locks_code_dies(PyCodeObject *code);

/* In a forked child: the threads that hold locks do not run in it. */
void locks_leave_parent(void);

extern PyMethodDef locks_methods[];

#endif
