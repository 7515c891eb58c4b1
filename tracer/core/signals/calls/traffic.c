/* Pipes and stream sockets between processes of a family, as their ends are read and written.
 *
 * Which stream a descriptor is, the kernel is asked at its first use. Programs close descriptors in many ways, so it
 * is asked again before a note is left or taken. */
#define _GNU_SOURCE
#include "signals/calls/traffic.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#if defined(__linux__)
#include <linux/sockios.h>
#endif

#include "python/stacks.h"
#include "signals/calls/ends.h"
#include "signals/messages.h"

enum { DESCRIPTORS = 4096, MOST_WATCHED = 64, MOST_ASKED = 8 };
enum { MOST_PARTS = 1024, PARTS_AT_ONCE = 16 }; /* the kernel takes no more */

/* A descriptor. It may be another's already: see is_still(). */
typedef struct {
    _Atomic uint32_t changes; /* odd: just now */
    _Atomic uint32_t looked;  /* for `out`, when so many streams had a place */
    _Atomic uint8_t kind;     /* enum end_kind */
    _Atomic uint8_t asked;    /* how often for the other end of a unix socket: it may not be accepted yet */
    _Atomic uint64_t inode, in_key, out_key;
    stream *_Atomic in, *_Atomic out;
} end;

static end ends[DESCRIPTORS];
static const void *_Atomic table; /* that `ends` belongs to */
static _Atomic uint32_t generation; /* of the recording in which … */
static _Atomic uint32_t own_pid;    /* … this was asked */

static uint64_t now_ns(void)
{
    return clock_ns_of(CLOCK_MONOTONIC);
}

/* --- what a descriptor is --- */

/* This and what follows keeps errno. */
static void ask(end *e, int fd)
{
    int error = errno;
    uint32_t before = atomic_load(&e->changes);
    if (before & 1 || !atomic_compare_exchange_strong(&e->changes, &before, before + 1))
        return;
    end_facts facts = ends_ask(fd);
    if (facts.kind && atomic_load(&e->inode) != facts.identity)
        atomic_store(&e->asked, 0);
    atomic_store(&e->inode, facts.identity);
    atomic_store(&e->in_key, facts.in_key);
    atomic_store(&e->out_key, facts.out_key);
    atomic_store(&e->in, NULL);
    atomic_store(&e->out, NULL);
    atomic_store(&e->looked, 0);
    atomic_store(&e->kind, (uint8_t)facts.kind);
    atomic_store(&e->changes, before + 2);
    errno = error;
}

static int is_still(end *e, int fd)
{
    int error = errno;
    uint64_t identity = ends_identity(fd);
    int is_same = identity && identity == atomic_load(&e->inode);
    errno = error;
    if (!is_same)
        atomic_store(&e->kind, END_UNKNOWN);
    return is_same;
}

/* Another recording, or this is a forked child. */
static void begin_anew(const thread_buffer *b)
{
    const void *now = streams_table();
    uint32_t pid = (uint32_t)getpid();
    int is_other = atomic_load(&table) != now, is_forked = atomic_load(&own_pid) != pid;
    for (int i = 0; (is_other || is_forked) && i < DESCRIPTORS; i++) {
        atomic_store_explicit(&ends[i].kind, END_UNKNOWN, memory_order_relaxed);
        if (is_forked) /* a thread that is not here may have been asking */
            atomic_store_explicit(&ends[i].changes, 0, memory_order_relaxed);
    }
    atomic_store(&table, now); /* whoever sees it sees none of the old ones */
    atomic_store(&own_pid, pid);
    atomic_store(&generation, b->generation);
}

static end *end_of(int fd)
{
    if ((unsigned)fd >= DESCRIPTORS)
        return NULL;
    end *e = &ends[fd];
    if (__builtin_expect(atomic_load_explicit(&e->kind, memory_order_relaxed) == END_UNKNOWN, 0))
        ask(e, fd);
    return atomic_load_explicit(&e->kind, memory_order_relaxed) > END_OTHER ? e : NULL;
}

static stream *in_of(end *e, const thread_buffer *b, uint64_t tick)
{
    uint64_t key = atomic_load_explicit(&e->in_key, memory_order_relaxed);
    stream *s = atomic_load_explicit(&e->in, memory_order_relaxed);
    if (__builtin_expect(!s || atomic_load_explicit(&s->key, memory_order_relaxed) != key, 0)) {
        s = key ? streams_place(key, tick) : NULL;
        atomic_store(&e->in, s);
    }
    if (s)
        streams_reads(s, atomic_load_explicit(&own_pid, memory_order_relaxed), (uint32_t)b->tid);
    return s;
}

static stream *out_of(end *e)
{
    uint64_t key = atomic_load_explicit(&e->out_key, memory_order_relaxed);
    stream *s = atomic_load_explicit(&e->out, memory_order_relaxed);
    if (__builtin_expect(!s || atomic_load_explicit(&s->key, memory_order_relaxed) != key, 0)) {
        uint32_t placed = streams_placed();
        if (!key || atomic_load_explicit(&e->looked, memory_order_relaxed) == placed)
            return NULL;
        atomic_store(&e->looked, placed);
        s = streams_find(key);
        atomic_store(&e->out, s);
    }
    return s;
}

/* --- what was found, until it can be told --- */

static void keep(traffic_state *mine, found_message one)
{
    if (mine->count < TRAFFIC_FOUND)
        mine->found[mine->count++] = one;
}

static void emit(thread_buffer *b, const found_message *one, uint32_t stack)
{
    uint64_t tick = clock_tick();
    record *slot = ring_reserve(b, 2, tick);
    if (!slot)
        return;
    pool_job_details details = {one->bytes, one->since_ns, one->at_ns, 0, stack};
    slot[0] = (record){tick, REC_MESSAGE, one->step, 1, 0, one->key, one->number};
    memcpy(&slot[1], &details, sizeof details);
    ring_commit(b, 2);
}

static void tell(thread_buffer *b, uint32_t stack)
{
    int error = errno;
    uint8_t was_busy = b->traffic.is_busy;
    const found_message *found = b->traffic.found;
    b->traffic.is_busy = 1;
    for (int i = 0; i < b->traffic.count; i++)
        emit(b, &found[i], found[i].step == MESSAGE_SENT ? stack : 0);
    b->traffic.count = 0;
    b->traffic.is_busy = was_busy;
    errno = error;
}

void traffic_tell(thread_buffer *b)
{
    tell(b, stacks_here());
}

void traffic_tell_unnamed(thread_buffer *b)
{
    tell(b, stacks_capture(compat_own_tstate()));
}

/* --- around a call --- */

/* What was written before and is not read yet. Of TCP it cannot be told from what is not acknowledged yet. */
static int is_empty(const end *e, int fd)
{
    uint8_t kind = atomic_load(&e->kind);
    int unread = 0, error = errno;
    int failed = kind == END_TCP ? 0 : ioctl(fd, kind == END_PIPE ? FIONREAD : SIOCOUTQ, &unread);
    errno = error;
    return !failed && !unread;
}

/* Where nothing can be read, such as behind the end of a mapped file, the program's write fails and the thread must
 * not: so the kernel copies, unless it does so for nobody here. */
static int copied(void *into, const void *from, size_t size)
{
    int error = errno;
    struct iovec here = {into, size}, there = {(void *)from, size};
    ssize_t length = process_vm_readv((pid_t)atomic_load(&own_pid), &here, 1, &there, 1, 0);
    int is_refused = length < 0 && errno != EFAULT && traffic_may_look(from);
    if (is_refused)
        memcpy(into, from, size);
    errno = error;
    return is_refused || length == (ssize_t)size;
}

/* What the first parts of a message are, and how many bytes all of them are. */
static int resolve_parts(traffic *of)
{
    struct msghdr message = {.msg_iov = (struct iovec *)of->data, .msg_iovlen = of->size};
    if (of->form == FORM_MESSAGE && !copied(&message, of->data, sizeof message))
        return 0;
    if (message.msg_iovlen > MOST_PARTS)
        return 0;
    of->form = FORM_BYTES;
    of->size = of->more = 0;
    for (size_t at = 0; at < message.msg_iovlen; at += PARTS_AT_ONCE) {
        struct iovec parts[PARTS_AT_ONCE];
        size_t left = message.msg_iovlen - at, count = left < PARTS_AT_ONCE ? left : PARTS_AT_ONCE;
        if (!copied(parts, message.msg_iov + at, count * sizeof *parts))
            return 0;
        for (size_t i = 0; i < count; i++) {
            if (of->size)
                of->more += parts[i].iov_len;
            else
                of->data = parts[i].iov_base, of->size = parts[i].iov_len;
        }
    }
    return of->size > 0;
}

/* The first bytes of what a file is read for; returns how many, and sets how many there are in all. */
static size_t read_edge(traffic *of, uint8_t *edge)
{
    struct stat about;
    off_t at = 0;
    ssize_t got = -1;
    int error = errno;
    int is_known = of->data ? copied(&at, of->data, sizeof at) : (at = lseek(of->file, 0, SEEK_CUR)) >= 0;
    if (is_known && !fstat(of->file, &about) && S_ISREG(about.st_mode) && at >= 0 && at < about.st_size) {
        uint64_t left = (uint64_t)(about.st_size - at);
        of->size = of->size < left ? of->size : left;
        got = pread(of->file, edge, of->size < STREAM_EDGE ? of->size : STREAM_EDGE, at);
    }
    errno = error;
    return got > 0 ? (size_t)got : 0;
}

/* The first bytes of what is written; returns how many. */
static size_t edge_of(traffic *of, uint8_t *edge)
{
    if (of->form == FORM_FILE)
        return read_edge(of, edge);
    if (of->form != FORM_BYTES && !resolve_parts(of))
        return 0;
    size_t size = of->size < STREAM_EDGE ? of->size : STREAM_EDGE;
    return copied(edge, of->data, size) ? size : 0;
}

/* Who asks will read the answer, although some wait for it in ways that nobody sees: uvloop, through io_uring. */
static void expect_answer(end *e, const thread_buffer *b, uint64_t tick)
{
    int is_socket = atomic_load_explicit(&e->kind, memory_order_relaxed) != END_PIPE;
    if (is_socket && __builtin_expect(!atomic_load_explicit(&e->in, memory_order_relaxed), 0))
        in_of(e, b, tick);
}

static void before_write(traffic *of, thread_buffer *b, end *e)
{
    expect_answer(e, b, of->tick);
    if (!atomic_load_explicit(&e->out_key, memory_order_relaxed) && atomic_load(&e->asked) < MOST_ASKED) {
        atomic_fetch_add(&e->asked, 1);
        ask(e, of->fd);
    }
    stream *s = out_of(e);
    if (!s || (of->form == FORM_BYTES && (!of->size || !of->data)))
        return;
    of->stream = s;
    uint64_t begun = streams_begin(s, (uint32_t)b->tid);
    uint64_t written = atomic_load_explicit(&s->write_tick, memory_order_relaxed);
    atomic_store_explicit(&s->write_tick, of->tick, memory_order_relaxed);
    uint32_t reader = atomic_load_explicit(&s->reading_process, memory_order_relaxed);
    uint64_t read_tick = atomic_load_explicit(&s->read_tick, memory_order_relaxed);
    if (of->tick < read_tick + gil_threshold_ticks || written > read_tick || /* earlier bytes may not be read yet */
        !begun || !reader || reader == atomic_load_explicit(&own_pid, memory_order_relaxed) ||
        atomic_load_explicit(&s->note, memory_order_relaxed) != STREAM_NO_NOTE)
        return;
    if (b->traffic.count == TRAFFIC_FOUND || messages_are_passing(b) || !is_still(e, of->fd) || !is_empty(e, of->fd))
        return;
    uint8_t edge[STREAM_EDGE];
    size_t size = edge_of(of, edge);
    if (!size)
        return;
    of->key = atomic_load(&e->out_key);
    of->sent_ns = now_ns();
    of->number = streams_note(
        s, &(stream_write){of->key, begun, of->tick, of->size + of->more, .data = edge, .size = size});
}

static void before(traffic *of, thread_buffer *b)
{
    end *e;
    switch (of->kind) {
    case TRAFFIC_READ:
        if ((e = end_of(of->fd)))
            of->stream = in_of(e, b, of->tick);
        break;
    case TRAFFIC_WRITE:
        if ((e = end_of(of->fd)))
            before_write(of, b, e);
        break;
    case TRAFFIC_POLL:
        for (int i = 0; traffic_may_look(of->data) && i < of->fd && i < MOST_WATCHED; i++) {
            const struct pollfd *each = (const struct pollfd *)of->data + i;
            if (each->events & POLLIN && (e = end_of(each->fd)))
                in_of(e, b, of->tick);
        }
        break;
    case TRAFFIC_SELECT:
        for (int fd = 0; traffic_may_look(of->data) && fd < of->fd && fd < FD_SETSIZE; fd++)
            if (FD_ISSET(fd, (const fd_set *)of->data) && (e = end_of(fd)))
                in_of(e, b, of->tick);
        break;
    }
}

static int begins(thread_buffer *b)
{
    if (b->traffic.is_busy)
        return 0;
    b->traffic.is_busy = 1;
    if (__builtin_expect(atomic_load_explicit(&generation, memory_order_relaxed) != b->generation, 0))
        begin_anew(b);
    return 1;
}

void traffic_before(traffic *of, thread_buffer *b, uint64_t tick)
{
    if (!begins(b))
        return;
    of->buffer = b;
    of->tick = tick;
    before(of, b);
    b->traffic.is_busy = 0;
}

static void after_write(const traffic *of, long result)
{
    streams_end(of->stream, (uint32_t)of->buffer->tid);
    if (!of->number)
        return;
    if (result <= 0) {
        streams_withdraw(of->stream, of->number);
        return;
    }
    traffic_state *mine = &of->buffer->traffic;
    uint64_t bytes = of->size + of->more;
    keep(mine, (found_message){of->key, of->number, of->sent_ns, mine->before_ns, bytes, MESSAGE_SENT});
    mine->before_ns = now_ns();
}

static uint64_t ns_of(uint64_t ticks)
{
    return (uint64_t)((double)ticks * 1e9 / (double)clock_ticks_of(1000 * 1000 * 1000));
}

static int lies_in(uint64_t tick, uint64_t since, uint64_t until)
{
    return tick >= since && tick <= until;
}

/* --- which descriptors a wait for several has found readable --- */

static void add_ready(traffic_state *mine, int fd)
{
    if (mine->ready_count < TRAFFIC_READY)
        mine->ready[mine->ready_count++] = fd;
}

static void after_poll(const traffic *of, long result)
{
    traffic_state *mine = &of->buffer->traffic;
    mine->polled_since = of->tick;
    mine->polled_until = clock_tick();
    mine->ready_count = 0;
    if (result <= 0 || !of->data)
        return;
    const struct epoll_event *events = of->data;
    const struct pollfd *polled = of->data;
    switch (of->kind) {
    case TRAFFIC_WAIT:
        for (long i = 0; i < result && i < TRAFFIC_READY; i++)
            add_ready(mine, events[i].data.fd); /* what else a program may keep there is no descriptor's number */
        break;
    case TRAFFIC_POLL:
        for (int i = 0; i < of->fd && i < MOST_WATCHED; i++)
            if (polled[i].revents & (POLLIN | POLLHUP))
                add_ready(mine, polled[i].fd);
        break;
    case TRAFFIC_SELECT:
        for (int fd = 0; fd < of->fd && fd < FD_SETSIZE; fd++)
            if (FD_ISSET(fd, (const fd_set *)of->data))
                add_ready(mine, fd);
        break;
    }
}

/* A new connection, whose first message its process waits for. */
static void after_accept(const traffic *of, long result)
{
    if (result < 0)
        return;
    traffic_closes((int)result);
    end *e = end_of((int)result);
    if (e)
        in_of(e, of->buffer, clock_tick());
}

/* Whether the last of those waits ended because of this one, too. */
static int was_ready(const traffic_state *mine, int fd)
{
    int i = 0;
    while (i < mine->ready_count && mine->ready[i] != fd)
        i++;
    return i < mine->ready_count;
}

/* A note that was left while the thread waited, of the bytes that it got. */
static void take(traffic *of, long result, uint64_t until)
{
    stream_taken taken;
    if (of->form != FORM_BYTES && !resolve_parts(of))
        of->size = 0;
    end *e = &ends[of->fd];
    uint64_t key = atomic_load(&e->in_key), since = of->tick;
    size_t size = (size_t)result < of->size ? (size_t)result : of->size;
    if (!streams_take(of->stream, key, of->data, size, &taken))
        return;
    traffic_state *mine = &of->buffer->traffic;
    if (!lies_in(taken.sent_tick, since, until)) {
        since = mine->polled_since;
        if (!was_ready(mine, of->fd) || !lies_in(taken.sent_tick, since, mine->polled_until))
            return;
    }
    if (!is_still(e, of->fd) || messages_are_passing(of->buffer))
        return;
    clock_pair now = clock_take_pair(); /* of one moment: since `until`, another thread may have had the processor */
    uint64_t since_ns = now.ns - ns_of(now.tick - since);
    keep(mine, (found_message){key, taken.number, now.ns, since_ns, taken.bytes, MESSAGE_RECEIVED});
}

static void after_read(traffic *of, long result)
{
    /* What was written before was there at once: the clock need not be asked. And a read of nothing may have come just
     * before a write. */
    int may_have_waited = result > 0 && atomic_load_explicit(&of->stream->write_tick, memory_order_relaxed) >= of->tick;
    uint64_t note = atomic_load_explicit(&of->stream->note, memory_order_relaxed);
    int is_noted = __builtin_expect(note >= STREAM_FIRST_NUMBER, 0) && result > 0;
    uint64_t until = may_have_waited || is_noted ? clock_tick() : of->tick;
    atomic_store_explicit(&of->stream->read_tick, until, memory_order_relaxed);
    if (is_noted)
        take(of, result, until);
}

void traffic_after(traffic *of, long result)
{
    thread_buffer *b = of->buffer;
    if (b != ring_mine || b->generation != atomic_load_explicit(&ring_generation, memory_order_relaxed) ||
        b->traffic.is_busy)
        return;
    b->traffic.is_busy = 1;
    if (of->kind >= TRAFFIC_WAIT) {
        after_poll(of, result);
    } else if (of->kind == TRAFFIC_ACCEPT) {
        after_accept(of, result);
    } else if (of->stream && of->kind == TRAFFIC_WRITE) {
        after_write(of, result);
    } else if (of->stream) {
        after_read(of, result);
    }
    if (__builtin_expect(b->traffic.count, 0) && b->has_gil && !b->call)
        traffic_tell_unnamed(b);
    b->traffic.is_busy = 0;
}

void traffic_watches(int fd)
{
    thread_buffer *b = ring_mine;
    if (!b || b->generation != atomic_load(&ring_generation) || !begins(b))
        return;
    end *e = end_of(fd);
    if (e)
        in_of(e, b, clock_tick());
    b->traffic.is_busy = 0;
}

void traffic_closes(int fd)
{
    if ((unsigned)fd < DESCRIPTORS)
        atomic_store_explicit(&ends[fd].kind, END_UNKNOWN, memory_order_relaxed);
}
