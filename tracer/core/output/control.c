/* The control socket: listening, reading requests, answering them. */
#define _GNU_SOURCE
#include "output/control.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ring/clock.h"
#include "ring/private_fd.h"
#include "timeline/json.h"
#include "timeline/status.h"

enum { CONNECTIONS = 8, TURNS = 32, WAITING = 128, REQUEST_BYTES = 4096, NAME_ROOM = 64 };
static const uint64_t PATIENCE_NS = 10ull * 1000 * 1000 * 1000;

typedef struct {
    private_fd fd; /* -1: free */
    uint64_t until_ns;
    char request[REQUEST_BYTES];
    size_t received;
    json_text reply; /* empty: the request is not complete yet */
    size_t sent;
} connection;

static struct {
    pthread_mutex_t mutex; /* one thread opens or closes it while the writer serves */
    private_fd folder, listening;
    char name[NAME_ROOM];
    ino_t inode; /* of the socket in the folder */
    char *mode, *file, *argv, *python;
    connection connections[CONNECTIONS];
} c = {.mutex = PTHREAD_MUTEX_INITIALIZER, .folder = {.fd = -1}, .listening = {.fd = -1}};

/* --- listening --- */

static struct sockaddr_un address_in(int folder, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    /* By its descriptor: nobody can put another folder in its place, and no path is too long. */
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", folder, name);
    return address;
}

static int somebody_answers(int folder, const char *name)
{
    struct sockaddr_un address = address_in(folder, name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int found = fd >= 0 && (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN);
    if (fd >= 0)
        close(fd);
    return found;
}

/* The socket gets its name when it listens, so whoever finds it can connect, and one that a killed process left there
 * is replaced. */
static int listen_at(int folder, const char *name, int fd)
{
    char fresh[NAME_ROOM + 8];
    struct stat about;
    snprintf(fresh, sizeof fresh, ".%s", name);
    struct sockaddr_un address = address_in(folder, fresh);
    if (somebody_answers(folder, name))
        return EADDRINUSE;
    unlinkat(folder, fresh, 0);
    if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return errno;
    int error = listen(fd, WAITING) < 0 || fstatat(folder, fresh, &about, AT_SYMLINK_NOFOLLOW) < 0 ||
                renameat(folder, fresh, folder, name) < 0 ? errno : 0;
    if (error)
        unlinkat(folder, fresh, 0);
    else
        c.inode = about.st_ino;
    return error;
}

static char *copy_of(const char *text)
{
    return text ? strdup(text) : NULL;
}

static void free_about(void)
{
    char **texts[] = {&c.mode, &c.file, &c.argv, &c.python};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        free(*texts[i]);
        *texts[i] = NULL;
    }
}

int control_open(int folder, const char *name, const control_about *about)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error = fd < 0 ? errno : strlen(name) >= NAME_ROOM ? ENAMETOOLONG : 0;
    pthread_mutex_lock(&c.mutex);
    if (!error && c.listening.fd >= 0)
        error = EALREADY;
    if (!error)
        error = listen_at(folder, name, fd);
    if (!error) {
        for (int i = 0; i < CONNECTIONS; i++)
            c.connections[i].fd.fd = -1;
        snprintf(c.name, sizeof c.name, "%s", name);
        c.mode = copy_of(about->mode);
        c.file = copy_of(about->file);
        c.argv = copy_of(about->argv);
        c.python = copy_of(about->python);
        c.folder = private_fd_take(folder);
        c.listening = private_fd_take(fd);
        error = c.listening.fd < 0 || c.folder.fd < 0 ? EMFILE : 0;
    } else {
        if (fd >= 0)
            close(fd);
        close(folder);
    }
    pthread_mutex_unlock(&c.mutex);
    if (error == EMFILE)
        control_close();
    return error;
}

/* --- answering --- */

static void put_text(json_text *out, const char *name, const char *text)
{
    json_put(out, ",\"%s\":", name);
    json_string(out, text ? text : "", text ? strlen(text) : 0);
}

static void put_recording(const control_facts *facts, json_text *out)
{
    json_put(out, "\"schema\":1,\"pid\":%u,\"start_unix_ns\":%" PRIu64 ",\"duration_ns\":%" PRIu64, facts->line->main_tid,
             facts->start_ns + facts->realtime_offset, facts->now_ns - facts->start_ns);
    put_text(out, "mode", c.mode);
    put_text(out, "file", c.file);
    put_text(out, "argv", c.argv);
    put_text(out, "python", c.python);
    json_put(out, ",\"recorder\":{\"overhead_ns\":%" PRIu64 ",\"events\":%" PRIu64 ",\"bytes\":%" PRIu64
             ",\"dropped\":%" PRIu64 "}", facts->overhead_ns, facts->events, facts->bytes, facts->dropped);
}

static void answer_recording(const control_facts *facts, json_text *out)
{
    json_put(out, "{");
    put_recording(facts, out);
    json_put(out, "}\n");
}

static void answer_metrics(const control_facts *facts, json_text *out)
{
    json_put(out, "{");
    put_recording(facts, out);
    json_put(out, ",");
    timeline_status_write(facts->line, facts->now_ns, out);
    json_put(out, "}\n");
}

/* The stacks are in the trace soon, after `now_ns`, when a thread of ours has had the GIL. */
static void answer_stacks(const control_facts *facts, json_text *out)
{
    facts->ask_stacks();
    json_put(out, "{");
    put_recording(facts, out);
    json_put(out, ",\"now_ns\":%" PRIu64 "}\n", facts->now_ns);
}

/* A command more is a row more. */
static const struct {
    const char *name;
    void (*answer)(const control_facts *facts, json_text *out);
} commands[] = {
    {"recording", answer_recording},
    {"metrics", answer_metrics},
    {"stacks", answer_stacks},
};

static void refuse(json_text *reply, const char *why)
{
    reply->length = 0;
    json_put(reply, "refused %s\n", why);
}

static void answer(const control_facts *facts, const char *request, json_text *reply)
{
    static const char head[] = "ok %012zu\n";
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(request, commands[i].name))
            continue;
        json_put(reply, head, (size_t)0);
        size_t before = reply->length;
        commands[i].answer(facts, reply);
        if (reply->failed)
            return;
        char length[32];
        snprintf(length, sizeof length, head, reply->length - before);
        memcpy(reply->bytes, length, before);
        return;
    }
    refuse(reply, "this command is not known");
}

/* --- connections --- */

static void hang_up(connection *one)
{
    private_fd_close(&one->fd);
    json_free(&one->reply);
}

static int is_allowed(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == geteuid() || !peer.uid);
}

/* Returns whether there was somebody to admit. */
static int admit(connection *one)
{
    int fd = accept4(c.listening.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return 0;
    one->fd = private_fd_take(fd);
    if (one->fd.fd < 0) {
        close(fd);
        return 0;
    }
    one->until_ns = clock_ns_of(CLOCK_MONOTONIC) + PATIENCE_NS;
    one->received = one->sent = 0;
    one->reply = (json_text){0};
    if (!is_allowed(one->fd.fd))
        refuse(&one->reply, "this recording is another user's");
    return 1;
}

/* Returns whether the connection goes on. */
static int receive(connection *one, const control_facts *facts)
{
    ssize_t got = recv(one->fd.fd, one->request + one->received, sizeof one->request - one->received, 0);
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    one->received += (size_t)got;
    char *end = memchr(one->request, '\n', one->received);
    if (end) {
        *end = 0;
        answer(facts, one->request, &one->reply);
    } else if (one->received == sizeof one->request) {
        refuse(&one->reply, "the request is too long");
    }
    return !one->reply.failed;
}

static int reply_to(connection *one)
{
    while (one->sent < one->reply.length) {
        ssize_t sent = send(one->fd.fd, one->reply.bytes + one->sent, one->reply.length - one->sent, MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR;
        one->sent += (size_t)sent;
    }
    return 0;
}

static void advance(connection *one, const control_facts *facts)
{
    int goes_on = private_fd_is_ours(&one->fd) && clock_ns_of(CLOCK_MONOTONIC) < one->until_ns;
    if (goes_on && !one->reply.length)
        goes_on = receive(one, facts);
    if (goes_on && one->reply.length)
        goes_on = reply_to(one);
    if (!goes_on)
        hang_up(one);
}

/* One after the other, until one takes longer. Returns whether others may wait. */
static int serve(connection *one, const control_facts *facts, int others_wait)
{
    for (int turns = 0; turns < TURNS; turns++) {
        if (one->fd.fd < 0 && !(others_wait && admit(one)))
            return 0;
        advance(one, facts);
        if (one->fd.fd >= 0)
            return others_wait;
    }
    return others_wait;
}

void control_serve(const control_facts *facts)
{
    pthread_mutex_lock(&c.mutex);
    if (private_fd_is_ours(&c.listening)) {
        int others_wait = 1; /* asked once, if nobody does */
        for (int i = 0; i < CONNECTIONS; i++)
            others_wait = serve(&c.connections[i], facts, others_wait);
    }
    pthread_mutex_unlock(&c.mutex);
}

/* --- the end --- */

void control_close(void)
{
    struct stat about;
    pthread_mutex_lock(&c.mutex);
    if (private_fd_is_ours(&c.folder) && c.name[0] && fstatat(c.folder.fd, c.name, &about, AT_SYMLINK_NOFOLLOW) == 0 &&
        about.st_ino == c.inode)
        unlinkat(c.folder.fd, c.name, 0);
    for (int i = 0; i < CONNECTIONS; i++)
        if (c.listening.fd >= 0 && c.connections[i].fd.fd >= 0)
            hang_up(&c.connections[i]);
    private_fd_close(&c.listening);
    private_fd_close(&c.folder);
    c.name[0] = 0;
    free_about();
    pthread_mutex_unlock(&c.mutex);
}

/* Frees nothing: the writer may have been in the middle of it. */
void control_forget(void)
{
    pthread_mutex_init(&c.mutex, NULL);
    for (int i = 0; i < CONNECTIONS; i++) {
        if (c.listening.fd >= 0)
            private_fd_close(&c.connections[i].fd);
        c.connections[i].reply = (json_text){0};
    }
    private_fd_close(&c.listening);
    private_fd_close(&c.folder);
    c.name[0] = 0;
    c.mode = c.file = c.argv = c.python = NULL;
}
