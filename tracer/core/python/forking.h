/* The recorder's own native threads around os.fork(): they are not there while the process forks, since CPython would
 * warn of several threads and the child would inherit their locks. */
#ifndef TRACER_FORKING_H
#define TRACER_FORKING_H

#include "python/compat.h"

/* All are called attached. Several threads may fork at the same time. */
typedef struct {
    void (*pause)(void);  /* ends it; may give the GIL away, and leave a busy thread to end by itself */
    void (*await)(void);  /* the fork is over; the main thread calls resume() as soon as it runs. NULL: nothing is due */
    void (*resume)(void); /* no fork is under way any more */
    void (*forget)(void); /* in the child: it is the parent's. NULL: a handler of pthread_atfork() does that */
} forking_thread;

void forking_watch(const forking_thread *const *threads); /* ends with NULL */
int forking_pauses(void);                                 /* whether a fork is under way; on any thread */
/* In a forked child: whether the thread that forked was not the first of its process. Then its end need not be exit(). */
int forking_was_in_thread(void);

extern PyMethodDef forking_methods[];

#endif
