/* recording.c's part of the module. */
#ifndef TRACER_RECORDING_H
#define TRACER_RECORDING_H

#include "python/compat.h"

extern PyMethodDef recording_methods[];

/* Attached; none raises. What is recorded by now gets into the file: */
int recording_runs(void);
void recording_finish(void); /* … and the recording ends, as at the program's end */
/* … and the writer waits for recording_go_on(); 0 when none runs. `program`: the one that takes this
 * one's place, as shown to the user, or NULL. */
int recording_checkpoint(const char *program);
void recording_go_on(void);

int recording_exec(PyObject *module);

#endif
