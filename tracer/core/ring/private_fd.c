/* Moving, checking and closing the recorder's own file descriptors. */
#include "ring/private_fd.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Above the numbers that programs expect or loop over; room for a few descriptors plus one for each CPU. */
enum { PREFERRED = 900, LOWEST = 64, ROOM = 40, MOST = 1 << 16 };

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

/* A copy of a number that the program cannot have itself, and does not find when it goes through all that it can have: what
 * is open stays open when the limit returns. -1: the limit cannot be higher. */
static int move_out(int fd, const struct rlimit *limit)
{
    struct rlimit higher = *limit, now;
    rlim_t first = limit->rlim_cur > PREFERRED ? limit->rlim_cur : PREFERRED;
    higher.rlim_cur = first + (rlim_t)room() * 8;
    if (limit->rlim_cur > MOST || higher.rlim_cur > limit->rlim_max || setrlimit(RLIMIT_NOFILE, &higher) < 0)
        return -1;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, (int)first);
    if (getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == higher.rlim_cur)
        setrlimit(RLIMIT_NOFILE, limit);
    return moved;
}

private_fd private_fd_take(int fd)
{
    struct stat about;
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    int moved = move_out(fd, &limit);
    if (moved < 0)
        moved = fcntl(fd, F_DUPFD_CLOEXEC, lowest(&limit));
    if (moved < 0)
        return (private_fd){.fd = -1};
    close(fd);
    if (fstat(moved, &about) < 0) {
        close(moved);
        return (private_fd){.fd = -1};
    }
    return (private_fd){moved, about.st_dev, about.st_ino};
}

private_fd private_fd_open(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    private_fd file = fd < 0 ? PRIVATE_FD_NONE : private_fd_take(fd);
    if (fd >= 0 && file.fd < 0)
        close(fd);
    return file;
}

int private_fd_is_ours(const private_fd *file)
{
    struct stat about;
    return file->fd >= 0 && fstat(file->fd, &about) == 0 && about.st_dev == file->device &&
           about.st_ino == file->inode;
}

void private_fd_close(private_fd *file)
{
    if (private_fd_is_ours(file))
        close(file->fd);
    file->fd = -1;
}
