/* A server that is busy leaves new connections in the queue of its listening socket, where no thread and no task of
 * this process waits. The kernel knows since when: a connection that is not accepted yet has got its last data when
 * the request came, or else when it was made. */
#define _GNU_SOURCE
#include "signals/calls/accepted.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "ring/hot.h"

static uint32_t port_of(int fd)
{
    struct sockaddr_storage here = {0};
    socklen_t length = sizeof here;
    if (getsockname(fd, (struct sockaddr *)&here, &length))
        return 0;
    if (here.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)&here)->sin_port);
    if (here.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)&here)->sin6_port);
    return 0;
}

static void ask(thread_buffer *b, int fd)
{
    struct tcp_info about = {0};
    socklen_t length = sizeof about;
    if (!getsockopt(fd, IPPROTO_TCP, TCP_INFO, &about, &length) && about.tcpi_last_data_recv >= ACCEPTED_LATE_MS)
        ring_emit_detached(b, clock_tick(), REC_ACCEPTED, port_of(fd), about.tcpi_last_data_recv);
}

HOT void accepted_look(thread_buffer *b, int listener, int made)
{
    int error = errno;
    accepting *accepts = &b->accepts;
    int is_same = accepts->listener == listener + 1;
    if (made >= 0) {
        uint64_t since = accepts->empty_tick;
        accepts->is_drained = 0;
        if (!is_same || clock_tick() - since >= clock_ticks_of(ACCEPTED_LATE_MS * 1000 * 1000ull))
            ask(b, made);
    } else if (error == EAGAIN || error == EWOULDBLOCK) {
        *accepts = (accepting){accepts->polled_tick, clock_tick(), listener + 1, 1};
    } else {
        accepts->listener = accepts->is_drained = 0; /* who has no descriptor left looks away for a while */
    }
    errno = error;
}
