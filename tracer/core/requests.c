/* The thread that waits for what the process that answers HTTP asks of the program: a collection, a recording of some
 * seconds. It sleeps in poll() and is no thread of Python's until a request comes.
 *
 * Python starts, pauses and ends it, with the GIL. A thread that is busy is not waited for longer than a moment. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "requests.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ring/private_fd.h"
#include "ring/ring.h"
#include "signals/kernel/kernel.h"
#include "signals/where.h"

enum { REQUEST_BYTES = 4096, PATIENCE_S = 1 };
static char end[] = "0 end"; /* nobody asks any more */

static struct {
    private_fd from;       /* the pipe with the requests */
    private_fd wake[2];    /* a pipe that is written to when the thread is to pause */
    PyObject *obey;        /* obey(request) -> after how many ms to give up what it began, -1: never, None: as before */
    pthread_t thread;
    int runs;
    _Atomic int gives_way; /* another one is to take its place */
    _Atomic int has_ended; /* 1: it has, or will once nobody takes that back; 2: whoever joins it has seen that */
    int64_t give_up_ms;    /* the thread's: when to give up what was begun, -1: never */
    char request[REQUEST_BYTES];
    size_t received;
} r = {.from = {.fd = -1}, .wake = {{.fd = -1}, {.fd = -1}}, .give_up_ms = -1};

/* "NUMBER WORD …" */
static int is_word(const char *request, const char *word)
{
    const char *at = strchr(request, ' ');
    size_t length = strlen(word);
    return at && !strncmp(at + 1, word, length) && (!at[1 + length] || at[1 + length] == ' ');
}

static int64_t now_ms(void)
{
    return (int64_t)(clock_ns_of(CLOCK_MONOTONIC) / 1000000);
}

/* As poll() takes it. */
static int patience_ms(void)
{
    int64_t left_ms = r.give_up_ms - now_ms();
    return r.give_up_ms < 0 ? -1 : left_ms > 0 ? (int)left_ms : 0;
}

static void call(const char *request)
{
    PyThreadState *tstate = PyThreadState_Get();
    PyThreadState_EnterTracing(tstate); /* no line of the program's */
    PyObject *result = r.obey ? PyObject_CallFunction(r.obey, "s", request) : NULL;
    if (result && result != Py_None) {
        long after_ms = PyLong_AsLong(result);
        r.give_up_ms = after_ms < 0 ? -1 : now_ms() + after_ms;
    }
    Py_XDECREF(result);
    PyErr_Clear();
    PyThreadState_LeaveTracing(tstate);
}

static void *obey_here(void *request)
{
    if (Py_IsInitialized() && !compat_is_finalizing()) {
        PyGILState_STATE state = PyGILState_Ensure();
        call(request);
        PyGILState_Release(state);
    }
    return NULL;
}

/* What does something to the program, or makes records, is done by a thread that a recording shows, with its end. */
static void obey(char *request)
{
    pthread_t thread;
    if (is_word(request, "keep")) { /* with the stacks of all threads but this one, which has none now */
        where_ask();
        where_await();
    }
    if (is_word(request, "keep") || is_word(request, "end"))
        obey_here(request);
    else if (pthread_create(&thread, NULL, obey_here, request) == 0)
        pthread_join(thread, NULL);
}

/* Returns whether there may be more. */
static int receive(void)
{
    ssize_t got = read(r.from.fd, r.request + r.received, sizeof r.request - 1 - r.received);
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    r.received += (size_t)got;
    r.request[r.received] = 0;
    for (char *line_end; (line_end = strchr(r.request, '\n'));) {
        *line_end = 0;
        obey(r.request);
        r.received -= (size_t)(line_end + 1 - r.request);
        memmove(r.request, line_end + 1, r.received + 1);
    }
    return r.received < sizeof r.request - 1;
}

static void forget_wakes(void)
{
    char told;
    while (private_fd_is_ours(&r.wake[0]) && read(r.wake[0].fd, &told, 1) > 0)
        ;
}

static int is_unwanted(void)
{
    return forking_pauses() || atomic_load(&r.gives_way);
}

/* The thread's: whether it ends, since it is to pause. If the pause is over by now, either it goes on, or who resumes
 * has seen that it ends and starts another one. */
static int is_to_end(void)
{
    int ended = 1;
    if (!is_unwanted())
        return 0;
    atomic_store(&r.has_ended, 1);
    return is_unwanted() || !atomic_compare_exchange_strong(&r.has_ended, &ended, 0);
}

static void *work(void *unused)
{
    (void)unused;
    ring_is_hidden = 1;
    for (;;) {
        if (!private_fd_is_ours(&r.from) || !private_fd_is_ours(&r.wake[0]))
            break;
        struct pollfd on[] = {{.fd = r.from.fd, .events = POLLIN}, {.fd = r.wake[0].fd, .events = POLLIN}};
        int found = poll(on, 2, patience_ms());
        if (found > 0 && on[1].revents)
            forget_wakes(); /* before it looks whether it is unwanted, which changes before one is written */
        if (is_to_end())
            return NULL;
        if (found == 0) {
            r.give_up_ms = -1;
            obey(end);
        } else if (found > 0 && on[0].revents && private_fd_is_ours(&r.from) && !receive())
            break;
        else if (found < 0 && errno != EINTR)
            break;
    }
    obey(end);
    atomic_store(&r.has_ended, 1);
    return NULL;
}

static int start(void)
{
    sigset_t all, before;
    forget_wakes();
    sigfillset(&all); /* no handler of the program runs there */
    atomic_store(&r.has_ended, 0);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int error = pthread_create(&r.thread, NULL, work, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    r.runs = !error;
    return error;
}

/* With the GIL, which it gives away meanwhile, while the thread is unwanted. Returns whether there is no
 * such thread now. */
static int retire(void)
{
    if (!r.runs)
        return 1;
    if (pthread_equal(r.thread, pthread_self()))
        return 0;
    ssize_t written = private_fd_is_ours(&r.wake[1]) ? write(r.wake[1].fd, "", 1) : 0;
    (void)written; /* if the program has closed it, the thread finds out by itself */
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    int has_ended;
    r.runs = 0; /* no other thread that forks joins it */
    Py_BEGIN_ALLOW_THREADS
    has_ended = pthread_timedjoin_np(r.thread, NULL, &until) == 0;
    Py_END_ALLOW_THREADS
    r.runs = !has_ended;
    return has_ended;
}

/* With the GIL, when no pause lasts: joins a thread that was busy when it was to pause, and ended later. */
static int has_retired(void)
{
    int ended = 1;
    if (r.runs && atomic_compare_exchange_strong(&r.has_ended, &ended, 2)) {
        pthread_join(r.thread, NULL);
        r.runs = 0;
    }
    return !r.runs;
}

static void close_all(void)
{
    private_fd_close(&r.from);
    private_fd_close(&r.wake[0]);
    private_fd_close(&r.wake[1]);
}

static int open_all(int fd)
{
    int wake[2];
    r.from = private_fd_take(fd);
    r.received = 0;
    r.give_up_ms = -1;
    if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) < 0)
        return errno;
    for (int i = 0; i < 2; i++)
        r.wake[i] = private_fd_take(wake[i]);
    return r.from.fd < 0 || r.wake[0].fd < 0 || r.wake[1].fd < 0 ? EMFILE : 0;
}

PyDoc_STRVAR(await_doc, "await_requests(fd, obey)\n\n"
"From now on a thread calls obey(request) for each line that can be read from `fd`, which the core owns. Raises OSError.");

static PyObject *await_requests(PyObject *module, PyObject *args)
{
    (void)module;
    int fd;
    PyObject *function;
    if (!PyArg_ParseTuple(args, "iO", &fd, &function))
        return NULL;
    atomic_fetch_add(&r.gives_way, 1);
    int is_gone = retire();
    atomic_fetch_sub(&r.gives_way, 1);
    int error = is_gone || has_retired() ? 0 : EALREADY; /* that of a process that has ended */
    if (error) {
        close(fd);
    } else {
        close_all();
        Py_XSETREF(r.obey, Py_NewRef(function));
        error = open_all(fd);
        error = error ? error : start();
    }
    errno = error;
    if (error)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

static void pause_thread(void)
{
    retire();
}

static void resume_thread(void)
{
    if (r.from.fd >= 0 && has_retired())
        start(); /* if it cannot, requests are not answered */
}

static void forget_thread(void)
{
    r.runs = 0;
    close_all();
    Py_CLEAR(r.obey);
}

const forking_thread requests_thread = {pause_thread, NULL, resume_thread, forget_thread};

PyMethodDef requests_methods[] = {
    {"await_requests", await_requests, METH_VARARGS, await_doc},
    {NULL, NULL, 0, NULL},
};
