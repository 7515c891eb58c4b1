/* Moving, checking and closing the recorder's own file descriptors. */
#include "ring/private_fd.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Above the numbers that programs expect or loop over; room for a few descriptors plus one for each CPU. */
enum { PREFERRED = 900, LOWEST = 64, ROOM = 40, MOST = 1 << 16 };

static pthread_t owner; /* of the other table, … */
static atomic_int has_owner; /* … if there is one */

static int is_owner(void)
{
    return atomic_load(&has_owner) && pthread_equal(owner, pthread_self());
}

static long room(void)
{
    static long cpus; /* asking takes three calls of the kernel */
    if (!cpus)
        cpus = sysconf(_SC_NPROCESSORS_CONF);
    return ROOM + cpus;
}

static int lowest(const struct rlimit *limit)
{
    if (limit->rlim_cur >= (rlim_t)(PREFERRED + room()))
        return PREFERRED;
    long above = (long)limit->rlim_cur - room();
    if (above < LOWEST && limit->rlim_cur > LOWEST)
        return LOWEST;
    return above > 0 ? (int)above : 0;
}

static rlim_t first_beyond(const struct rlimit *limit)
{
    return limit->rlim_cur > PREFERRED ? limit->rlim_cur : PREFERRED;
}

static int fits(const struct rlimit *limit, const struct rlimit *higher)
{
    return limit->rlim_cur <= MOST && higher->rlim_cur <= limit->rlim_max;
}

int private_fd_has_room(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 1;
    struct rlimit higher = {first_beyond(&limit) + (rlim_t)room() * 8, limit.rlim_max};
    return fits(&limit, &higher);
}

/* A copy of a number that the program cannot have itself, and does not find when it goes through all that it can have: what
 * is open stays open when the limit returns. -1: the limit cannot be higher. */
static int raise_and_move(int fd)
{
    struct rlimit limit, higher, now;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -1;
    rlim_t first = first_beyond(&limit);
    higher = (struct rlimit){first + (rlim_t)room() * 8, limit.rlim_max};
    if (!fits(&limit, &higher) || setrlimit(RLIMIT_NOFILE, &higher) < 0)
        return -1;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, (int)first);
    if (getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == higher.rlim_cur)
        setrlimit(RLIMIT_NOFILE, &limit);
    return moved;
}

/* One thread at a time, or the raised limit of one would be what another returns to. The others do without, and so does a
 * child that was forked in the middle. */
static int move_out(int fd)
{
    static atomic_int is_raised;
    if (atomic_exchange(&is_raised, 1))
        return -1;
    int moved = raise_and_move(fd);
    atomic_store(&is_raised, 0);
    return moved;
}

/* A copy of a number that the program can have, but hardly gets. */
static int move_up(int fd)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, lowest(&limit));
}

/* `fd`, which has the number `moved` now; -1: it could not be moved. */
static private_fd taken(int fd, int moved)
{
    struct stat about;
    if (moved < 0)
        return (private_fd){.fd = -1};
    if (moved != fd)
        close(fd);
    if (fstat(moved, &about) < 0) {
        close(moved);
        return (private_fd){.fd = -1};
    }
    return (private_fd){moved, about.st_dev, about.st_ino, is_owner()};
}

private_fd private_fd_take(int fd)
{
    int moved = is_owner() ? fd : move_out(fd);
    return taken(fd, moved < 0 ? move_up(fd) : moved);
}

private_fd private_fd_borrow(int fd)
{
    return taken(fd, is_owner() ? fd : move_up(fd));
}

static private_fd open_as(private_fd (*how)(int), const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    private_fd file = fd < 0 ? PRIVATE_FD_NONE : how(fd);
    if (fd >= 0 && file.fd < 0)
        close(fd);
    return file;
}

private_fd private_fd_open(const char *path)
{
    return open_as(private_fd_take, path);
}

private_fd private_fd_borrow_file(const char *path)
{
    return open_as(private_fd_borrow, path);
}

int private_fd_look(const private_fd *file, struct stat *about)
{
    return file->fd >= 0 && file->is_in_own_table == is_owner() && fstat(file->fd, about) == 0 && about->st_dev == file->device && about->st_ino == file->inode;
}

int private_fd_is_ours(const private_fd *file)
{
    struct stat about;
    return private_fd_look(file, &about);
}

void private_fd_close(private_fd *file)
{
    if (file->is_in_own_table && !is_owner() && atomic_load(&has_owner))
        return; /* it ends with its thread */
    if (private_fd_is_ours(file))
        close(file->fd);
    file->fd = -1;
}

int private_fd_live_in_thread(int yes)
{
    if (yes)
        owner = pthread_self();
    return atomic_exchange(&has_owner, yes);
}

void private_fd_lives_here(private_fd *file)
{
    file->is_in_own_table = is_owner();
}

int private_fd_lift(int fd)
{
    int moved = is_owner() ? -1 : move_up(fd);
    if (moved >= 0)
        close(fd);
    return moved < 0 ? fd : moved;
}
