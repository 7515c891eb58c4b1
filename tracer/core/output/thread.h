/* The writer's thread: how it starts, sleeps and ends, and in which table its descriptors are (ring/own_table.h). */
#ifndef TRACER_THREAD_H
#define TRACER_THREAD_H

#include <stdint.h>

#include "ring/private_fd.h"
#include "ring/sources.h"

/* What it does. All called on it. */
typedef struct {
    const private_fd *descriptors; /* the folder /proc/self/fd */
    void (*begin)(void);        /* first */
    uint64_t (*pause_ns)(void); /* until the next turn */
    void (*turn)(void);
    void (*rest)(void); /* before it ends, or hands over */
    void (*finish_killed)(void); /* a signal ends the program */
    void (*finish_alone)(void);  /* all threads of the program have ended */
} thread_work;

/* For the control thread only, one call at a time. */

/* Returns 0 or an errno. In a forked child whose parent's thread had a table of its own it begins with thread_hide(), or
 * thread_resume(). */
int thread_start(const thread_work *work, const kernel_source_table *kernel);
/* Does `last`, on the thread if only that one has the descriptors, and ends the thread. `for_good`: what is open is closed by
 * then; else thread_resume() follows, or exec. */
void thread_end(void (*last)(void), int for_good);
/* The same around a fork; resuming twice does no harm. Where the program's table has no room for what the thread holds, it
 * does not end: then Python finds no descriptor either to count the threads with. */
void thread_pause(void);
void thread_resume(void);
/* From now on the descriptors are in a table of the thread's own, where the program would see them else and the kernel allows
 * it. What others open for the writer must be open by now. */
void thread_hide(void);
void thread_forget(void); /* in a forked child */

#endif
