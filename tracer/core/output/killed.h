/* A child that SIGTERM ends writes first what was recorded: Process.terminate() and Pool.terminate() end children so. */
#ifndef TRACER_KILLED_H
#define TRACER_KILLED_H

#include <signal.h>
#include <stdint.h>

#include "output/bell.h"

/* Tests wait longer. */
extern _Atomic uint64_t killed_limit_ns;   /* how long the signal waits for the writer at most */
extern _Atomic uint64_t killed_goes_on_ns; /* how long it is put off where the thread may hold what the writer needs */
void killed_heed(void); /* from now on, if the program leaves SIGTERM to the system */
void killed_serve(bell *wakes);    /* the writer's thread runs, and waits for this */
void killed_leave(int comes_back); /* it does no longer, or for a while */
void killed_forget(void);          /* in a forked child */
/* Around what ends the recording on this thread: the signal waits, here as on all other threads. */
void killed_hold(sigset_t *before);
void killed_let_go(const sigset_t *before); /* does not return where the signal came meanwhile */
int killed_is_asked(void);
/* Everything is written: the signal ends the process. Does not return. */
void killed_end(void) __attribute__((noreturn));

#endif
