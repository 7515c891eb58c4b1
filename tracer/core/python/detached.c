/* Starts a process through another one that ends at once. That one ends without SIGCHLD, and no wait of the program
 * sees it: its exit signal is none, so only a wait with __WALL finds it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "python/detached.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STACK_BYTES = 256 << 10, STREAMS = 3 };

typedef struct {
    char **argv, **envp;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    pid_t pid;
    int error;
} order;

/* Shares the memory of the program, whose thread waits: runs only what may run after vfork(). */
static int between(void *given)
{
    order *o = given;
    o->error = posix_spawn(&o->pid, o->argv[0], &o->files, &o->how, o->argv, o->envp);
    _exit(0);
}

static int start(order *o)
{
    char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED)
        return errno;
    sigset_t all, before;
    sigfillset(&all); /* no handler of the program runs there */
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pid_t pid = clone(between, stack + STACK_BYTES, CLONE_VM | CLONE_VFORK, o);
    int error = pid < 0 ? errno : 0;
    while (pid > 0 && waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
        ;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    munmap(stack, STACK_BYTES);
    return error ? error : o->error;
}

/* NULL-terminated texts of a tuple of bytes, borrowed from it; NULL with an exception. */
static char **texts_of(PyObject *tuple)
{
    Py_ssize_t count = PyTuple_GET_SIZE(tuple);
    char **texts = PyMem_RawCalloc((size_t)count + 1, sizeof *texts);
    if (!texts)
        return (char **)PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < count; i++)
        if (!(texts[i] = PyBytes_AsString(PyTuple_GET_ITEM(tuple, i)))) {
            PyMem_RawFree(texts);
            return NULL;
        }
    return texts;
}

/* In a session of its own, with the default of every signal; descriptor 2 leads nowhere. */
static int prepare(order *o, const int from[2])
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    for (int number = 32; number < SIGRTMIN; number++) /* libc's own */
        sigdelset(&all, number);
    return posix_spawn_file_actions_adddup2(&o->files, from[0], 0) ||
           posix_spawn_file_actions_adddup2(&o->files, from[1], 1) ||
           posix_spawn_file_actions_addopen(&o->files, 2, "/dev/null", O_RDWR, 0) ||
           posix_spawnattr_setsigmask(&o->how, &none) || posix_spawnattr_setsigdefault(&o->how, &all) ||
           posix_spawnattr_setflags(&o->how, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

PyDoc_STRVAR(start_doc, "start_detached(argv, env, stdin, stdout) -> int\n\n"
"Starts a process that is nobody's child; its pid. The descriptors are above 2. Raises OSError.");

static PyObject *start_detached(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *argv, *env;
    int from[2];
    if (!PyArg_ParseTuple(args, "O!O!ii", &PyTuple_Type, &argv, &PyTuple_Type, &env, &from[0], &from[1]))
        return NULL;
    order o = {.argv = texts_of(argv)};
    o.envp = o.argv ? texts_of(env) : NULL;
    if (!o.envp) {
        PyMem_RawFree(o.argv);
        return NULL;
    }
    posix_spawn_file_actions_init(&o.files);
    posix_spawnattr_init(&o.how);
    int error = prepare(&o, from) ? ENOMEM : start(&o);
    posix_spawnattr_destroy(&o.how);
    posix_spawn_file_actions_destroy(&o.files);
    PyMem_RawFree(o.argv);
    PyMem_RawFree(o.envp);
    if (error) {
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return PyLong_FromLong(o.pid);
}

PyMethodDef detached_methods[] = {
    {"start_detached", start_detached, METH_VARARGS, start_doc},
    {NULL, NULL, 0, NULL},
};
