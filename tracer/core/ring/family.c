/* The page that the processes of a family share. */
#define _GNU_SOURCE
#include "ring/family.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ring/channels.h"
#include "ring/streams.h"

enum { PAGE_BYTES = 4096 }; /* behind the page come the tables of channels and of streams */

typedef struct {
    uint64_t most_bytes, most_members;
    _Atomic uint64_t bytes, asked, members, refused, programs;
} shared;

static shared *page; /* NULL: no child was started yet */
static shared *before; /* the last recording's: a thread may be looking at it that had no time since */
static char folder[FAMILY_PATH_BYTES], file[FAMILY_PATH_BYTES]; /* "": children are not followed */
static uint64_t most_bytes, most_members;
static int failed; /* errno */

static int fits(char *into, const char *path)
{
    int length = snprintf(into, FAMILY_PATH_BYTES, "%s", path);
    return length > 0 && length < FAMILY_PATH_BYTES;
}

static size_t streams_at(void)
{
    return PAGE_BYTES + (channels_bytes() + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

static size_t all_bytes(void)
{
    return streams_at() + streams_bytes();
}

int family_follow(const char *into, const char *first, uint64_t bytes, uint64_t members)
{
    if (page) {
        if (before)
            munmap(before, all_bytes());
        before = page;
    }
    page = NULL;
    channels_use(NULL);
    streams_use(NULL);
    failed = 0;
    most_bytes = bytes;
    most_members = members;
    folder[0] = 0;
    if (into && (!fits(file, first) || !fits(folder, into)))
        return folder[0] = 0, ENAMETOOLONG;
    return 0;
}

static int open_page(int flags)
{
    char path[FAMILY_PATH_BYTES + 16];
    snprintf(path, sizeof path, "%s/family", folder);
    if (flags & O_CREAT)
        unlink(path); /* an earlier family may still map it */
    return open(path, O_RDWR | O_CLOEXEC | flags, 0666);
}

static int map(int fd)
{
    struct stat about;
    if (fstat(fd, &about) < 0 || (size_t)about.st_size < all_bytes())
        return EINVAL;
    void *memory = mmap(NULL, all_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return errno;
    page = memory;
    channels_use((char *)memory + PAGE_BYTES);
    streams_use((char *)memory + streams_at());
    streams_member((uint32_t)getpid());
    return 0;
}

/* All of it is written, not only made longer: a hole would need room on the disk at the first access. */
static int fill(int fd, const void *first, const void *zeros)
{
    errno = ENOSPC;
    for (size_t at = 0; at < all_bytes(); at += PAGE_BYTES)
        if (pwrite(fd, at ? zeros : first, PAGE_BYTES, (off_t)at) != PAGE_BYTES)
            return errno;
    return 0;
}

static int make(void)
{
    union {
        shared values;
        char bytes[PAGE_BYTES];
    } fresh = {0}, zeros = {0};
    struct stat first;
    if (mkdir(folder, 0777) < 0 && errno != EEXIST)
        return errno;
    int fd = open_page(O_CREAT | O_EXCL);
    if (fd < 0)
        return errno;
    fresh.values = (shared){most_bytes, most_members, stat(file, &first) < 0 ? 0 : (uint64_t)first.st_size, 0, 1, 0, 0};
    int error = fill(fd, &fresh, &zeros);
    error = error ? error : map(fd);
    close(fd);
    return error;
}

int family_rejoin(const char *into)
{
    int error = family_follow(into, into, 0, 0);
    int fd = error ? -1 : open_page(0);
    if (fd < 0)
        return error ? error : errno;
    error = map(fd);
    close(fd);
    return error;
}

int family_is_ready(void)
{
    if (!page && folder[0])
        failed = make(); /* what kept the last child from it may be over */
    return page && folder[0];
}

int family_error(void)
{
    return failed;
}

const char *family_folder(void)
{
    return folder;
}

void family_count_child(void)
{
    if (page)
        atomic_fetch_add(&page->asked, 1);
}

void family_counts(uint64_t *asked, uint64_t *begun, uint64_t *programs)
{
    *asked = page ? atomic_load(&page->asked) : 0;
    *begun = page ? atomic_load(&page->members) - 1 - atomic_load(&page->refused) : 0;
    *programs = page ? atomic_load(&page->programs) : 0;
}

void family_leave(void)
{
    if (page)
        atomic_fetch_add(&page->refused, 1);
}

void family_count_program(void)
{
    if (page)
        atomic_fetch_add(&page->programs, 1);
}

uint32_t family_enter(void)
{
    uint64_t mine = page ? atomic_fetch_add(&page->members, 1) : 0;
    streams_member((uint32_t)getpid());
    if (!page || mine < page->most_members)
        return (uint32_t)mine;
    atomic_fetch_add(&page->refused, 1);
    return 0;
}

int family_spend(size_t bytes)
{
    if (!page || atomic_fetch_add(&page->bytes, bytes) + bytes <= page->most_bytes)
        return 0;
    atomic_fetch_sub(&page->bytes, bytes);
    return -1;
}
