/* Child processes that Python code starts: os.fork, os.posix_spawn, subprocess, os.system, uvloop. */
#ifndef TRACER_CHILDREN_H
#define TRACER_CHILDREN_H

#include "python/compat.h"
#include "ring/ring.h"
#include "signals/spawned.h"

#include <stdatomic.h>
#include <stdint.h>

/* Children that the functions have started in this recording, and those of them that were to record themselves. */
extern _Atomic uint64_t children_started, children_followed;

/* A program is about to be started, as a child or in place of this one. */
typedef struct {
    uint64_t flow;         /* to its trace; 0: it has none */
    PyObject *environment; /* owned: to be passed instead of the given one; NULL: that one */
    int is_told;           /* a record says whether it has one, … */
    uint8_t depth;         /* … with this depth */
    int is_helper;
    int leaves_one;        /* another program of the same shell does not record itself */
} children_departure;

typedef PyObject *spawned_environment(PyObject *given, const spawned_program *program, uint64_t flow);

/* A program takes the place of this process. The record of its start says whether it records itself, or why not.
 * `given`: its environment, which one of spawned.h's functions changes. Attached; leaves no exception set. */
children_departure children_exec_departs(const spawned_program *program, PyObject *given, spawned_environment *change);
void children_stay(children_departure *departs); /* it came to nothing */

/* A program that native code starts as execvp() does: uvloop's. Each but `file` may be NULL. */
typedef struct {
    const char *file, *folder;
    char **words, **environment; /* what to pass; children_native_starts() may change one of them */
    PyObject *given;             /* the words as they were */
    children_departure departs;
    char **array;
} children_native;

/* Attached, like children_native_started(). */
void children_native_starts(children_native *child);
/* In the forked child, before it executes the program. */
void children_native_forked(const children_native *child);
/* `pid` is 0 if it came to nothing. */
void children_native_started(children_native *child, int64_t pid);

/* This process has a name now: a text, or the `_name` of a multiprocessing.Process. */
void children_on_name(thread_buffer *b, PyObject *named);

/* This process is about to ask multiprocessing's fork server for a child … */
void children_on_request(thread_buffer *b);
/* … and has got it: its Popen. */
void children_on_served(thread_buffer *b, PyObject *popen);
/* This thread asks a Popen of the fork server's whether its process has ended, and what the answer was. */
void children_on_poll(PyObject *popen);
void children_on_polled(thread_buffer *b, PyObject *popen, PyObject *result);

extern PyMethodDef children_methods[];

#endif
