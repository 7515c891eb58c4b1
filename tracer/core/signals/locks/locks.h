/* Locks: who has which, who waits for one, and since when.
 *
 * Wrappers replace `ml_meth` of the lock types' methods, as calls.h has it. A table of the locks
 * used last says who took each where; it is lossy, and what it has lost is unknown. Records are
 * written of contended locks only. */
#ifndef TRACER_LOCKS_H
#define TRACER_LOCKS_H

#include "signals/calls/calls.h"

/* Called by the code watcher: a code of the program is about to die. */
void locks_code_dies(PyCodeObject *code);

/* signals/locks/ids.c: a number for a lock (`what` = 0) or for what can be waited for in an object (a queue's
 * items are not its room, a thread's start is not its end), never used for another. Attached; runs
 * no Python code. */
uint32_t lock_ids_of(PyObject *object, uint32_t what);
void lock_ids_forget(void); /* lets go of every object; numbers go on counting */

extern PyMethodDef locks_methods[];

#endif
