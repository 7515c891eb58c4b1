/* One hook in front of each blocking libc function.
 *
 * Without the GIL the thread only notes what it is in: the release is written when it takes the
 * GIL again, with the longest of its calls. With the GIL the call is timed and written if long:
 * all other threads stood still. Also called by signal handlers and between vfork and exec, so
 * nothing here locks, allocates or changes errno. */
#define _GNU_SOURCE
#include "signals/calls/libc.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "signals/calls/accepted.h"
#include "signals/calls/traffic.h"
#include "signals/gil/attached.h"
#include "ring/intern.h"
#include "schema.h"
#include "python/stacks.h"
#include "ring/hot.h"

/* What a call does to a pipe or socket. */
#define NOTHING traffic_of(TRAFFIC_NONE, -1, NULL, 0)
#define READS(flags) traffic_of(traffic_receives(flags), fd, p, n)
#define READS_PARTS traffic_in(TRAFFIC_READ, fd, FORM_PARTS, v, (size_t)n)
#define READS_MESSAGE traffic_in(traffic_receives(f), fd, FORM_MESSAGE, m, 0)
#define WRITES(flags) traffic_of(traffic_sends(flags), fd, p, n)
#define WRITES_PARTS traffic_in(TRAFFIC_WRITE, fd, FORM_PARTS, v, (size_t)n)
#define WRITES_MESSAGE traffic_in(traffic_sends(f), fd, FORM_MESSAGE, m, 0)
#define ACCEPTS traffic_of(TRAFFIC_ACCEPT, fd, NULL, 0)
#define POLLS traffic_of(TRAFFIC_POLL, (int)n, p, 0)
#define POLLED (n == 1 && traffic_may_look(p) ? p->fd : -1)
#define WAITS traffic_of(TRAFFIC_WAIT, -1, e, 0)

/* What gives 0 when its time is over. */
#define CLASS_POLL CLASS_IO
enum { GIVES_UP_POLL = 1, GIVES_UP_IO = 0, GIVES_UP_SLEEP = 0, GIVES_UP_LOCK = 0 };

/* X(return type, name, class, fd, what it does, parameters, arguments) */
#define FUNCTIONS(X)                                                                                                 \
    X(ssize_t, read, IO, fd, READS(0), (int fd, void *p, size_t n), (fd, p, n))                                      \
    X(ssize_t, write, IO, fd, WRITES(0), (int fd, const void *p, size_t n), (fd, p, n))                              \
    X(ssize_t, readv, IO, fd, READS_PARTS, (int fd, const struct iovec *v, int n), (fd, v, n))                       \
    X(ssize_t, writev, IO, fd, WRITES_PARTS, (int fd, const struct iovec *v, int n), (fd, v, n))                     \
    X(ssize_t, pread64, IO, fd, NOTHING, (int fd, void *p, size_t n, off64_t o), (fd, p, n, o))                      \
    X(ssize_t, pwrite64, IO, fd, NOTHING, (int fd, const void *p, size_t n, off64_t o), (fd, p, n, o))               \
    X(ssize_t, recv, IO, fd, READS(f), (int fd, void *p, size_t n, int f), (fd, p, n, f))                            \
    X(ssize_t, recvfrom, IO, fd, READS(f),                                                                           \
      (int fd, void *p, size_t n, int f, struct sockaddr *a, socklen_t *l), (fd, p, n, f, a, l))                     \
    X(ssize_t, recvmsg, IO, fd, READS_MESSAGE, (int fd, struct msghdr *m, int f), (fd, m, f))                        \
    X(ssize_t, send, IO, fd, WRITES(f), (int fd, const void *p, size_t n, int f), (fd, p, n, f))                     \
    X(ssize_t, sendto, IO, fd, WRITES(f),                                                                            \
      (int fd, const void *p, size_t n, int f, const struct sockaddr *a, socklen_t l), (fd, p, n, f, a, l))          \
    X(ssize_t, sendmsg, IO, fd, WRITES_MESSAGE, (int fd, const struct msghdr *m, int f), (fd, m, f))                 \
    X(ssize_t, sendfile64, IO, fd, traffic_from(i, fd, o, n), (int fd, int i, off64_t *o, size_t n), (fd, i, o, n))  \
    X(int, accept, IO, fd, ACCEPTS, (int fd, struct sockaddr *a, socklen_t *l), (fd, a, l))                          \
    X(int, accept4, IO, fd, ACCEPTS, (int fd, struct sockaddr *a, socklen_t *l, int f), (fd, a, l, f))               \
    X(int, connect, IO, fd, NOTHING, (int fd, const struct sockaddr *a, socklen_t l), (fd, a, l))                    \
    X(int, poll, POLL, POLLED, POLLS, (struct pollfd *p, nfds_t n, int t), (p, n, t))                                  \
    X(int, ppoll, POLL, POLLED, POLLS,                                                                                 \
      (struct pollfd *p, nfds_t n, const struct timespec *t, const sigset_t *s), (p, n, t, s))                       \
    X(int, select, POLL, -1, traffic_of(TRAFFIC_SELECT, n, r, 0),                                                      \
      (int n, fd_set *r, fd_set *w, fd_set *x, struct timeval *t), (n, r, w, x, t))                                  \
    X(int, epoll_wait, POLL, fd, WAITS, (int fd, struct epoll_event *e, int n, int t), (fd, e, n, t))                  \
    X(int, epoll_pwait, POLL, fd, WAITS,                                                                               \
      (int fd, struct epoll_event *e, int n, int t, const sigset_t *s), (fd, e, n, t, s))                            \
    X(int, fsync, IO, fd, NOTHING, (int fd), (fd))                                                                   \
    X(int, fdatasync, IO, fd, NOTHING, (int fd), (fd))                                                               \
    X(int, flock, IO, fd, NOTHING, (int fd, int o), (fd, o))                                                         \
    X(pid_t, waitpid, IO, -1, NOTHING, (pid_t p, int *s, int o), (p, s, o))                                          \
    X(pid_t, wait4, IO, -1, NOTHING, (pid_t p, int *s, int o, struct rusage *u), (p, s, o, u))                       \
    X(int, getaddrinfo, IO, -1, NOTHING,                                                                             \
      (const char *n, const char *s, const struct addrinfo *h, struct addrinfo **r), (n, s, h, r))                   \
    X(int, nanosleep, SLEEP, -1, NOTHING, (const struct timespec *q, struct timespec *r), (q, r))                    \
    X(int, clock_nanosleep, SLEEP, -1, NOTHING,                                                                      \
      (clockid_t c, int f, const struct timespec *q, struct timespec *r), (c, f, q, r))                              \
    X(int, usleep, SLEEP, -1, NOTHING, (useconds_t u), (u))                                                          \
    X(int, sem_wait, LOCK, -1, NOTHING, (sem_t *s), (s))                                                             \
    X(int, sem_timedwait, LOCK, -1, NOTHING, (sem_t *s, const struct timespec *t), (s, t))                           \
    X(int, pthread_join, LOCK, -1, NOTHING, (pthread_t p, void **r), (p, r))                                         \
    GLIBC_FUNCTIONS(X)
#ifdef __GLIBC__
#define GLIBC_FUNCTIONS(X)                                                                                           \
    X(int, sem_clockwait, LOCK, -1, NOTHING, (sem_t *s, clockid_t c, const struct timespec *t), (s, c, t))           \
    X(ssize_t, __read_chk, IO, fd, READS(0), (int fd, void *p, size_t n, size_t k), (fd, p, n, k))                   \
    X(ssize_t, __recv_chk, IO, fd, READS(f), (int fd, void *p, size_t n, size_t k, int f), (fd, p, n, k, f))         \
    X(int, __poll_chk, POLL, POLLED, POLLS, (struct pollfd *p, nfds_t n, int t, size_t k), (p, n, t, k))
extern ssize_t __read_chk(int, void *, size_t, size_t);
extern ssize_t __recv_chk(int, void *, size_t, size_t, int);
extern int __poll_chk(struct pollfd *, nfds_t, int, size_t);
#else
#define GLIBC_FUNCTIONS(X)
#endif

enum function {
#define NUMBER(type, name, class, fd, does, parameters, arguments) F_##name,
    FUNCTIONS(NUMBER) F_COUNT
};

static uint32_t names[F_COUNT]; /* string ids */
static uint32_t wait_names[2];

static inline thread_buffer *own_buffer(void)
{
    thread_buffer *b = ring_mine;
    return b && b->generation == atomic_load_explicit(&ring_generation, memory_order_relaxed) && !b->writing &&
                   gil_mode != GIL_UNWATCHED
               ? b
               : NULL;
}

/* Whether the thread's current call was learned at this place in the code: see learn.h. */
static int is_learned(const thread_buffer *b)
{
    PyThreadState *tstate = compat_own_tstate();
    return tstate && b->learned_frame == *compat_frame_slot(tstate);
}

/* The first call of a release, too: C code may compute for long before it. */
static inline void note(thread_buffer *b, uint32_t name, uint8_t class, int fd)
{
    uint64_t tick = clock_tick();
    libc_close(b, tick);
    if (__builtin_expect(b->learned != 0, 0) && class == CLASS_IO && is_learned(b))
        name = b->learned;
    b->libc_fd = fd;
    b->libc_class = class;
    b->libc_tick = tick;
    b->libc = name;
}

/* There is no GIL. A call made inside a named call is part of that call. */
static COLD uint64_t enter_without_gil(thread_buffer *b, enum function f, uint8_t class, int fd)
{
    if (b->call && fd >= 0)
        b->libc_longest_fd = fd;
    if (b->call || b->libc || !b->attached_tick)
        return 0;
    uint64_t tick = clock_tick();
    b->libc_fd = fd;
    b->libc_class = class;
    b->libc = names[f];
    attached_leave(b, tick);
    return tick;
}

static COLD void leave_without_gil(thread_buffer *b, enum function f, uint8_t class, int fd, uint64_t start)
{
    const record made = {.kind = REC_CALL, .flag = class, .a = names[f], .b = (uint64_t)(fd + 1)};
    if (clock_tick() - start >= gil_threshold_ticks)
        attached_back(b, &made, start);
    else
        attached_stay(b);
    b->libc = 0;
}

/* When the call began, if it is timed here (with the GIL held, or where there is none); else 0. */
static HOT uint64_t enter(enum function f, uint8_t class, int fd)
{
    thread_buffer *b = own_buffer();
    if (!b)
        return 0;
    if (gil_mode == GIL_ABSENT)
        return enter_without_gil(b, f, class, fd);
    if (!b->has_gil) {
        note(b, names[f], class, fd);
        return 0;
    }
    uint64_t tick = clock_tick();
    atomic_store_explicit(&b->held_call_tick, tick, memory_order_relaxed);
    return tick;
}

static HOT void leave(enum function f, uint8_t class, int fd, uint64_t start)
{
    int error = errno;
    thread_buffer *b = own_buffer();
    if (!b)
        return;
    if (gil_mode == GIL_ABSENT) {
        if (b->libc)
            leave_without_gil(b, f, class, fd, start);
        errno = error;
        return;
    }
    uint64_t tick = clock_tick();
    if (b->has_gil && tick - start >= gil_threshold_ticks) {
        uint64_t stack = stacks_capture(compat_own_tstate());
        record *slot = ring_reserve(b, 1, tick);
        if (slot) {
            *slot = (record){tick, REC_HELD_CALL, b->call ? b->call_blocks : class, 0, b->call ? b->call : names[f],
                             start, stack << 32 | (uint32_t)(fd + 1)};
            ring_commit(b, 1);
            ring_count_lane(b);
        }
    }
    atomic_store_explicit(&b->held_call_tick, 0, memory_order_release);
    errno = error;
}

/* The call that the thread is in has waited in vain. */
static HOT void give_up(void)
{
    thread_buffer *b = own_buffer();
    if (b && b->libc && !b->has_gil)
        b->libc_fd += CALL_TIMED_OUT;
}

/* `start` is enter()'s. */
static void look(traffic *of, uint64_t start)
{
    thread_buffer *b = own_buffer();
    if (of->kind && b && gil_mode == GIL_WATCHED)
        traffic_before(of, b, start ? start : b->libc_tick);
}

HOT int libc_reads_at_release(thread_buffer *b, int fd)
{
    if (b->has_gil || b->libc || b->libc_longest || b->learned || streams_on || gil_mode != GIL_WATCHED || !own_buffer())
        return 0;
    b->libc_fd = fd;
    b->libc_class = CLASS_IO;
    b->libc_tick = atomic_load_explicit(&b->released_tick, memory_order_relaxed);
    b->libc = names[F_read];
    return 1;
}

void libc_waits(enum libc_wait which)
{
    thread_buffer *b = own_buffer();
    if (b && !b->has_gil)
        note(b, wait_names[which], CLASS_LOCK, -1);
}

/* Two of each: while there are no streams to look at, a hook is short. */
#define HOOK(type, name, class, fd_of, does, parameters, arguments)                    \
    static COLD type looking_##name parameters                                         \
    {                                                                                  \
        uint64_t start = enter(F_##name, CLASS_##class, fd_of);                        \
        traffic of = does;                                                             \
        look(&of, start);                                                              \
        type result = name arguments;                                                  \
        if (GIVES_UP_##class && !result)                                               \
            give_up();                                                                 \
        if (of.buffer)                                                                 \
            traffic_after(&of, (long)result);                                          \
        if (start)                                                                     \
            leave(F_##name, CLASS_##class, fd_of, start);                              \
        return result;                                                                 \
    }                                                                                  \
    static HOT type hook_##name parameters                                             \
    {                                                                                  \
        if (__builtin_expect(streams_on, 0))                                           \
            return looking_##name arguments;                                           \
        uint64_t start = enter(F_##name, CLASS_##class, fd_of);                        \
        type result = name arguments;                                                  \
        if (GIVES_UP_##class && !result)                                               \
            give_up();                                                                 \
        if (start)                                                                     \
            leave(F_##name, CLASS_##class, fd_of, start);                              \
        return result;                                                                 \
    }
FUNCTIONS(HOOK)

/* The interpreter takes its own locks with the GIL held, and hardly ever waits for one: a thread that the kernel
 * stops here has not waited. */
static int hook_semaphore(sem_t *semaphore)
{
    thread_buffer *b = own_buffer();
    if (b && b->has_gil) {
        int error = errno;
        if (!sem_trywait(semaphore))
            return 0;
        errno = error;
    }
    return hook_sem_wait(semaphore);
}

/* Inside a named wait, records which thread has ended, as far as Python code goes: for the threads that
 * interpreter shutdown waits for, nothing else shows it. */
static int hook_join(pthread_t thread, void **result)
{
    thread_buffer *b = own_buffer();
    if (b && b->call && b->call_blocks == CLASS_LOCK)
        ring_emit(b, clock_tick(), REC_JOINED, 0, 0, (uint64_t)thread, 0);
    return hook_pthread_join(thread, result);
}

static int hook_accepting(int fd, struct sockaddr *address, socklen_t *length)
{
    int made = hook_accept(fd, address, length);
    thread_buffer *b = own_buffer();
    if (b)
        accepted_look(b, fd, made);
    return made;
}

static HOT int hook_accepting4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    int made = hook_accept4(fd, address, length, flags);
    thread_buffer *b = own_buffer();
    if (b)
        accepted_look(b, fd, made);
    return made;
}

/* --- calls that do not block --- */

static HOT int hook_close(int fd)
{
    if (__builtin_expect(streams_on, 0))
        traffic_closes(fd);
    return close(fd);
}

static int hook_dup2(int old, int new)
{
    if (__builtin_expect(streams_on, 0))
        traffic_closes(new);
    return dup2(old, new);
}

static int hook_dup3(int old, int new, int flags)
{
    if (__builtin_expect(streams_on, 0))
        traffic_closes(new);
    return dup3(old, new, flags);
}

static HOT int hook_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    int reads = operation != EPOLL_CTL_DEL && traffic_may_look(event) && event->events & EPOLLIN;
    if (__builtin_expect(streams_on, 0) && reads && gil_mode == GIL_WATCHED && own_buffer())
        traffic_watches(fd);
    return epoll_ctl(epoll, operation, fd, event);
}

static const got_hook quick[] = {
    {"close", (void *)hook_close, (void *)close},
    {"dup2", (void *)hook_dup2, (void *)dup2},
    {"dup3", (void *)hook_dup3, (void *)dup3},
    {"epoll_ctl", (void *)hook_epoll_ctl, (void *)epoll_ctl},
};
enum { QUICK = sizeof quick / sizeof *quick };

static const struct {
    const char *name;
    void *ours, *theirs;
    uint8_t class;
} functions[F_COUNT] = {
#define ROW(type, name, class, fd, does, parameters, arguments) \
    {#name, (void *)hook_##name, (void *)name, CLASS_##class},
    FUNCTIONS(ROW)
};

static uint32_t shown_name(const char *name, uint8_t class)
{
    char text[64];
    if (!strncmp(name, "__", 2)) /* __read_chk: read, checked by the compiler */
        name += 2;
    size_t length = strlen(name);
    if (length > 4 && !strcmp(name + length - 4, "_chk"))
        length -= 4;
    if (class == CLASS_SLEEP)
        return intern_string("sleep", 5);
    const char *prefix = class == CLASS_LOCK ? SCHEMA_TEXT_LOCK_WAIT_PREFIX : SCHEMA_TEXT_IO_PREFIX;
    int size = snprintf(text, sizeof text, "%s%.*s", prefix, (int)length, name);
    return intern_string(text, (size_t)size);
}

int libc_hooks(got_hook *hooks)
{
    static_assert((int)F_COUNT + QUICK <= (int)LIBC_HOOKS, "room for every function");
    for (int i = 0; i < F_COUNT; i++) {
        names[i] = shown_name(functions[i].name, functions[i].class);
        hooks[i] = (got_hook){functions[i].name, functions[i].ours, functions[i].theirs};
    }
    hooks[F_sem_wait].ours = (void *)hook_semaphore;
    hooks[F_pthread_join].ours = (void *)hook_join;
    hooks[F_accept].ours = (void *)hook_accepting;
    hooks[F_accept4].ours = (void *)hook_accepting4;
    wait_names[LIBC_COND_WAIT] = shown_name("pthread_cond_wait", CLASS_LOCK);
    wait_names[LIBC_COND_TIMEDWAIT] = shown_name("pthread_cond_timedwait", CLASS_LOCK);
    memcpy(hooks + F_COUNT, quick, sizeof quick);
    return F_COUNT + QUICK;
}
