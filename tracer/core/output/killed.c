/* SIGTERM in a child: the handler waits for the writer, then the signal does what it does without a handler.
 *
 * Python does not see the handler: it looks at the system's only when it starts. Where the program sets its own,
 * before or later, that one counts. */
#include "output/killed.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { LOOKS = 1000, LOOK_NS = 1000 * 1000 }; /* at most a second, on a machine that has no time for the writer */

static _Atomic int asked, is_held;
static pthread_mutex_t *_Atomic writers_mutex; /* NULL: it does not run */
static pthread_cond_t *writers_wake;
static pid_t writers_pid; /* a child that C code forks has no writer */

static void end_by_default(int number)
{
    signal(number, SIG_DFL);
    kill(getpid(), number);
}

/* Makes the writer look; returns whether it will. Where somebody has the mutex, the writer looks soon anyway. */
static int wake_writer(void)
{
    pthread_mutex_t *mutex = getpid() == writers_pid ? atomic_load(&writers_mutex) : NULL;
    if (mutex && pthread_mutex_trylock(mutex) == 0) {
        pthread_cond_signal(writers_wake);
        pthread_mutex_unlock(mutex);
    }
    return mutex != NULL || (getpid() == writers_pid && atomic_load(&is_held));
}

static void on_signal(int number)
{
    int error = errno;
    struct timespec pause = {.tv_nsec = LOOK_NS};
    atomic_store(&asked, 1);
    for (int i = 0; wake_writer() && i < LOOKS; i++)
        nanosleep(&pause, NULL);
    end_by_default(number);
    errno = error;
}

void killed_serve(pthread_mutex_t *mutex, pthread_cond_t *wake)
{
    writers_wake = wake ? wake : writers_wake;
    writers_pid = getpid();
    atomic_store(&writers_mutex, mutex);
}

void killed_heed(void)
{
    struct sigaction now, ours = {.sa_handler = on_signal, .sa_flags = SA_NODEFER | SA_RESTART};
    atomic_store(&asked, 0);
    sigemptyset(&ours.sa_mask);
    if (sigaction(SIGTERM, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
        sigaction(SIGTERM, &ours, NULL);
}

void killed_hold(sigset_t *before)
{
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ours, before);
    atomic_store(&is_held, 1);
}

void killed_let_go(const sigset_t *before)
{
    atomic_store(&is_held, 0);
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

int killed_is_asked(void)
{
    return atomic_load_explicit(&asked, memory_order_relaxed);
}

void killed_end(void)
{
    end_by_default(SIGTERM);
    for (;;)
        pause();
}
