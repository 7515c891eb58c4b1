/* recording.c's part of the module. */
#ifndef TRACER_RECORDING_H
#define TRACER_RECORDING_H

#include "output/triggers.h"
#include "python/compat.h"
#include "python/forking.h"

extern PyMethodDef recording_methods[];

int recording_runs(void);

/* To be called attached; none of these raises. Each writes everything recorded so far to the file … */
void recording_finish(int exits); /* … and ends the recording, as at the program's end */
/* … and pauses the writer until recording_go_on(); returns 0 if no recording runs. `program`: the one that
 * replaces this one, as shown to the user, or NULL. */
int recording_checkpoint(const char *program);
void recording_go_on(void);

/* The file of an earlier recording is replaced only when the program begins. */
void recording_program_begins(void);

/* Called on the writer's thread when a trigger has fired; set once, by module.c. */
extern void (*recording_on_moment)(const moment *);
extern void (*recording_ask_place)(uint64_t pthread); /* finds out where that thread is, on a thread of its own */
/* A tuple (site, stack) of texts, or NULL. */
PyObject *recording_place_of(uint64_t pthread);
/* Hands what a trigger has seen, a dict, to the Recording, if there is one. Never raises. */
void recording_tell_moment(PyObject *facts);

extern const forking_thread recording_thread; /* the writer's */

int recording_exec(PyObject *module);

#endif
