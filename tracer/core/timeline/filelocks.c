/* Who has the lock of a file for which a thread waits: /proc/locks lists those who wait below the one who has it.
 *
 * Nothing is asked while a lock is free or taken for moments: only of waits that are open when the writer looks. */
#include "timeline/filelocks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ring/intern.h"
#include "ring/private_fd.h"

enum { MOST_BYTES = 1 << 16, MOST_LOOKS = 10 };

static const char *const calls[] = {"flock", "lockf", "fcntl.fcntl"};

static int waits_for_file(const lane_line *lane)
{
    if (lane->state != LANE_CALL || lane->class == CLASS_LOCK || !lane->what)
        return 0;
    size_t length;
    const char *name = intern_text(lane->what, &length);
    for (size_t i = 0; name && i < sizeof calls / sizeof *calls; i++) {
        size_t tail = strlen(calls[i]);
        if (length >= tail && !memcmp(name + length - tail, calls[i], tail))
            return 1;
    }
    return 0;
}

/* A whole file of /proc; NULL: it cannot be read, or is too large. */
static char *text_of(const char *path, size_t most)
{
    private_fd file = private_fd_borrow_file(path);
    char *text = file.fd < 0 ? NULL : malloc(most + 1);
    size_t length = 0;
    for (ssize_t n = 1; text && n > 0 && length < most; length += n > 0 ? (size_t)n : 0)
        n = read(file.fd, text + length, most - length);
    if (file.fd >= 0)
        private_fd_close(&file);
    if (text)
        text[length] = 0;
    if (text && (!length || length == most)) {
        free(text);
        return NULL;
    }
    return text;
}

/* Who has what this process waits for; 0: unknown, or its threads wait for several. A line is
 * `7: FLOCK  ADVISORY  WRITE 4211 fe:00:91 0 EOF`, with `->` behind the first colon for those who wait. `waiting`
 * threads are known to call; if not as many stand in the kernel, one has not got there, or another one is not known
 * yet, and the lock may be that one's. */
static uint32_t holder_in(char *text, long own, uint32_t waiting)
{
    long holder = 0, found = 0;
    uint32_t count = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        long pid = 0;
        const char *arrow = strstr(line, "-> "), *said = arrow ? arrow + strlen("-> ") : strchr(line, ' ');
        if (!said || sscanf(said, "%*s %*s %*s %ld", &pid) != 1)
            return 0;
        if (!arrow)
            holder = pid;
        else if (pid == own && count++ && found != holder)
            return 0;
        else if (pid == own)
            found = holder;
    }
    return found > 0 && count == waiting ? (uint32_t)found : 0;
}

static void name_of(uint32_t pid, char *name, size_t room)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%u/comm", (unsigned)pid);
    char *text = text_of(path, 64);
    size_t n = 0;
    for (; text && text[n] && text[n] != '\n' && n < room - 1; n++)
        name[n] = (char)(text[n] >= ' ' && text[n] <= '~' ? text[n] : '?');
    name[n] = 0;
    free(text);
}

/* The next thread that waits for a file, from a slot on; NULL: none. */
static lane_line *next_waiting(timeline *t, uint32_t *i)
{
    while (t->threads.slots && *i <= t->threads.mask) {
        uint32_t slot = (*i)++;
        if (!t->threads.slots[slot].key)
            continue;
        lane_line *lane = &((thread_line *)(uintptr_t)t->threads.slots[slot].value)->lane;
        if (waits_for_file(lane))
            return lane;
    }
    return NULL;
}

void filelocks_look(timeline *t)
{
    uint32_t waiting = 0, asking = 0, i = 0;
    for (lane_line *lane; (lane = next_waiting(t, &i)); waiting++)
        asking += !lane->lock_pid && lane->looked < MOST_LOOKS;
    if (!asking)
        return;
    char name[sizeof((lane_line *)0)->lock_program] = "";
    char *text = text_of("/proc/locks", MOST_BYTES);
    uint32_t pid = text ? holder_in(text, (long)getpid(), waiting) : 0;
    free(text);
    if (pid)
        name_of(pid, name, sizeof name);
    i = 0;
    for (lane_line *lane; (lane = next_waiting(t, &i));) {
        if (lane->lock_pid || lane->looked >= MOST_LOOKS)
            continue;
        lane->looked++;
        lane->lock_pid = pid;
        memcpy(lane->lock_program, name, sizeof name);
    }
}

void filelocks_tell(const lane_line *lane, event *ev)
{
    event_uint(ev, SCHEMA_ARG_LOCK_PID, lane->lock_pid);
    if (lane->lock_program[0])
        event_text(ev, SCHEMA_ARG_LOCK_PROGRAM, lane->lock_program, strlen(lane->lock_program));
}
