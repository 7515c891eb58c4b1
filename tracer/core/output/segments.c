/* Adds and drops the files of a flight recording. */
#define _GNU_SOURCE
#include "output/segments.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output/file.h"

/* A ring reaches back further than asked by less than one part of so many. */
enum { PARTS = 8, SHORTEST_NS = 100 * 1000 * 1000, RETRY_NS = 1000 * 1000 * 1000 };

int segments_open(segment_ring *ring, const char *folder, uint64_t window_ns, uint64_t most_bytes)
{
    *ring = (segment_ring){.window_ns = window_ns, .most_bytes = most_bytes, .next = 1};
    if (strlen(folder) + 32 >= sizeof ring->folder)
        return ENAMETOOLONG;
    strcpy(ring->folder, folder);
    return 0;
}

int segments_path(const segment_ring *ring, const segment *which, enum segment_part part, char *path)
{
    int length = snprintf(path, SEGMENT_PATH, "%s/%08llu.%s", ring->folder, (unsigned long long)which->number,
                          part == SEGMENT_HEAD ? "head" : "body");
    return length < SEGMENT_PATH ? 0 : ENAMETOOLONG;
}

/* Where much is alive a head may be larger than what happens in a while; then a body is given time to grow. */
int segments_are_due(const segment_ring *ring, uint64_t now_ns, uint64_t body_bytes, int failed)
{
    if (!ring->count || now_ns < ring->retry_ns || ring->count == SEGMENTS)
        return !ring->count;
    const segment *newest = &ring->list[ring->count - 1];
    uint64_t age_ns = now_ns - newest->from_ns, part_ns = ring->window_ns / PARTS;
    if (failed || body_bytes >= ring->most_bytes / PARTS)
        return 1;
    if (age_ns < (part_ns > SHORTEST_NS ? part_ns : SHORTEST_NS))
        return 0;
    return body_bytes >= newest->head_bytes || age_ns >= ring->window_ns;
}

/* Before it is due. Heads are no use by themselves: they may have an eighth of the ring at most, as bodies do. */
int segments_may_begin(const segment_ring *ring, uint64_t now_ns)
{
    const segment *newest = ring->count ? &ring->list[ring->count - 1] : NULL;
    return newest && now_ns >= ring->retry_ns && ring->count < SEGMENTS / 2 && now_ns - newest->from_ns >= SHORTEST_NS &&
           newest->head_bytes <= ring->most_bytes / PARTS / (SEGMENTS / 2);
}

static void drop_oldest(segment_ring *ring)
{
    char path[SEGMENT_PATH];
    for (int part = SEGMENT_HEAD; part <= SEGMENT_BODY; part++)
        if (segments_path(ring, &ring->list[0], (enum segment_part)part, path) == 0)
            unlink(path);
    memmove(&ring->list[0], &ring->list[1], --ring->count * sizeof *ring->list);
}

/* The newest body may still grow to its part of the ring. */
static uint64_t bytes_of(const segment_ring *ring)
{
    uint64_t bytes = ring->most_bytes / PARTS;
    for (uint32_t i = 0; i < ring->count; i++)
        bytes += ring->list[i].head_bytes + ring->list[i].body_bytes;
    return bytes;
}

static void trim(segment_ring *ring, uint64_t now_ns)
{
    while (ring->count > 1 && !ring->is_pinned &&
           (ring->list[0].is_cut || ring->list[1].from_ns + ring->window_ns <= now_ns || bytes_of(ring) > ring->most_bytes))
        drop_oldest(ring);
}

static int create(const segment_ring *ring, const segment *which, enum segment_part part, int *fd)
{
    char path[SEGMENT_PATH];
    int error = segments_path(ring, which, part, path);
    *fd = error ? -1 : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return error ? error : *fd < 0 ? errno : 0;
}

/* Somebody has removed the folder, with all that was in it; so has whoever cleans up for a whole system. */
static int begin_again(segment_ring *ring)
{
    char above[SEGMENT_PATH];
    char *end = strrchr(strcpy(above, ring->folder), '/');
    while (ring->count)
        drop_oldest(ring);
    if (end && end > above) {
        *end = 0;
        mkdir(above, 0777);
    }
    return mkdir(ring->folder, 0777) < 0 ? errno : 0;
}

static int write_all(int fd, const uint8_t *bytes, size_t length)
{
    while (length) {
        ssize_t n = write(fd, bytes, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        bytes += n;
        length -= (size_t)n;
    }
    return 0;
}

static void undo(const segment_ring *ring, const segment *which)
{
    char path[SEGMENT_PATH];
    for (int part = SEGMENT_HEAD; part <= SEGMENT_BODY; part++)
        if (segments_path(ring, which, (enum segment_part)part, path) == 0)
            unlink(path);
}

int segments_add(segment_ring *ring, uint64_t now_ns, const uint8_t *head, size_t length, int failed, int *body)
{
    segment added = {.number = ring->next, .from_ns = now_ns, .head_bytes = length};
    int fd;
    *body = -1;
    if (failed && ring->count)
        ring->list[ring->count - 1].is_cut = 1;
    if (failed && !ring->is_pinned) /* it may need the room */
        while (ring->count > 1)
            drop_oldest(ring);
    int error = create(ring, &added, SEGMENT_HEAD, &fd);
    if (error == ENOENT && begin_again(ring) == 0)
        error = create(ring, &added, SEGMENT_HEAD, &fd);
    if (!error) {
        error = write_all(fd, head, length);
        close(fd);
    }
    if (!error)
        error = create(ring, &added, SEGMENT_BODY, body);
    if (!error)
        error = trace_file_lock(*body);
    if (error) {
        if (*body >= 0)
            close(*body);
        *body = -1;
        undo(ring, &added);
        ring->retry_ns = now_ns + RETRY_NS;
        return error;
    }
    ring->next++;
    ring->retry_ns = 0;
    ring->list[ring->count++] = added;
    trim(ring, now_ns);
    return 0;
}

uint32_t segments_since(const segment_ring *ring, uint64_t since_ns)
{
    uint32_t wanted = ring->count ? 1 : 0;
    while (wanted && wanted < ring->count && ring->list[ring->count - wanted].from_ns > since_ns &&
           !ring->list[ring->count - wanted - 1].is_cut)
        wanted++;
    return wanted;
}

void segments_remove(segment_ring *ring)
{
    if (!ring->folder[0])
        return;
    ring->is_pinned = 0;
    while (ring->count)
        drop_oldest(ring);
    rmdir(ring->folder);
    ring->folder[0] = 0;
}
