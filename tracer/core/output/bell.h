/* What the writer's thread sleeps on: a signal handler may ring it, too, and to wait takes one call of the kernel. */
#ifndef TRACER_BELL_H
#define TRACER_BELL_H

#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

typedef _Atomic uint32_t bell; /* how often it has rung */

static inline void bell_ring(bell *b)
{
    int error = errno; /* a signal handler's */
    atomic_fetch_add(b, 1);
    syscall(SYS_futex, b, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    errno = error;
}

/* Waits for so long. Returns 0 at once if it has rung since `rung` was read, else 1 when the time is over. It may also return
 * 0 for no reason. */
static inline int bell_wait(bell *b, uint32_t rung, uint64_t ns)
{
    const struct timespec most = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    return syscall(SYS_futex, b, FUTEX_WAIT_PRIVATE, rung, &most, NULL, 0) < 0 && errno == ETIMEDOUT;
}

#endif
