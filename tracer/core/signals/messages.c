/* Messages of multiprocessing's connections, and so of its queues: which write ended somebody's wait.
 *
 * Both processes count the messages of a pipe (ring/channels.h). Only one that somebody has waited for is recorded: by who
 * wrote it and by who read it, with the same number. Jobs of pools have events of their own (jobs.c), so of their messages
 * only the count goes on. */
#include "signals/messages.h"

#include <string.h>

#include "python/looking.h"
#include "python/stacks.h"
#include "ring/channels.h"
#include "ring/family.h"
#include "signals/jobs.h"
#include "signals/queued.h"

enum { MOST_AWAITED = 64, MOST_READY = 8 }; /* connections in one wait() */
enum { MOST_WITHIN = 8 }; /* frames from Connection's methods to the call */
enum { AT_ONCE_NS = 1000000 };                  /* nothing else comes between a wait and what is read then */

typedef struct {
    channel_message message;
    const compat_frame *frame; /* that writes or reads it; NULL: none does */
    uint64_t since_ns, bytes;
    uint64_t before_ns; /* when the thread had written its message before */
    uint32_t stack;
} transfer;

static _Thread_local struct {
    uint32_t generation;
    transfer out, in;
    struct { /* the wait() that ended last, until something is read */
        const compat_frame *frame;
        uint64_t since_ns, until_ns;
        uint64_t ready[MOST_READY]; /* inodes, 0 after the last */
    } wait;
} mine;

static void forget_others(const thread_buffer *b)
{
    if (mine.generation != b->generation) /* of another recording, or of the process that forked this one */
        memset(&mine, 0, sizeof mine);
    mine.generation = b->generation;
}

static uint64_t now_ns(void)
{
    return clock_ns_of(CLOCK_MONOTONIC);
}

/* NULL: no memory. */
static PyObject *named(PyObject **name, const char *text)
{
    if (!*name && !(*name = PyUnicode_InternFromString(text)))
        PyErr_Clear();
    return *name;
}

static channel_end end_of(PyObject *connection)
{
    static PyObject *name;
    PyObject *handle = named(&name, "_handle") ? plain_attribute(connection, name) : NULL;
    uint64_t fd = number_of(handle);
    Py_XDECREF(handle);
    return (channel_end){fd <= INT32_MAX ? (int)fd : -1, connection};
}

/* Of the size, and of the first and last bytes: what two messages that follow each other rarely share. */
static uint32_t check_of(const char *bytes, uint64_t size)
{
    uint64_t mixed = size * 0x9E3779B97F4A7C15ull;
    uint64_t edge = size < 32 ? size : 32;
    for (uint64_t i = 0; i < edge; i++)
        mixed = (mixed ^ (uint8_t)bytes[i]) * 0x100000001B3ull ^ (uint8_t)bytes[size - edge + i];
    return (uint32_t)(mixed >> 32 ^ mixed);
}

/* `at_ns` is when it was written or read, `since_ns` when what comes before that was over. */
static void emit(thread_buffer *b, enum message_step step, const transfer *of, uint64_t at_ns, uint64_t since_ns)
{
    uint64_t tick = clock_tick();
    record *slot = ring_reserve(b, 2, tick);
    if (!slot)
        return;
    pool_job_details details = {.bytes = of->bytes, .pickling_ns = since_ns, .since_ns = at_ns, .stack = of->stack};
    slot[0] = (record){tick, REC_MESSAGE, (uint8_t)step, 1, 0, of->message.inode, of->message.number};
    memcpy(&slot[1], &details, sizeof details);
    ring_commit(b, 2);
}

int messages_are_passing(const thread_buffer *b)
{
    PyThreadState *tstate = compat_own_tstate();
    if (mine.generation != b->generation || (!mine.out.frame && !mine.in.frame) || !tstate)
        return 0;
    const compat_frame *at = *compat_frame_slot(tstate);
    for (int i = 0; at && i < MOST_WITHIN; i++, at = at->previous)
        if (at == mine.out.frame || at == mine.in.frame)
            return 1;
    return 0;
}

/* --- waited for --- */

void messages_on_close(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)b, (void)tick, (void)value;
    channels_closed();
}

void messages_on_pipe(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)b, (void)tick;
    if (!value || !PyTuple_CheckExact(value) || PyTuple_GET_SIZE(value) != 2 || !family_is_ready())
        return;
    uint64_t ends[2];
    for (int i = 0; i < 2; i++)
        ends[i] = channels_inode(end_of(PyTuple_GET_ITEM(value, i)));
    if (ends[0] && ends[1] && ends[0] != ends[1]) /* else it is a pipe, which has one inode */
        channels_pair(ends[0], ends[1]);
}

static int is_sequence(PyObject *value)
{
    return value && (PyList_CheckExact(value) || PyTuple_CheckExact(value));
}

static int is_no_time(PyObject *timeout)
{
    return timeout && ((PyFloat_Check(timeout) && PyFloat_AS_DOUBLE(timeout) <= 0) || number_of(timeout) == 0);
}

void messages_on_wait(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    forget_others(b);
    const compat_frame *frame = current();
    PyObject *all = local(frame, 0);
    mine.wait.frame = NULL;
    mine.wait.ready[0] = 0;
    if (!is_sequence(all) || is_no_time(local(frame, 1)))
        return;
    mine.wait.frame = frame;
    mine.wait.since_ns = now_ns();
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(all) && i < MOST_AWAITED; i++)
        channels_await(end_of(PySequence_Fast_GET_ITEM(all, i)), mine.wait.since_ns);
}

void messages_on_ready(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick;
    forget_others(b);
    if (!mine.wait.frame || mine.wait.frame != current() || !is_sequence(value))
        return;
    int count = 0;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(value) && count < MOST_READY; i++) {
        uint64_t inode = channels_inode(end_of(PySequence_Fast_GET_ITEM(value, i)));
        if (inode)
            mine.wait.ready[count++] = inode;
    }
    if (count < MOST_READY)
        mine.wait.ready[count] = 0;
    mine.wait.frame = NULL;
    mine.wait.until_ns = now_ns();
}

/* Since when a thread has waited for what it is about to read. */
static uint64_t waits_since(uint64_t inode, uint64_t reads_ns)
{
    uint64_t since_ns = reads_ns;
    for (int i = 0; i < MOST_READY && mine.wait.ready[i]; i++)
        if (mine.wait.ready[i] == inode && reads_ns - mine.wait.until_ns < AT_ONCE_NS)
            since_ns = mine.wait.since_ns;
    mine.wait.ready[0] = 0;
    return since_ns;
}

/* --- written --- */

static uint64_t least_ns(void)
{
    return gil_threshold_ticks * 1000 / (clock_ticks_of(1000) + 1);
}

void messages_on_pickle(thread_buffer *b, uint64_t tick, PyObject *value)
{
    queued_is_pickled(b, local(current(), 1));
    jobs_on_pickle(b, tick, value);
}

void messages_on_send(thread_buffer *b, uint64_t tick, PyObject *value)
{
    jobs_on_send(b, tick, value);
    forget_others(b);
    const compat_frame *frame = current();
    transfer *out = &mine.out;
    if (out->frame) /* an exception ended the last one */
        channels_doubt(&out->message);
    PyObject *buffer = local(frame, 1);
    Py_buffer *view = buffer && PyMemoryView_Check(buffer) ? PyMemoryView_GET_BUFFER(buffer) : NULL;
    if (view && !PyBuffer_IsContiguous(view, 'C')) /* it will be refused, or copied */
        view = NULL, buffer = NULL;
    const char *bytes = view ? view->buf : buffer && PyBytes_Check(buffer) ? PyBytes_AS_STRING(buffer) : NULL;
    uint64_t size = view ? (uint64_t)view->len : bytes ? (uint64_t)PyBytes_GET_SIZE(buffer) : 0;
    *out = (transfer){.frame = frame, .since_ns = now_ns(), .bytes = size, .before_ns = out->before_ns};
    out->message = channels_write(end_of(local(frame, 0)), bytes ? check_of(bytes, size) : 0, out->since_ns,
                                  jobs_is_sending(b) ? UINT64_MAX : least_ns());
    uint32_t put = queued_stack(b);
    if (out->message.is_awaited)
        out->stack = put ? put : stacks_here();
}

void messages_on_sent(thread_buffer *b, uint64_t tick, PyObject *value)
{
    jobs_on_sent(b, tick, value);
    forget_others(b);
    transfer *out = &mine.out;
    if (out->frame != current())
        return;
    out->frame = NULL;
    channels_written(&out->message);
    if (out->message.is_awaited)
        emit(b, MESSAGE_SENT, out, out->since_ns, out->before_ns);
    out->before_ns = now_ns();
}

/* --- read --- */

void messages_on_read(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    forget_others(b);
    if (mine.in.frame) /* as above */
        channels_doubt(&mine.in.message);
    mine.in = (transfer){.frame = current(), .since_ns = now_ns()};
    mine.in.message = channels_read(end_of(local(mine.in.frame, 0)), mine.in.since_ns);
    mine.in.since_ns = waits_since(mine.in.message.inode, mine.in.since_ns);
}

/* What an io.BytesIO has, as a new reference; NULL: it is none. */
static PyObject *content(PyObject *stream)
{
    static PyObject *name;
    int is_stream = stream && stream != Py_None && named(&name, "getvalue");
    PyObject *found = is_stream ? PyObject_CallMethodNoArgs(stream, name) : NULL;
    PyErr_Clear();
    if (found && !PyBytes_CheckExact(found))
        Py_CLEAR(found);
    return found;
}

void messages_on_got(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick;
    forget_others(b);
    PyObject *bytes = content(value);
    transfer *in = &mine.in;
    in->bytes = bytes ? (uint64_t)PyBytes_GET_SIZE(bytes) : 0;
    jobs_on_read(b, in->bytes);
    if (in->frame == current()) {
        in->frame = NULL;
        if (!bytes)
            channels_doubt(&in->message);
        else if (channels_was_read(&in->message, check_of(PyBytes_AS_STRING(bytes), in->bytes)))
            emit(b, MESSAGE_RECEIVED, in, now_ns(), in->since_ns);
    }
    Py_XDECREF(bytes);
}
