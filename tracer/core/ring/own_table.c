/* Moving the recorder's descriptors into a table of its own, and out of it before its thread ends. */
#define _GNU_SOURCE
#include "ring/own_table.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436 /* on every processor */
#endif
enum { UNSHARE = 1 << 1 /* CLOSE_RANGE_UNSHARE */, KEPT = 32, MOST = 512, AT_ONCE = 200, STANDARD = 3 };


typedef struct {
    int *number;
    private_fd *file; /* NULL: its owner knows it otherwise */
} packed;

static struct {
    private_fd *kept[KEPT];
    size_t kept_count;
    packed list[MOST]; /* in the order of the queue */
    size_t count;
    private_fd parcel; /* the socket with them in its queue */
    private_fd door;   /* where it arrives, … */
    int spare;         /* … and a number for it: the program may have all others */
    struct sockaddr_un address;
    socklen_t address_bytes;
} o = {.parcel = {.fd = -1}, .door = {.fd = -1}, .spare = -1};

typedef union {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(AT_ONCE * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
} letter;

int own_table_is_needed(void)
{
    return !private_fd_has_room();
}

void own_table_keep(private_fd *where)
{
    for (size_t i = 0; i < o.kept_count; i++)
        if (o.kept[i] == where)
            return;
    if (o.kept_count < KEPT)
        o.kept[o.kept_count++] = where;
}

/* --- through a socket --- */

static int send_numbers(int from, const struct sockaddr_un *to, socklen_t to_bytes, const int *numbers, size_t count)
{
    letter about;
    char one = 0;
    struct iovec bytes = {&one, 1};
    struct msghdr message = {.msg_name = (void *)to, .msg_namelen = to_bytes, .msg_iov = &bytes, .msg_iovlen = 1,
                             .msg_control = &about, .msg_controllen = CMSG_SPACE(count * sizeof *numbers)};
    memset(&about, 0, sizeof about);
    about.head.cmsg_level = SOL_SOCKET;
    about.head.cmsg_type = SCM_RIGHTS;
    about.head.cmsg_len = CMSG_LEN(count * sizeof *numbers);
    memcpy(CMSG_DATA(&about.head), numbers, count * sizeof *numbers);
    return sendmsg(from, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : -1;
}

/* Returns how many found a number; -1: nothing is there. `sender`: whose it must be, 0 = whoever. */
static ssize_t receive_numbers(int from, int *numbers, pid_t sender)
{
    letter about;
    char one;
    struct iovec bytes = {&one, 1};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &about, .msg_controllen = sizeof about};
    if (recvmsg(from, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != 1)
        return -1;
    ssize_t count = 0;
    int is_known = !sender;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
        struct ucred who;
        if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS) {
            count = (ssize_t)((part->cmsg_len - CMSG_LEN(0)) / sizeof *numbers);
            memcpy(numbers, CMSG_DATA(part), (size_t)count * sizeof *numbers);
        } else if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_CREDENTIALS) {
            memcpy(&who, CMSG_DATA(part), sizeof who);
            is_known |= who.pid == sender;
        }
    }
    while (!is_known && count)
        close(numbers[--count]);
    return count;
}

static size_t collect(int *const *more, size_t count)
{
    size_t found = 0;
    for (size_t i = 0; i < o.kept_count && found < MOST; i++)
        if (private_fd_is_ours(o.kept[i]))
            o.list[found++] = (packed){&o.kept[i]->fd, o.kept[i]};
    for (size_t i = 0; i < count && found < MOST; i++)
        if (*more[i] >= 0)
            o.list[found++] = (packed){more[i], NULL};
    return found;
}

static int send_all(int to)
{
    for (size_t at = 0; at < o.count; at += AT_ONCE) {
        int numbers[AT_ONCE];
        size_t some = o.count - at < AT_ONCE ? o.count - at : AT_ONCE;
        for (size_t i = 0; i < some; i++)
            numbers[i] = *o.list[at + i].number;
        if (send_numbers(to, NULL, 0, numbers, some) < 0)
            return -1;
    }
    return 0;
}

int own_table_pack(int *const *more, size_t count)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    o.count = collect(more, count);
    int failed = o.count == MOST || send_all(pair[0]) < 0;
    private_fd parcel = failed ? PRIVATE_FD_NONE : private_fd_borrow(pair[1]);
    close(pair[0]);
    if (parcel.fd < 0) {
        close(pair[1]); /* with what is in its queue */
        o.count = 0;
        return -1;
    }
    for (size_t i = 0; i < o.count; i++) {
        close(*o.list[i].number);
        *o.list[i].number = -1;
    }
    o.parcel = parcel;
    return 0;
}

/* For who has made sure that the parcel is still there: another thread of the program may have closed it, and what has
 * its number then has a queue of its own. */
static void take_out(void)
{
    int numbers[AT_ONCE];
    for (size_t at = 0; at < o.count; at += AT_ONCE) {
        ssize_t found = receive_numbers(o.parcel.fd, numbers, 0);
        for (ssize_t i = 0; i < found; i++) {
            packed *one = &o.list[at + (size_t)i];
            *one->number = private_fd_lift(numbers[i]);
            if (one->file)
                private_fd_lives_here(one->file);
        }
    }
}

void own_table_drop(void)
{
    private_fd_close(&o.parcel);
}

void own_table_unpack(void)
{
    if (private_fd_is_ours(&o.parcel))
        take_out();
    own_table_drop();
    o.count = 0;
}

int own_table_is_packed(void)
{
    return o.parcel.fd >= 0;
}

/* --- the thread of the other table --- */

static int close_numbers(unsigned first, unsigned last, unsigned flags)
{
    return (int)syscall(SYS_close_range, first, last, flags);
}

/* Its socket is, as a rule, the last number of the table, so that nothing else is even copied; older kernels copy and close.
 * No file of the program stays open here: who reads from a pipe would wait for its end. Numbers 0 to 2 are what C libraries
 * write to when something is wrong. */
int own_table_enter(void)
{
    int number = o.parcel.fd;
    if (number < STANDARD || !private_fd_is_ours(&o.parcel) || close_numbers(0, (unsigned)number - 1, UNSHARE) < 0) {
        if (private_fd_is_ours(&o.parcel))
            take_out();
        return 0;
    }
    close_numbers((unsigned)number + 1, UINT_MAX, 0);
    int is_there = private_fd_is_ours(&o.parcel); /* from now on nobody else can close it */
    private_fd_live_in_thread(1);
    for (int i = 0; is_there && i < STANDARD; i++)
        if (dup(number) < 0)
            break;
    if (is_there)
        take_out();
    close(number);
    return 1;
}

/* The same open file as the door, if the program has not closed it and opened another one. */
static void close_spare(void)
{
    private_fd same = o.door;
    same.fd = o.spare;
    private_fd_close(&same);
    o.spare = -1;
}

static void close_door(void)
{
    close_spare();
    private_fd_close(&o.door);
}

int own_table_offer(void)
{
    struct sockaddr_un any = {.sun_family = AF_UNIX};
    const int yes = 1;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    o.address_bytes = sizeof o.address;
    o.spare = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, STANDARD); /* who closes 0 opens the next 0 */
    if (o.spare < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) < 0 ||
        bind(fd, (struct sockaddr *)&any, sizeof any.sun_family) < 0 ||
        getsockname(fd, (struct sockaddr *)&o.address, &o.address_bytes) < 0) {
        if (fd >= 0)
            close(fd);
        if (o.spare >= 0)
            close(o.spare);
        o.spare = -1;
        return -1;
    }
    o.door = private_fd_borrow(fd);
    if (o.door.fd >= 0)
        return 0;
    close(fd);
    close(o.spare);
    o.spare = -1;
    return -1;
}

int own_table_hand_over(int *const *more, size_t count)
{
    if (own_table_pack(more, count) < 0)
        return -1;
    int from = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int failed = from < 0 || send_numbers(from, &o.address, o.address_bytes, &o.parcel.fd, 1) < 0;
    if (from >= 0)
        close(from);
    if (failed)
        take_out();
    own_table_drop();
    if (failed)
        return -1;
    private_fd_live_in_thread(0);
    close_numbers(0, UINT_MAX, 0); /* now, or the thread's end would take longer */
    return 0;
}

void own_table_receive(void)
{
    int number;
    close_spare();
    for (ssize_t found = 0; found >= 0 && o.parcel.fd < 0 && private_fd_is_ours(&o.door);) {
        found = receive_numbers(o.door.fd, &number, getpid());
        if (found == 1) {
            o.parcel = private_fd_borrow(number);
            if (o.parcel.fd < 0)
                close(number);
        }
    }
    close_door();
}

void own_table_withdraw(void)
{
    close_door();
}

void own_table_forget(void)
{
    if (private_fd_live_in_thread(0)) {
        for (size_t i = 0; i < o.count; i++)
            *o.list[i].number = -1;
        for (size_t i = 0; i < o.kept_count; i++) /* those that it has opened since */
            o.kept[i]->fd = o.kept[i]->is_in_own_table ? -1 : o.kept[i]->fd;
    }
    o.count = 0;
    own_table_drop();
    close_door();
}

void own_table_end(void)
{
    private_fd_live_in_thread(0);
    o.count = 0;
}
