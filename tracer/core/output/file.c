/* Appends to the trace file, and copes when the disk is full or the file is taken away. */
#define _GNU_SOURCE
#include "output/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/magic.h>
#include <sys/vfs.h>
#endif

#include "ring/family.h"

static atomic_int is_held;

enum { MOST_WAITS = 10 }; /* for the length of a pass each */
enum { MUCH_BYTES = 128 << 10 };
enum { NOTE_ROOM = 2 * FILE_NOTE_BYTES }; /* the final note, which says more, is longer */

static int set_lock(int fd, short type)
{
#ifdef F_OFD_SETLK
    struct flock whole = {.l_type = type, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_SETLK, &whole);
#else
    (void)fd;
    (void)type;
    return 0;
#endif
}

int trace_file_lock(int fd)
{
    return set_lock(fd, F_WRLCK) < 0 && (errno == EAGAIN || errno == EACCES) ? EAGAIN : 0;
}

void trace_file_unlock(const trace_file *f)
{
    if (private_fd_is_ours(&f->fd))
        set_lock(f->fd.fd, F_UNLCK);
}

void trace_file_hold(int hold)
{
    atomic_store(&is_held, hold);
}

static int empty(trace_file *f)
{
    struct stat about;
    f->is_untouched = 0;
    int is_regular = fstat(f->fd.fd, &about) == 0 && S_ISREG(about.st_mode);
    return is_regular && about.st_size && ftruncate(f->fd.fd, 0) < 0 ? errno : 0;
}

static int is_on_ext4(int fd)
{
#ifdef __linux__
    struct statfs about;
    return fstatfs(fd, &about) == 0 && about.f_type == EXT4_SUPER_MAGIC;
#else
    (void)fd;
    return 0;
#endif
}

int trace_file_take(trace_file *f, int fd, uint64_t events, uint64_t ns)
{
    file_mark begin = {0, events, ns};
    *f = (trace_file){.fd = private_fd_take(fd), .is_untouched = atomic_load(&is_held), .begin = begin, .end = begin};
    if (f->fd.fd < 0) {
        int error = errno;
        close(fd);
        return error;
    }
    struct stat about;
    f->has_name = fstat(f->fd.fd, &about) == 0 && about.st_nlink;
    f->is_ext4 = is_on_ext4(f->fd.fd);
    return f->is_untouched ? 0 : empty(f);
}

void trace_file_close(trace_file *f)
{
    private_fd_close(&f->fd);
}

const char *trace_file_reason(const trace_file *f)
{
    if (!f->error)
        return "";
    if (f->is_over_limit)
        return "the processes of this run have written --max-bytes";
    if (f->is_removed)
        return "somebody deleted the file";
    return f->error == EBADF ? "the program closed the file" : strerror(f->error);
}

/* --- signals --- */

/* A write can raise a signal that ends the program: SIGXFSZ beyond the file size limit, SIGPIPE into a
 * pipe that nobody reads. The recorder's writes must raise none. */
typedef struct {
    sigset_t before, pending;
} held_signals;

static _Thread_local int is_deaf; /* a signal of its write stays pending for this thread, which ends with it */

void trace_file_is_deaf(void)
{
    is_deaf = 1;
}

static void answers(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGXFSZ);
    sigaddset(set, SIGPIPE);
}

static void hold_signals(held_signals *held)
{
    sigset_t ours;
    if (is_deaf)
        return;
    answers(&ours);
    sigpending(&held->pending);
    pthread_sigmask(SIG_BLOCK, &ours, &held->before);
}

static void release_signals(const held_signals *held)
{
    sigset_t ours;
    if (is_deaf)
        return;
    answers(&ours);
    for (int number = 1; number < NSIG; number++)
        if (sigismember(&held->pending, number) == 1)
            sigdelset(&ours, number); /* pending before: the program's own */
    while (sigtimedwait(&ours, NULL, &(struct timespec){0}) > 0)
        ;
    pthread_sigmask(SIG_SETMASK, &held->before, NULL);
}

/* --- writing --- */

/* Returns how many bytes were written; sets f->error if not all were. `at` < 0: appends. */
static size_t put(trace_file *f, const uint8_t *bytes, size_t length, off_t at)
{
    size_t done = 0;
    while (done < length) {
        ssize_t n = at < 0 ? write(f->fd.fd, bytes + done, length - done)
                           : pwrite(f->fd.fd, bytes + done, length - done, at + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            if (!f->error)
                f->error = errno;
            break;
        }
        done += (size_t)n;
    }
    return done;
}

/* ext4 finds a place for each page as it is copied, unless it has one already: to find one for all of a write first makes
 * 1 MiB a quarter quicker, and 64 KiB no quicker. Nothing is left over behind the write. That it failed, the write will tell. */
static void find_place(const trace_file *f, size_t length)
{
#ifdef __linux__
    if (f->is_ext4 && length >= MUCH_BYTES)
        fallocate(f->fd.fd, FALLOC_FL_KEEP_SIZE, (off_t)f->end.bytes, (off_t)length);
#else
    (void)f, (void)length;
#endif
}

/* Encodes the note: a packet on the tracer track that depends only on its chunk's fixed names. */
static void encode_note(trace_file *f, encoder *e, track *on, uint64_t until_ns)
{
    arg args[EVENT_ARGS];
    event ev = {.args = args, .ns = f->end.ns, .on = on, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_TRACER, .name = SCHEMA_RECORDING_CUT};
    const char *reason = trace_file_reason(f);
    uint64_t lost = trace_file_lost(f, e);
    event_uint(&ev, SCHEMA_ARG_ERRNO, (uint64_t)f->error);
    event_text(&ev, SCHEMA_ARG_REASON, reason, strlen(reason));
    if (until_ns) {
        event_uint(&ev, SCHEMA_ARG_COUNT, lost);
        event_uint(&ev, SCHEMA_ARG_UNTIL, until_ns);
    }
    e->length = 0;
    encoder_lone_event(e, &ev);
    f->note_length = e->length <= FILE_NOTE_BYTES ? e->length : 0;
    if (f->note_length)
        memcpy(f->note, e->bytes, f->note_length);
}

/* Writes the note at the end. Returns 0, or -1 if it could not be written whole. The file does not grow. */
static int put_note(trace_file *f)
{
    off_t at = (off_t)f->end.bytes;
    if (!f->note_length || put(f, f->note, f->note_length, at) < f->note_length)
        return -1;
    return ftruncate(f->fd.fd, at + (off_t)f->note_length);
}

/* Of what the encoder holds, `done` bytes were written. Keeps as many whole packets of them as leave room
 * for the note; if none do, the note replaces packets that were written earlier. */
static void cut(trace_file *f, encoder *e, track *on, size_t done)
{
    struct stat about;
    if (!private_fd_is_ours(&f->fd) || fstat(f->fd.fd, &about) < 0 || !S_ISREG(about.st_mode))
        return;
    uint64_t events = 0;
    size_t kept = done > NOTE_ROOM ? encoder_whole_packets(e, done - NOTE_ROOM, &events) : 0;
    file_mark whole = f->end;
    if (kept || done > NOTE_ROOM)
        f->end = (file_mark){whole.bytes + kept, whole.events + events, whole.ns};
    else if (f->early.bytes)
        f->end = f->early;
    encode_note(f, e, on, 0);
    /* The file is cut to what it keeps plus the length of the note: at every moment it holds whole
     * packets, followed by at most half a packet. */
    if (ftruncate(f->fd.fd, (off_t)(f->end.bytes + f->note_length)) == 0 && put_note(f) == 0)
        return;
    f->note_length = 0;
    if (ftruncate(f->fd.fd, (off_t)f->end.bytes) < 0)
        f->end = whole; /* the file stays as it is, with half a packet at its end */
}

void trace_file_append(trace_file *f, encoder *e, track *on)
{
    held_signals held;
    if (f->is_untouched && atomic_load(&is_held) && ++f->waits < MOST_WAITS)
        return;
    if (f->is_untouched && private_fd_is_ours(&f->fd))
        f->error = empty(f);
    f->is_untouched = 0;
    if (!f->error) {
        hold_signals(&held);
        size_t done = 0;
        struct stat about;
        f->is_over_limit = family_spend(e->length) < 0;
        if (f->is_over_limit)
            f->error = EDQUOT;
        else if (!private_fd_look(&f->fd, &about))
            f->error = EBADF; /* the program closed it */
        else if (f->has_name && !about.st_nlink)
            f->is_removed = 1, f->error = ENOENT, f->end = f->begin;
        else {
            find_place(f, e->length);
            done = put(f, e->bytes, e->length, -1);
        }
        if (f->error && !f->is_removed) {
            cut(f, e, on, done);
        } else if (!f->error) {
            f->end = (file_mark){f->end.bytes + e->length, e->events, e->last_ns};
            if (f->end.bytes - f->late.bytes >= NOTE_ROOM) {
                f->early = f->late;
                f->late = f->end;
            }
        }
        release_signals(&held);
    }
    encoder_flushed(e, f->end.bytes);
}

void trace_file_finish(trace_file *f, encoder *e, track *on, uint64_t now_ns)
{
    if (!f->error || !f->note_length || !private_fd_is_ours(&f->fd))
        return;
    uint8_t former[FILE_NOTE_BYTES];
    size_t length = f->note_length;
    memcpy(former, f->note, length);
    held_signals held;
    hold_signals(&held);
    encode_note(f, e, on, now_ns);
    if (put_note(f) < 0) {
        memcpy(f->note, former, length);
        f->note_length = length;
        put_note(f);
    }
    release_signals(&held);
    encoder_flushed(e, f->end.bytes);
}

/* --- joining --- */

/* How many of the bytes are whole packets: a process that is killed may leave half a packet. */
static size_t whole_packets(const uint8_t *bytes, size_t size)
{
    size_t at = 0;
    while (at < size && bytes[at] == (SCHEMA_TRACE_PACKET << 3 | 2)) {
        uint64_t length = 0;
        size_t next = at + 1;
        for (unsigned shift = 0; next < size && shift < 64; shift += 7) {
            length |= (uint64_t)(bytes[next] & 0x7f) << shift;
            if (!(bytes[next++] & 0x80))
                break;
        }
        if (next >= size || length > size - next)
            break;
        at = next + length;
    }
    return at;
}

int trace_file_join(int into, int from)
{
    struct stat about, before;
    if (fstat(from, &about) < 0 || fstat(into, &before) < 0)
        return errno;
    if (!about.st_size)
        return 0;
    uint8_t *bytes = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, from, 0);
    if (bytes == MAP_FAILED)
        return errno;
    held_signals held;
    hold_signals(&held);
    trace_file file = {.fd = {.fd = into}};
    put(&file, bytes, whole_packets(bytes, (size_t)about.st_size), before.st_size);
    if (file.error && ftruncate(into, before.st_size) < 0)
        file.error = errno;
    release_signals(&held);
    munmap(bytes, (size_t)about.st_size);
    return file.error;
}
