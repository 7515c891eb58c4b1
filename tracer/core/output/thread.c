/* Starting, pausing and ending the writer's thread. */
#define _GNU_SOURCE
#include "output/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "output/bell.h"
#include "output/file.h"
#include "output/killed.h"
#include "ring/clock.h"
#include "ring/own_table.h"
#include "ring/private_fd.h"
#include "ring/ring.h"

enum { OTHERS = 256, AT_ONCE = 50, LOOKS = 10000, LOOK_NS = 50 * 1000 /* half a second at most */,
       LINKS = 2, FIRST_AND_THIS = 2, FIRST_LOOK_NS = 50 * 1000, LAST_LOOK_NS = 10 * 1000 * 1000 };
enum ending {
    ENDS,
    HANDS_OVER, /* with what is open */
    STAYS,
};

static struct {
    pthread_t thread;
    pid_t tid;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bell wake;
    const thread_work *work;
    const kernel_source_table *kernel;
    int is_paused;
    _Atomic uint64_t look_ns; /* the program's first thread has gone: until the next look for the others; else 0 */
    atomic_int leave;         /* it shall end, … */
    int comes_back;     /* … for a while or for good, … */
    void (*last)(void); /* … after this … */
    enum ending ending; /* … in this way */
    int has_begun, has_ended; /* the latter -1: it stays */
    int hides;                /* its descriptors are in a table of its own */
    int hid_in_parent;        /* they were, in the process that forked this one */
} t = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static int move(int (*how)(int *const *more, size_t count))
{
    int *others[OTHERS];
    return how(others, t.kernel->descriptors(others, OTHERS));
}

static void tell(int *what, int value)
{
    pthread_mutex_lock(&t.mutex);
    *what = value;
    pthread_cond_signal(&t.changed);
    pthread_mutex_unlock(&t.mutex);
}

static void await(const int *what)
{
    while (!*what)
        pthread_cond_wait(&t.changed, &t.mutex);
}

/* --- on the thread --- */

/* The folder that lists the threads: seen from one that is open, since the program may have gone to where no /proc is. */
static int tasks_at(char *path, size_t size, const char *rest)
{
    int is_open = private_fd_is_ours(t.work->descriptors);
    snprintf(path, size, "%s%s", is_open ? "../task" : ring_task_folder, rest);
    return is_open ? t.work->descriptors->fd : AT_FDCWD;
}

/* Whether no thread of the program is left, and the process goes on because of this one. The kernel keeps the first thread,
 * dead, to the end. */
static int is_alone(void)
{
    char path[64], rest[32], line[128] = "";
    struct stat tasks;
    if (!atomic_load(&t.look_ns))
        return 0;
    int folder = tasks_at(path, sizeof path, "");
    if (fstatat(folder, path, &tasks, 0) < 0 || tasks.st_nlink != LINKS + FIRST_AND_THIS)
        return 0;
    snprintf(rest, sizeof rest, "/%d/stat", getpid());
    folder = tasks_at(path, sizeof path, rest);
    int file = openat(folder, path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    ssize_t length = read(file, line, sizeof line - 1);
    close(file);
    const char *name_end = memrchr(line, ')', length > 0 ? (size_t)length : 0); /* a name may have some of its own */
    return name_end && !strncmp(name_end, ") Z", 3);
}

static uint64_t pause_ns(void)
{
    uint64_t look_ns = atomic_load(&t.look_ns);
    if (!look_ns)
        return t.work->pause_ns();
    if (look_ns < LAST_LOOK_NS)
        atomic_store(&t.look_ns, look_ns * 2);
    return look_ns;
}

/* Until it shall end: returns whether it has to tell. */
static int go_on(void)
{
    for (;;) {
        uint32_t rung = atomic_load(&t.wake); /* before it is looked what for */
        if (atomic_load(&t.leave))
            break;
        if (killed_is_asked()) {
            t.work->finish_killed();
            killed_end();
        }
        if (is_alone()) {
            t.work->finish_alone();
            return 0;
        }
        if (bell_wait(&t.wake, rung, pause_ns()))
            t.work->turn();
    }
    if (t.comes_back && !t.work->pause_ns()) /* a program may fork again before the thread has come back */
        t.work->turn();
    t.work->rest();
    killed_leave(t.comes_back);
    return 1;
}

/* A table ends with its thread. */
static int is_over(void)
{
    if (t.last)
        t.last();
    int stays = t.ending == STAYS || (t.ending == HANDS_OVER && move(own_table_hand_over) < 0);
    if (stays) {
        atomic_store(&t.leave, 0);
        killed_serve(&t.wake);
    }
    tell(&t.has_ended, stays ? -1 : 1);
    return !stays;
}

/* Where it is alone, the C library ends the process as it returns, as it would have when the program's last thread did.
 * Who waits for `has_begun` may hold the GIL: up to there nothing may need the loader's lock. */
static void *run(void *unused)
{
    (void)unused;
    pthread_setname_np(pthread_self(), "tracer-writer");
    if (t.hides) {
        t.hides = own_table_enter();
        tell(&t.has_begun, 1);
    }
    trace_file_is_deaf();
    t.tid = (pid_t)syscall(SYS_gettid);
    t.kernel->ignore((uint32_t)t.tid);
    t.work->begin();
    while (go_on() && !is_over())
        ;
    return NULL;
}

/* --- on the program's --- */

static void first_ends(void)
{
    atomic_store(&t.look_ns, FIRST_LOOK_NS);
    bell_ring(&t.wake);
}

/* All signals stay with the program's own threads. The new thread may not run for long, but must not be taken for one of
 * them meanwhile: Linux makes the number of a thread's clock from its id. */
static int spawn(void)
{
    sigset_t all, before;
    clockid_t clock;
    sigfillset(&all);
    atomic_store(&t.leave, 0);
    t.has_begun = 0;
    if (t.hides && !own_table_is_packed())
        t.hides = move(own_table_pack) == 0;
    int enters = t.hides;
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&t.thread, NULL, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    t.is_paused = error != 0;
    if (error) {
        killed_leave(0);
        return error;
    }
    if (!pthread_getcpuclockid(t.thread, &clock))
        t.kernel->ignore(~(uint32_t)(clock >> 3));
    killed_serve(&t.wake);
    if (enters) {
        pthread_mutex_lock(&t.mutex);
        await(&t.has_begun);
        pthread_mutex_unlock(&t.mutex);
        own_table_drop();
    }
    return 0;
}

/* A thread that is joined may still be in the list of threads, where os.fork() would find it and warn. */
static void await_release(void)
{
    const struct timespec pause = {.tv_nsec = LOOK_NS};
    for (int i = 0; i < LOOKS && syscall(SYS_tgkill, getpid(), t.tid, 0) == 0; i++)
        if (i < AT_ONCE) /* it takes some µs, where it has a processor */
            sched_yield();
        else
            nanosleep(&pause, NULL);
}

static void join(void (*last)(void), int for_good, int comes_back)
{
    t.last = last;
    t.comes_back = comes_back;
    t.ending = for_good || !t.hides ? ENDS : own_table_offer() < 0 ? STAYS : HANDS_OVER;
    pthread_mutex_lock(&t.mutex);
    t.has_ended = 0;
    atomic_store(&t.leave, 1);
    bell_ring(&t.wake);
    await(&t.has_ended);
    pthread_mutex_unlock(&t.mutex);
    t.is_paused = t.has_ended > 0;
    if (t.is_paused) {
        pthread_join(t.thread, NULL);
        await_release();
    }
    if (t.ending == HANDS_OVER && t.is_paused)
        own_table_receive();
    else if (t.ending == HANDS_OVER)
        own_table_withdraw();
}

int thread_start(const thread_work *work, const kernel_source_table *kernel)
{
    pthread_cond_init(&t.changed, NULL);
    t.work = work;
    atomic_store(&t.look_ns, 0);
    atomic_store(&ring_on_first_exit, first_ends);
    t.kernel = kernel;
    t.hides = 0;
    t.is_paused = t.hid_in_parent; /* thread_hide() follows soon: it need not end a thread first */
    t.hid_in_parent = 0;
    if (t.is_paused)
        killed_leave(1);
    return t.is_paused ? 0 : spawn();
}

void thread_end(void (*last)(void), int for_good)
{
    if (!t.is_paused && t.hides) {
        join(last, for_good, 0);
    } else {
        if (!t.is_paused)
            join(NULL, for_good, 0);
        if (own_table_is_packed())
            own_table_unpack();
        last();
    }
    if (!for_good)
        return;
    killed_leave(0);
    own_table_end();
    t.is_paused = t.hides = 0;
}

void thread_pause(void)
{
    if (!t.is_paused)
        join(NULL, 0, 1);
}

void thread_resume(void)
{
    if (t.is_paused)
        spawn(); /* no thread could be started: thread_end() does without */
}

void thread_hide(void)
{
    if (!t.hides && own_table_is_needed()) {
        if (!t.is_paused)
            join(NULL, 1, 1);
        t.hides = 1;
    }
    thread_resume();
}

void thread_forget(void)
{
    pthread_mutex_init(&t.mutex, NULL);
    killed_forget();
    t.hid_in_parent = t.hides;
    t.is_paused = t.hides = 0;
}
