/* SIGTERM in a child: the handler waits for the writer, then the signal does what it does without a handler.
 *
 * Python does not see the handler: it looks at the system's only when it starts. Where the program sets its own,
 * before or later, that one counts. */
#define _GNU_SOURCE /* REG_RAX */
#include "output/killed.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/select.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "ring/clock.h"
#include "ring/ring.h"

/* At most a second, on a machine that has no time for the writer. The thread that has the signal may hold what the writer
 * needs, a mutex of ours or of malloc(): it goes on for some moments meanwhile, as if the signal came later.
 * Not where it waits in a call that fails for that. */
enum { LOOKS = 10, LOOK_NS = 1000 * 1000 };

_Atomic uint64_t killed_limit_ns = 1000 * 1000 * 1000;
_Atomic uint64_t killed_goes_on_ns = 5 * 1000 * 1000;

enum writer { IS_OVER, SERVES, COMES_BACK };

static _Atomic uint64_t asked_ns; /* 0: nobody has */
static _Atomic int writer_is, is_held;
static bell *_Atomic writers_bell;
static pid_t writers_pid; /* a child that C code forks has no writer … */
static pid_t timers_pid;  /* … and no timer */
static timer_t again;     /* sends the signal once more */

static void end_by_default(int number)
{
    signal(number, SIG_DFL);
    kill(getpid(), number);
}

/* Makes the writer look; returns whether it will. */
static int wake_writer(void)
{
    if (getpid() != writers_pid)
        return 0;
    int is = atomic_load(&writer_is);
    if (is == SERVES)
        bell_ring(atomic_load(&writers_bell));
    return is != IS_OVER || atomic_load(&is_held);
}

static int come_again(void)
{
    uint64_t ns = atomic_load(&killed_goes_on_ns);
    const struct itimerspec soon = {.it_value = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)}};
    return timers_pid == getpid() && timer_settime(again, 0, &soon, NULL) == 0;
}

/* Whether it was in a call that would fail now: the program would see the signal (aarch64, x86-64; unknown elsewhere). */
static int is_interrupted(const void *context)
{
#if defined(__x86_64__)
    return ((const ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] == -EINTR;
#elif defined(__aarch64__)
    return ((const ucontext_t *)context)->uc_mcontext.regs[0] == (uint64_t)-EINTR;
#else
    return (void)context, 0;
#endif
}

/* Sent by this process, it ends before the call that sends it returns. */
static void on_signal(int number, siginfo_t *about, void *context)
{
    int error = errno, is_own = about->si_code != SI_TIMER && about->si_pid == getpid();
    int may_go_on = !is_own && !is_interrupted(context);
    const struct timespec pause = {.tv_nsec = LOOK_NS};
    uint64_t now_ns = clock_ns_of(CLOCK_MONOTONIC), first_ns = 0;
    if (getpid() != writers_pid) { /* perhaps vfork()ed: the parent's memory */
        end_by_default(number);
        errno = error;
        return;
    }
    sigset_t while_it_looks = ((const ucontext_t *)context)->uc_sigmask;
    sigaddset(&while_it_looks, number); /* the next such signal interrupts the program, not this */
    if (atomic_compare_exchange_strong(&asked_ns, &first_ns, now_ns))
        first_ns = now_ns;
    ring_refuse();
    for (int looks = 1; wake_writer() && now_ns - first_ns < atomic_load(&killed_limit_ns); looks++) {
        pselect(0, NULL, NULL, NULL, &pause, &while_it_looks);
        if (looks == LOOKS && may_go_on && come_again()) {
            errno = error;
            return;
        }
        now_ns = clock_ns_of(CLOCK_MONOTONIC);
    }
    end_by_default(number);
    errno = error;
}

void killed_serve(bell *wakes)
{
    writers_pid = getpid();
    atomic_store(&writers_bell, wakes);
    atomic_store(&writer_is, SERVES);
}

void killed_leave(int comes_back)
{
    writers_pid = getpid();
    atomic_store(&writer_is, comes_back ? COMES_BACK : IS_OVER);
}

void killed_forget(void)
{
    atomic_store(&asked_ns, 0);
    atomic_store(&writer_is, IS_OVER);
    atomic_store(&is_held, 0);
}

/* Process 1 of a container survives the signal. */
void killed_heed(void)
{
    struct sigaction now, ours = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART};
    struct sigevent wish = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGTERM};
    sigemptyset(&ours.sa_mask);
    if (sigaction(SIGTERM, NULL, &now) < 0 || (now.sa_sigaction != on_signal && now.sa_handler != SIG_DFL))
        return;
    if (getpid() == 1) {
        signal(SIGTERM, SIG_DFL);
        return;
    }
    if (timers_pid != getpid() && timer_create(CLOCK_MONOTONIC, &wish, &again) == 0)
        timers_pid = getpid();
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

/* Where the signal came meanwhile, it was put off: all is written now, and exec would lose it. */
void killed_let_go(const sigset_t *before)
{
    struct sigaction now;
    atomic_store(&is_held, 0);
    if (killed_is_asked() && sigaction(SIGTERM, NULL, &now) == 0 && now.sa_sigaction == on_signal)
        killed_end();
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

int killed_is_asked(void)
{
    return atomic_load_explicit(&asked_ns, memory_order_relaxed) != 0;
}

void killed_end(void)
{
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
    end_by_default(SIGTERM);
    for (;;)
        pause();
}
