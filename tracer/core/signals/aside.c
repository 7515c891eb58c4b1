/* Starting and awaiting a thread of our own. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "signals/aside.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ring/clock.h"
#include "ring/ring.h"
#include "signals/kernel/kernel.h"

/* Its records are heard, but it has no life in the trace. */
static void work_hidden(const aside *of)
{
    ring_is_hidden = 0;
    of->work();
    ring_let_go();
    ring_is_hidden = 1;
}

static void *run(void *given)
{
    aside *of = given;
    ring_is_hidden = of->shown_as == NULL;
    if (of->shown_as)
        pthread_setname_np(pthread_self(), of->shown_as);
    else
        kernel_source.ignore((uint32_t)syscall(SYS_gettid));
    if (Py_IsInitialized() && !compat_is_finalizing()) {
        PyGILState_STATE state = PyGILState_Ensure();
        if (of->shown_as)
            of->work();
        else
            work_hidden(of);
        PyGILState_Release(state);
    }
    atomic_store(&of->is_at_work, 0);
    return NULL;
}

int aside_start(aside *of)
{
    if (COMPAT_FREE_THREADED || atomic_exchange(&of->is_at_work, 1))
        return 0;
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all); /* no handler of the program runs there */
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int failed = pthread_create(&thread, NULL, run, of);
    if (failed)
        atomic_store(&of->is_at_work, 0);
    else
        pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return !failed;
}

int aside_is_at_work(const aside *of)
{
    return atomic_load(&of->is_at_work);
}

void aside_await(const aside *of, uint64_t most_ns)
{
    const struct timespec moment = {0, 100 * 1000};
    for (uint64_t began = clock_ns_of(CLOCK_MONOTONIC);
         aside_is_at_work(of) && clock_ns_of(CLOCK_MONOTONIC) - began < most_ns;)
        nanosleep(&moment, NULL);
}

void aside_forget(aside *of)
{
    atomic_store(&of->is_at_work, 0);
}
