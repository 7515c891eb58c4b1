/* Copies the files of a recording, piece by piece. */
#define _GNU_SOURCE
#include "output/snapshots.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ring/own_table.h"
#include "ring/private_fd.h"

enum { STEP_BYTES = 8 << 20, BUFFER_BYTES = 256 << 10, NAMES = 1000 };

typedef struct {
    char path[SEGMENT_PATH];
    uint64_t bytes;
} piece;

static struct {
    pthread_mutex_t callers; /* one after the other */
    pthread_mutex_t guard;   /* of the next four */
    pthread_cond_t changed;
    snapshot *asked; /* the caller's, until it is written */
    int runs, is_copying;
    char folder[SEGMENT_PATH];
    /* the writer's own */
    char partial[SEGMENT_PATH + 16];
    piece *pieces;
    uint32_t piece_count, piece_at;
    uint64_t piece_done;
    uint64_t count; /* written, … */
    char last[SEGMENT_PATH]; /* … the last of them */
    private_fd from, to; /* checked before each use: the program may close everything it finds */
} s = {.callers = PTHREAD_MUTEX_INITIALIZER, .guard = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER,
       .from = {.fd = -1}, .to = {.fd = -1}};

void snapshots_begin(const char *folder)
{
    pthread_mutex_lock(&s.guard);
    snprintf(s.folder, sizeof s.folder, "%s", folder);
    own_table_keep(&s.from);
    own_table_keep(&s.to);
    s.runs = 1;
    s.count = 0;
    s.last[0] = 0;
    pthread_mutex_unlock(&s.guard);
}

void snapshots_ask(snapshot *wanted)
{
    pthread_mutex_lock(&s.callers);
    pthread_mutex_lock(&s.guard);
    wanted->error = ECANCELED;
    while (s.runs && s.asked) /* one that nobody waits for */
        pthread_cond_wait(&s.changed, &s.guard);
    if (s.runs)
        s.asked = wanted;
    while (s.asked == wanted)
        pthread_cond_wait(&s.changed, &s.guard);
    pthread_mutex_unlock(&s.guard);
    pthread_mutex_unlock(&s.callers);
}

int snapshots_put(snapshot *wanted)
{
    pthread_mutex_lock(&s.guard);
    int is_free = s.runs && !s.asked;
    if (is_free)
        s.asked = wanted;
    pthread_mutex_unlock(&s.guard);
    return is_free;
}

snapshot *snapshots_due(uint64_t ns)
{
    pthread_mutex_lock(&s.guard);
    snapshot *next = s.asked && !s.is_copying && s.asked->asked_ns <= ns ? s.asked : NULL;
    pthread_mutex_unlock(&s.guard);
    return next;
}

static void finish(int error)
{
    snapshot *done = s.asked;
    void (*written)(snapshot *) = done->written;
    private_fd_close(&s.from);
    private_fd_close(&s.to);
    if (!error && s.partial[0] && rename(s.partial, done->target) < 0)
        error = errno;
    if (error && s.partial[0])
        unlink(s.partial);
    if (!error) {
        s.count++;
        memcpy(s.last, done->target, sizeof s.last);
    }
    free(s.pieces);
    s.pieces = NULL;
    s.piece_count = 0;
    s.partial[0] = 0;
    pthread_mutex_lock(&s.guard);
    done->error = error;
    s.asked = NULL;
    s.is_copying = 0;
    pthread_cond_broadcast(&s.changed);
    pthread_mutex_unlock(&s.guard);
    if (written)
        written(done);
}

/* "20261128-174010-4242", and what comes after it so that the name is new. */
static int choose_name(char *target)
{
    char when[32];
    time_t now = time(NULL);
    struct tm parts;
    strftime(when, sizeof when, "%Y%m%d-%H%M%S", gmtime_r(&now, &parts));
    if (mkdir(s.folder, 0777) < 0 && errno != EEXIST)
        return errno;
    for (int number = 1; number < NAMES; number++) {
        char more[16] = "";
        if (number > 1)
            snprintf(more, sizeof more, "-%d", number);
        int length = snprintf(target, SEGMENT_PATH, "%.3900s/%s-%d%s.pftrace", s.folder, when, (int)getpid(), more);
        if (length < SEGMENT_PATH && access(target, F_OK) < 0)
            return 0;
    }
    return EEXIST;
}

static void begin(void)
{
    snapshot *wanted = s.asked;
    pthread_mutex_lock(&s.guard);
    s.is_copying = 1;
    pthread_mutex_unlock(&s.guard);
    s.piece_at = 0;
    s.piece_done = 0;
    s.partial[0] = 0;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < s.piece_count; i++)
        bytes += s.pieces[i].bytes;
    int error = wanted->target[0] ? 0 : choose_name(wanted->target);
    if (!error) {
        snprintf(s.partial, sizeof s.partial, "%s.partial", wanted->target);
        int fd = open(s.partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (fd >= 0)
            fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)bytes); /* to copy takes a fifth less then; it need not work */
        s.to = fd < 0 ? PRIVATE_FD_NONE : private_fd_borrow(fd);
        if (s.to.fd < 0)
            error = errno;
        if (fd < 0)
            s.partial[0] = 0;
        else if (error)
            close(fd);
    }
    if (error)
        finish(error);
}

static piece *make_pieces(uint32_t count)
{
    s.pieces = calloc(count, sizeof *s.pieces);
    s.piece_count = s.pieces ? count : 0;
    return s.pieces;
}

void snapshots_copy_segments(const segment_ring *ring, uint32_t count, uint64_t bytes)
{
    snapshot *wanted = s.asked;
    int error = make_pieces(count + 1) ? 0 : ENOMEM;
    for (uint32_t i = 0; i < count && !error; i++) {
        const segment *from = &ring->list[ring->count - count + i];
        int is_newest = i + 1 == count;
        if (i == 0) {
            error = segments_path(ring, from, SEGMENT_HEAD, s.pieces[0].path);
            s.pieces[0].bytes = from->head_bytes;
            wanted->since_ns = from->from_ns;
        }
        s.pieces[i + 1].bytes = is_newest ? bytes : from->body_bytes;
        error = error ? error : segments_path(ring, from, SEGMENT_BODY, s.pieces[i + 1].path);
    }
    if (error)
        finish(error);
    else
        begin();
}

void snapshots_copy_file(int fd, uint64_t bytes)
{
    if (!make_pieces(1)) {
        finish(ENOMEM);
        return;
    }
    snprintf(s.pieces[0].path, sizeof s.pieces[0].path, "/proc/thread-self/fd/%d", fd);
    s.pieces[0].bytes = bytes;
    begin();
}

/* Copies at most `most` bytes. Returns how many, or -1. */
static ssize_t copy(size_t most)
{
    static int is_refused; /* by the kernel, or between these file systems */
    ssize_t n = is_refused ? -1 : copy_file_range(s.from.fd, NULL, s.to.fd, NULL, most, 0);
    if (n > 0 || (n < 0 && !is_refused && errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP &&
                  errno != EPERM))
        return n;
    static char buffer[BUFFER_BYTES];
    is_refused = 1;
    n = read(s.from.fd, buffer, most < sizeof buffer ? most : sizeof buffer);
    for (ssize_t done = 0; done < n;) {
        ssize_t written = write(s.to.fd, buffer + done, (size_t)(n - done));
        if (written < 0 && errno != EINTR)
            return -1;
        done += written > 0 ? written : 0;
    }
    return n;
}

int snapshots_go_on(void)
{
    size_t left = STEP_BYTES;
    while (s.is_copying && left) {
        if (s.piece_at == s.piece_count) {
            finish(0);
            break;
        }
        piece *at = &s.pieces[s.piece_at];
        if (s.from.fd < 0)
            s.from = private_fd_borrow_file(at->path);
        if (!private_fd_is_ours(&s.from) || !private_fd_is_ours(&s.to)) {
            finish(s.from.fd < 0 ? errno : EBADF);
            break;
        }
        uint64_t rest = at->bytes - s.piece_done;
        ssize_t n = rest ? copy(rest < left ? rest : left) : 0;
        if (n < 0 || (rest && !n)) {
            finish(n < 0 ? errno : EIO);
            break;
        }
        s.piece_done += (uint64_t)n;
        s.asked->bytes += (uint64_t)n;
        left -= (size_t)n;
        if (s.piece_done == at->bytes) {
            private_fd_close(&s.from);
            s.piece_at++;
            s.piece_done = 0;
        }
    }
    return s.is_copying;
}

int snapshots_are_copying(void)
{
    return s.is_copying;
}

int snapshots_are_asked(void)
{
    pthread_mutex_lock(&s.guard);
    int is_asked = s.asked && !s.is_copying;
    pthread_mutex_unlock(&s.guard);
    return is_asked;
}

void snapshots_end(void)
{
    while (snapshots_go_on())
        ;
    pthread_mutex_lock(&s.guard);
    s.runs = 0;
    if (s.asked)
        s.asked->error = ECANCELED;
    s.asked = NULL;
    pthread_cond_broadcast(&s.changed);
    pthread_mutex_unlock(&s.guard);
}

uint64_t snapshots_count(void)
{
    return s.count;
}

const char *snapshots_last(void)
{
    return s.last;
}

void snapshots_forget(void)
{
    pthread_mutex_init(&s.callers, NULL);
    pthread_mutex_init(&s.guard, NULL);
    pthread_cond_init(&s.changed, NULL);
    private_fd_close(&s.from);
    private_fd_close(&s.to);
    s.asked = NULL;
    s.runs = s.is_copying = 0;
}
