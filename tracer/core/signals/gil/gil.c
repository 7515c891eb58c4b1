/* The GIL's hooks: calibration, takes and drops, and the records of them.
 *
 * drop_gil signals gil->cond; take_gil, once it has it, signals gil->switch_cond; a thread that
 * finds it taken waits on gil->cond. All of it happens with gil->mutex locked, and no other
 * thread can run Python code in between. */
#define _GNU_SOURCE
#include "signals/gil/gil.h"

#include <pthread.h>
#include <string.h>

#include "signals/asyncio/contexts.h"
#include "signals/gil/attached.h"
#include "signals/calls/learn.h"
#include "signals/calls/libc.h"
#include "signals/calls/traffic.h"
#include "python/stacks.h"
#include "ring/hot.h"

enum { GIL_HOOKS = 4, SEEN = 8, QUICK_NS = 2000, LONG_NS = 100 * 1000 * 1000, FORK_PATIENCE_S = 1, CALIBRATIONS = 50 };

static HOT_DATA pthread_cond_t *gil_cond, *switch_cond;
static HOT_DATA pthread_mutex_t *gil_mutex;
static uint64_t takes; /* by any thread; guarded by the GIL's mutex */
static HOT_DATA uint64_t quick_ticks, long_ticks;

/* What one thread passes while it releases and retakes the GIL for the calibration; none of the three is known then. */
static HOT_DATA int calibrating;
static struct {
    pthread_t thread;
    const void *conds[SEEN], *mutexes[SEEN];
    int cond_count, mutex_count;
} calibration;

static got_hook hooks[GIL_HOOKS + LIBC_HOOKS];
static int hook_count;
static int inherited_hooks; /* in a forked child: how many the parent had put in place */
static pthread_mutex_t patching = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local int fork_holds_patching;

static COLD void calibrate(const void *what, const void **seen, int *count)
{
    if (pthread_equal(pthread_self(), calibration.thread) && *count < SEEN)
        seen[(*count)++] = what;
}

/* --- dropping and taking; with the GIL's mutex held --- */

static HOT void on_drop(thread_buffer *b, uint64_t tick)
{
    b->has_gil = b->queued = b->forced = 0;
    b->asked_tick = b->out_tick = 0;
    b->took_tick = 0;
    b->libc = b->libc_longest = 0;
    b->libc_longest_ticks = 0;
    b->takes_before = takes;
    atomic_store_explicit(&b->released_tick, tick, memory_order_release);
}

static HOT void write_take(thread_buffer *b, uint64_t tick, uint64_t released)
{
    uint64_t asked = b->asked_tick;
    uint64_t wait = asked && (b->queued || tick - asked >= quick_ticks) ? asked : 0;
    uint64_t back = wait ? wait : tick;
    libc_close(b, back);
    PyThreadState *tstate = released ? compat_own_tstate() : NULL;
    uint32_t what = b->call;
    uint8_t class = b->call_blocks;
    if (!what && b->libc_longest) {
        class = b->libc_longest_class;
        what = b->libc_longest;
        if (class == CLASS_IO && back - released >= gil_threshold_ticks)
            learn_blocked(tstate);
    }
    b->waited_fd = b->libc_longest && back - released >= long_ticks ? (b->libc_longest_fd + 1) & CALL_FD : 0;
    uint32_t stack = stacks_capture(tstate);
    if (b->in_libuv && tstate)
        contexts_see(b, tstate);
    uint64_t out = b->out_tick ? b->out_tick : released;
    if (released && !what && back - out < gil_threshold_ticks)
        wait = released; /* it did not want to give it up: another thread asked for it */
    uint32_t records = what ? 2 : 1;
    record *slot = ring_reserve(b, records, tick);
    if (!slot) {
        if (released && b->gap_records == records)
            b->gap_tick = released; /* the first thing lost is the release */
    } else {
        if (what)
            *slot++ = (record){tick, REC_CALL, class, 0, what,
                               b->libc_longest ? (uint64_t)(b->libc_longest_fd + 1) : 0,
                               b->call ? b->call_serial : 0};
        *slot = (record){tick, REC_TAKE, 0, 0, stack, released, wait};
        ring_commit(b, records);
        ring_count_lane(b);
    }
    b->switches++;
}

/* A take that leaves no trace, as most do: no other thread had the GIL meanwhile, and the thread has it back soon. Returns
 * whether it is one; it calls nothing. */
static HOT int on_quick_take(thread_buffer *b)
{
    uint64_t released = atomic_load_explicit(&b->released_tick, memory_order_relaxed);
    uint64_t tick = clock_counter();
    if (!released || takes != b->takes_before || tick - released >= gil_threshold_ticks || b->traffic.count)
        return 0;
    takes++;
    b->took_tick = b->contexts ? 0 : tick;
    b->took_records = b->offered;
    b->has_gil = 1;
    b->asked_tick = 0;
    atomic_store_explicit(&b->released_tick, 0, memory_order_release);
    return 1;
}

static void on_take(void)
{
    uint64_t mine = ++takes;
    thread_buffer *b = ring_current();
    if (!b)
        return;
    uint64_t released = atomic_load_explicit(&b->released_tick, memory_order_relaxed);
    int is_own = released && mine == b->takes_before + 1; /* no other thread had it meanwhile */
    uint64_t tick = is_own ? clock_tick() : clock_tick_in_order();
    b->has_gil = 1;
    if (!is_own || tick - released >= gil_threshold_ticks)
        write_take(b, tick, released);
    if (__builtin_expect(b->traffic.count, 0) && !b->call)
        traffic_tell_unnamed(b);
    b->asked_tick = 0;
    atomic_store_explicit(&b->released_tick, 0, memory_order_release);
}

/* --- the hooks --- */

/* Any signal. */
static HOT_ALONE int signal_cond(pthread_cond_t *cond)
{
    thread_buffer *b = cond == gil_cond ? ring_current() : NULL;
    if (b)
        on_drop(b, clock_tick());
    else if (cond == switch_cond)
        on_take();
    else if (__builtin_expect(calibrating, 0))
        calibrate(cond, calibration.conds, &calibration.cond_count);
    return pthread_cond_signal(cond);
}

/* A thread gives up the GIL, or takes it, whenever it makes a system call: so most of it is done here, where no function is
 * called but the one at the end. */
static HOT int hook_cond_signal(pthread_cond_t *cond)
{
    if (cond == gil_cond) {
        thread_buffer *b = ring_known();
        if (!b || !clock_is_counter())
            return signal_cond(cond);
        on_drop(b, contexts_left(b));
    } else if (cond == switch_cond) {
        thread_buffer *b = ring_known();
        if (!b || !clock_is_counter() || !on_quick_take(b))
            return signal_cond(cond);
    } else if (__builtin_expect(calibrating, 0)) {
        return signal_cond(cond);
    }
    return pthread_cond_signal(cond);
}

static int hook_mutex_lock(pthread_mutex_t *mutex);

static void ask(thread_buffer *b)
{
    if (!b->asked_tick)
        b->asked_tick = clock_tick();
}

static int hook_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
    if (cond == gil_cond) {
        thread_buffer *b = ring_current();
        if (b) {
            b->queued = 1;
            ask(b);
        }
    } else {
        libc_waits(LIBC_COND_TIMEDWAIT);
    }
    return pthread_cond_timedwait(cond, mutex, until);
}

static int hook_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    if (cond != switch_cond) {
        libc_waits(LIBC_COND_WAIT);
        return pthread_cond_wait(cond, mutex);
    }
    /* Waits until another thread has the GIL. Then this one queues for it again, or, if it gave up the
     * GIL for a blocking call, goes on to that call: only what it does next shows which. */
    thread_buffer *b = ring_current();
    if (b)
        b->forced = 1;
    int result = pthread_cond_wait(cond, mutex);
    if (b) {
        b->forced = 0;
        b->out_tick = clock_tick();
    }
    return result;
}

static COLD int lock_first(pthread_mutex_t *mutex)
{
    thread_buffer *b = ring_current();
    if (b)
        b->has_gil = 0; /* a new thread's first take; a drop does not care */
    return b ? hook_mutex_lock(mutex) : pthread_mutex_lock(mutex);
}

static COLD int lock_contended(pthread_mutex_t *mutex)
{
    ask(ring_mine);
    return pthread_mutex_lock(mutex);
}

/* The thread takes the GIL. */
static HOT_ALONE int lock_to_take(pthread_mutex_t *mutex)
{
    /* If it is free and the thread has to wait nevertheless, it asks in hook_cond_timedwait(). */
    int error = pthread_mutex_trylock(mutex);
    return __builtin_expect(!error, 1) ? error : lock_contended(mutex);
}

static COLD int lock_calibrating(pthread_mutex_t *mutex)
{
    calibrate(mutex, calibration.mutexes, &calibration.mutex_count);
    return pthread_mutex_lock(mutex);
}

static HOT int hook_mutex_lock(pthread_mutex_t *mutex)
{
    if (mutex != gil_mutex)
        return __builtin_expect(calibrating, 0) ? lock_calibrating(mutex) : pthread_mutex_lock(mutex);
    const thread_buffer *b = ring_mine;
    if (!b)
        return lock_first(mutex);
    return b->has_gil ? pthread_mutex_lock(mutex) : lock_to_take(mutex);
}

static _Atomic int is_watched, resolving;

static int resolve_now(void *unused)
{
    (void)unused;
    atomic_store(&resolving, 0);
    learn_resolve();
    return 0;
}

/* Hooks the objects loaded since, and has the main thread learn the names of functions that no hook has found
 * in passing. */
void gil_after_pass(void)
{
    if (!atomic_load_explicit(&is_watched, memory_order_acquire))
        return;
    if (atomic_load(&learn_pending) && !atomic_exchange(&resolving, 1) && Py_AddPendingCall(resolve_now, NULL) < 0)
        atomic_store(&resolving, 0);
    if (gil_mode == GIL_UNWATCHED || pthread_mutex_trylock(&patching))
        return;
    if (hook_count && got_is_stale())
        got_patch(hooks, hook_count);
    pthread_mutex_unlock(&patching);
}

/* Releases the GIL: the thread that holds the loader's lock, or ours, may want it. */
void gil_follow_loads(void)
{
    if (gil_mode == GIL_UNWATCHED || !got_is_stale())
        return;
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&patching);
    if (hook_count)
        got_patch(hooks, hook_count);
    pthread_mutex_unlock(&patching);
    Py_END_ALLOW_THREADS
}

/* Does not wait for ever: the patching thread may be held up by one that wants the GIL, which the forking one has. */
void gil_before_fork(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += FORK_PATIENCE_S;
    fork_holds_patching = pthread_mutex_timedlock(&patching, &until) == 0;
}

void gil_after_fork(int in_child)
{
    if (in_child) {
        pthread_mutex_init(&patching, NULL);
        /* The addresses stay as they are, and the hooks only pass calls on: changing them takes the loader's
         * lock, which any of the parent's threads may have held. */
        inherited_hooks = hook_count;
        hook_count = 0;
    } else if (fork_holds_patching) {
        pthread_mutex_unlock(&patching);
    }
    fork_holds_patching = 0;
}

/* --- arming --- */

/* The reason why the GIL cannot be watched, or NULL. */
static const char *look_for_gil(void)
{
    memset(&calibration, 0, sizeof calibration);
    calibration.thread = pthread_self();
    calibrating = 1;
    PyThreadState *tstate = PyEval_SaveThread();
    int released = calibration.cond_count;
    PyEval_RestoreThread(tstate);
    calibrating = 0;
    if (!calibration.cond_count)
        return "this interpreter has no GIL, or does not call pthread functions through an address table";
    if (released != 1 || calibration.cond_count != 2 || calibration.mutex_count < 2 ||
        calibration.mutexes[0] != calibration.mutexes[1])
        return "the GIL of this interpreter works in an unknown way";
    gil_mutex = (pthread_mutex_t *)(uintptr_t)calibration.mutexes[0];
    gil_cond = (pthread_cond_t *)(uintptr_t)calibration.conds[0];
    switch_cond = (pthread_cond_t *)(uintptr_t)calibration.conds[1];
    return NULL;
}

/* A release that another thread forces looks different; the next one probably does not. */
static const char *find_gil(void)
{
    const char *problem = look_for_gil();
    for (int i = 1; problem && calibration.cond_count && i < CALIBRATIONS; i++)
        problem = look_for_gil();
    return problem;
}

/* The hooks must see one more release as one drop and one take. */
static const char *test_hooks(thread_buffer *b)
{
    uint64_t before = takes;
    PyThreadState *tstate = PyEval_SaveThread();
    int gave = !b->has_gil && atomic_load(&b->released_tick);
    PyEval_RestoreThread(tstate);
    return gave && b->has_gil && takes > before ? NULL : "the hooks do not see a release of the GIL";
}

static void forget_gil(void)
{
    gil_mode = GIL_UNWATCHED;
    atomic_store(&is_watched, 0);
    gil_cond = switch_cond = NULL;
    gil_mutex = NULL;
    pthread_mutex_lock(&patching);
    if (hook_count)
        got_restore(hooks, hook_count);
    hook_count = 0;
    pthread_mutex_unlock(&patching);
}

PyDoc_STRVAR(watch_doc, "watch_gil(name_calls)\n\n"
"Installs the hooks: of the GIL and, with name_calls, of blocking libc calls.\n"
"Without a GIL the threads' lanes show when they are attached.\n"
"Raises RuntimeError if this interpreter's GIL cannot be watched.");

static PyObject *watch_gil(PyObject *module, PyObject *name_calls)
{
    (void)module;
    static const got_hook own[GIL_HOOKS] = {
        {"pthread_cond_signal", (void *)hook_cond_signal, (void *)pthread_cond_signal},
        {"pthread_cond_timedwait", (void *)hook_cond_timedwait, (void *)pthread_cond_timedwait},
        {"pthread_cond_wait", (void *)hook_cond_wait, (void *)pthread_cond_wait},
        {"pthread_mutex_lock", (void *)hook_mutex_lock, (void *)pthread_mutex_lock},
    };
    thread_buffer *b = ring_current();
    if (!b || hook_count) {
        PyErr_SetString(PyExc_RuntimeError, b ? "it is watched already" : "no recording runs");
        return NULL;
    }
    quick_ticks = clock_ticks_of(QUICK_NS);
    long_ticks = clock_ticks_of(LONG_NS);
    memcpy(hooks, own, sizeof own);
    pthread_mutex_lock(&patching);
    hook_count = GIL_HOOKS + (PyObject_IsTrue(name_calls) ? libc_hooks(hooks + GIL_HOOKS) : 0);
    got_patch(hooks, hook_count);
    pthread_mutex_unlock(&patching);
    const char *problem = find_gil();
    int is_absent = COMPAT_FREE_THREADED && !calibration.cond_count;
    if (is_absent)
        problem = COMPAT_KNOWS_ATTACHED ? NULL : "this version of free-threaded Python is not supported";
    else if (!problem)
        problem = test_hooks(b);
    if (problem) {
        forget_gil();
        PyErr_SetString(PyExc_RuntimeError, problem);
        return NULL;
    }
    gil_mode = is_absent ? GIL_ABSENT : GIL_WATCHED;
    atomic_store(&is_watched, 1);
    if (is_absent)
        attached_begin(b);
    else
        write_take(b, clock_tick(), 0);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(go_on_doc, "go_on_watching_gil() -> bool\n\n"
"In a forked child whose parent watched the GIL: the hooks are in place. False if they were not.");

static PyObject *go_on_watching_gil(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    thread_buffer *b = gil_mode == GIL_UNWATCHED ? NULL : ring_current();
    if (!b)
        Py_RETURN_FALSE;
    hook_count = inherited_hooks;
    atomic_store(&resolving, 0);
    if (gil_mode == GIL_ABSENT)
        attached_begin(b);
    else
        write_take(b, clock_tick(), 0);
    Py_RETURN_TRUE;
}

static PyObject *unwatch_gil(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    forget_gil();
    Py_RETURN_NONE;
}

PyDoc_STRVAR(threshold_doc, "call_threshold(ns)\n\nCalls and GIL releases shorter than this are not written, unless another\n"
"thread took the GIL meanwhile.");

static PyObject *call_threshold(PyObject *module, PyObject *ns)
{
    (void)module;
    unsigned long long value = PyLong_AsUnsignedLongLong(ns);
    if (PyErr_Occurred())
        return NULL;
    gil_threshold_ticks = clock_ticks_of(value);
    Py_RETURN_NONE;
}

PyMethodDef gil_methods[] = {
    {"watch_gil", watch_gil, METH_O, watch_doc},
    {"go_on_watching_gil", go_on_watching_gil, METH_NOARGS, go_on_doc},
    {"unwatch_gil", unwatch_gil, METH_NOARGS, "Removes the hooks."},
    {"call_threshold", call_threshold, METH_O, threshold_doc},
    {NULL, NULL, 0, NULL},
};
