/* The control socket: listening, reading requests, answering them. */
#define _GNU_SOURCE
#include "output/control.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ring/clock.h"
#include "output/snapshots.h"
#include "ring/own_table.h"
#include "ring/private_fd.h"
#include "timeline/json.h"
#include "timeline/status.h"

enum { PENDING = -1, CONNECTIONS = 8, TURNS = 32, WAITING = 128, REQUEST_BYTES = 4096, NAME_ROOM = 64, MS_MOST = 60000 };
static const uint64_t PATIENCE_NS = 10ull * 1000 * 1000 * 1000;

typedef struct {
    private_fd fd; /* -1: free */
    uint64_t until_ns;
    char request[REQUEST_BYTES];
    size_t received;
    json_text reply; /* empty: the request is not complete yet, or the answer not known */
    size_t sent;
} connection;

static struct {
    pthread_mutex_t mutex; /* one thread opens or closes it while the writer serves */
    private_fd folder, listening;
    char name[NAME_ROOM];
    ino_t inode; /* of the socket in the folder */
    char *mode, *file, *argv, *python;
    connection connections[CONNECTIONS];
    int is_ready;
    snapshot wanted;   /* the writer has it, … */
    int is_asked;      /* … from now on until it is no longer PENDING */
    connection *waits; /* for it; NULL: nobody does (any more) */
    const keeper_source_table *keeper;
    connection *searches; /* waits for the keeper's answer; NULL: nobody does */
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
        for (int i = 0; i < CONNECTIONS && !c.is_ready; i++) {
            c.connections[i].fd.fd = -1;
            own_table_keep(&c.connections[i].fd);
        }
        own_table_keep(&c.folder);
        own_table_keep(&c.listening);
        c.is_ready = 1; /* from now on each that is free is -1 */
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
             ",\"dropped\":%" PRIu64 "}", facts->overhead_ns(), facts->events, facts->bytes, facts->dropped);
}

static void answer_recording(connection *one, const control_facts *facts)
{
    json_text *out = &one->reply;
    json_put(out, "{");
    put_recording(facts, out);
    json_put(out, "}\n");
}

static void answer_metrics(connection *one, const control_facts *facts)
{
    json_text *out = &one->reply;
    json_put(out, "{");
    put_recording(facts, out);
    json_put(out, ",");
    timeline_status_write(facts->line, facts->now_ns, out);
    json_put(out, "}\n");
}

/* The stacks are in the trace soon, after `now_ns`, when a thread of ours has had the GIL. */
static void answer_stacks(connection *one, const control_facts *facts)
{
    json_text *out = &one->reply;
    facts->ask_stacks();
    json_put(out, "{");
    put_recording(facts, out);
    json_put(out, ",\"now_ns\":%" PRIu64 "}\n", facts->now_ns);
}

/* So that a trace of the next seconds need not have those before. */
static void answer_segment(connection *one, const control_facts *facts)
{
    json_put(&one->reply, "{\"begun\":%s}\n", facts->begin_segment() ? "true" : "false");
}

static void refuse(connection *one, const char *why)
{
    one->reply.length = 0;
    json_put(&one->reply, "refused %s\n", why);
}

/* The answer comes when it is written. */
static void answer_snapshot(connection *one, const control_facts *facts)
{
    (void)facts;
    if (c.waits || c.is_asked) {
        refuse(one, "another snapshot is being written");
        return;
    }
    c.wanted = (snapshot){.asked_ns = clock_ns_of(CLOCK_MONOTONIC), .reason = "tracer snapshot", .error = PENDING};
    c.waits = one;
}

/* "PATIENCE_MS MOST_MS SITE". The answer comes when somebody has looked. */
static void answer_retained(connection *one, const control_facts *facts)
{
    unsigned patience_ms, most_ms;
    int at = 0;
    const char *arguments = one->request + strlen(one->request) + 1;
    if (sscanf(arguments, "%8u %8u %n", &patience_ms, &most_ms, &at) != 2 || !at || !arguments[at] || patience_ms > MS_MOST ||
        most_ms > MS_MOST) {
        refuse(one, "retained takes how many ms to wait for the GIL, how many to look, and a site");
        return;
    }
    const char *problem = c.searches ? "another search is going on"
                                     : facts->keeper->ask(arguments + at, patience_ms, most_ms);
    if (problem) {
        refuse(one, problem);
        return;
    }
    c.keeper = facts->keeper;
    c.searches = one;
}

/* A command more is a row more. One that writes nothing answers later. */
static const struct {
    const char *name;
    void (*answer)(connection *one, const control_facts *facts);
    int has_arguments; /* they follow the name's end in the request */
} commands[] = {
    {"recording", answer_recording, 0},
    {"metrics", answer_metrics, 0},
    {"stacks", answer_stacks, 0},
    {"snapshot", answer_snapshot, 0},
    {"segment", answer_segment, 0},
    {"retained", answer_retained, 1},
};

static const char head[] = "ok %012zu\n";

/* Where the body begins. */
static size_t begin_reply(connection *one)
{
    json_put(&one->reply, head, (size_t)0);
    return one->reply.length;
}

static void end_reply(connection *one, size_t body)
{
    json_text *reply = &one->reply;
    char length[32];
    if (reply->failed)
        return;
    snprintf(length, sizeof length, head, reply->length - body);
    memcpy(reply->bytes, length, body);
}

static int waits(const connection *one)
{
    return c.waits == one || c.searches == one;
}

static int is_command(connection *one, size_t i)
{
    char *end = commands[i].has_arguments ? strchr(one->request, ' ') : NULL;
    size_t length = end ? (size_t)(end - one->request) : strlen(one->request);
    int is_it = length == strlen(commands[i].name) && !memcmp(one->request, commands[i].name, length);
    if (is_it && end)
        *end = 0;
    return is_it && (end || !commands[i].has_arguments);
}

static void answer(connection *one, const control_facts *facts)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (!is_command(one, i))
            continue;
        size_t body = begin_reply(one);
        commands[i].answer(one, facts);
        if (waits(one))
            one->reply.length = 0;
        else if (one->reply.length && one->reply.bytes[0] == head[0])
            end_reply(one, body);
        return;
    }
    refuse(one, "this command is not known");
}

static void tell_snapshot(connection *one)
{
    if (c.wanted.error) {
        char why[128];
        snprintf(why, sizeof why, "cannot write the snapshot: %s",
                 c.wanted.error == ENOENT ? "the recording's files were removed. It begins again" : strerror(c.wanted.error));
        refuse(one, why);
        return;
    }
    size_t body = begin_reply(one);
    json_put(&one->reply, "{\"schema\":1,\"file\":");
    json_string(&one->reply, c.wanted.target, strlen(c.wanted.target));
    json_put(&one->reply, ",\"bytes\":%" PRIu64 ",\"since_ns\":%" PRIu64 ",\"asked_ns\":%" PRIu64 "}\n", c.wanted.bytes,
             c.wanted.since_ns, c.wanted.asked_ns);
    end_reply(one, body);
}

/* As many lines as a list of strings. */
static void put_lines(json_text *out, const char *lines)
{
    json_put(out, "[");
    while (*lines) {
        size_t length = strcspn(lines, "\n");
        json_string(out, lines, length);
        lines += length;
        lines += *lines == '\n';
        json_put(out, *lines ? "," : "");
    }
    json_put(out, "]");
}

/* The first line says what the others are: why it is refused, or what they are called in the answer. */
static void go_on_with_search(const control_facts *facts)
{
    static const char refused[] = "refused\n";
    connection *one = c.searches;
    const char *text;
    if (!one || !c.keeper->answer(&text))
        return;
    c.searches = NULL;
    if (!strncmp(text, refused, strlen(refused))) {
        refuse(one, text + strlen(refused));
        return;
    }
    int name = (int)strcspn(text, "\n");
    size_t body = begin_reply(one);
    json_put(&one->reply, "{\"schema\":1,\"pid\":%u,\"%.*s\":", facts->line->main_tid, name, text);
    put_lines(&one->reply, text + name + (text[name] == '\n'));
    json_put(&one->reply, "}\n");
    end_reply(one, body);
}

/* Somebody else's may come first. */
static void go_on_with_snapshot(void)
{
    if (c.waits && !c.is_asked)
        c.is_asked = snapshots_put(&c.wanted);
    if (!c.is_asked || c.wanted.error == PENDING)
        return;
    c.is_asked = 0;
    if (c.waits)
        tell_snapshot(c.waits);
    c.waits = NULL;
}

/* --- connections --- */

static void hang_up(connection *one)
{
    if (c.waits == one)
        c.waits = NULL;
    if (c.searches == one) {
        c.searches = NULL;
        c.keeper->give_up();
    }
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
    one->fd = private_fd_borrow(fd);
    if (one->fd.fd < 0) {
        close(fd);
        return 0;
    }
    one->until_ns = clock_ns_of(CLOCK_MONOTONIC) + PATIENCE_NS;
    one->received = one->sent = 0;
    one->reply = (json_text){0};
    if (!is_allowed(one->fd.fd))
        refuse(one, "this recording is another user's");
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
        answer(one, facts);
    } else if (one->received == sizeof one->request) {
        refuse(one, "the request is too long");
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

/* Whether the one that waits is still there. */
static int listens(const connection *one)
{
    char next;
    return recv(one->fd.fd, &next, 1, MSG_PEEK) != 0;
}

static void advance(connection *one, const control_facts *facts)
{
    uint64_t now_ns = clock_ns_of(CLOCK_MONOTONIC);
    if (waits(one))
        one->until_ns = now_ns + PATIENCE_NS;
    int goes_on = private_fd_is_ours(&one->fd) && now_ns < one->until_ns;
    if (goes_on && waits(one))
        goes_on = listens(one);
    else if (goes_on && !one->reply.length)
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

/* Mostly nobody does, and then this is one cheap question to the kernel. */
static int anybody_asks(void)
{
    struct pollfd listening = {.fd = c.listening.fd, .events = POLLIN};
    int asks = c.listening.fd >= 0 && poll(&listening, 1, 0) == 1;
    for (int i = 0; i < CONNECTIONS && !asks; i++)
        asks = c.is_ready && c.connections[i].fd.fd >= 0;
    return asks || c.is_asked;
}

int control_serve(const control_facts *facts)
{
    pthread_mutex_lock(&c.mutex);
    int is_asked = anybody_asks();
    if (is_asked && private_fd_is_ours(&c.listening)) {
        go_on_with_snapshot();
        go_on_with_search(facts);
        int others_wait = 1;
        for (int i = 0; i < CONNECTIONS; i++)
            others_wait = serve(&c.connections[i], facts, others_wait);
    }
    pthread_mutex_unlock(&c.mutex);
    return is_asked;
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
    for (int i = 0; i < CONNECTIONS && c.listening.fd >= 0; i++)
        if (c.connections[i].fd.fd >= 0) { /* writing to the others would copy a page for each */
            private_fd_close(&c.connections[i].fd);
            c.connections[i].reply = (json_text){0};
        }
    private_fd_close(&c.listening);
    private_fd_close(&c.folder);
    c.name[0] = 0;
    c.mode = c.file = c.argv = c.python = NULL;
    c.is_asked = 0;
    c.waits = NULL;
    c.searches = NULL;
}
