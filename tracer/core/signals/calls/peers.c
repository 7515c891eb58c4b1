/* A thread that waits for an answer of its own process may be the one that has to give it. The kernel
 * knows: the address of the peer is one of this host, and a descriptor here listens at its port. */
#include "signals/calls/peers.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

enum { DESCRIPTORS = 256 };

typedef struct {
    const void *address; /* NULL: not of the internet */
    size_t length;
    in_port_t port;
} end;

static end end_of(const struct sockaddr_storage *of)
{
    const struct sockaddr_in *v4 = (const void *)of;
    const struct sockaddr_in6 *v6 = (const void *)of;
    if (of->ss_family == AF_INET)
        return (end){&v4->sin_addr, sizeof v4->sin_addr, v4->sin_port};
    if (of->ss_family == AF_INET6)
        return (end){&v6->sin6_addr, sizeof v6->sin6_addr, v6->sin6_port};
    return (end){0};
}

int peers_is_own(int fd)
{
    struct sockaddr_storage here = {0}, there = {0}, other;
    socklen_t length = sizeof here;
    if (getsockname(fd, (struct sockaddr *)&here, &length))
        return 0;
    length = sizeof there;
    if (getpeername(fd, (struct sockaddr *)&there, &length))
        return 0;
    end mine = end_of(&here), peer = end_of(&there);
    if (!peer.address || mine.length != peer.length || memcmp(mine.address, peer.address, peer.length))
        return 0;
    for (int i = 0; i < DESCRIPTORS; i++) {
        length = sizeof other;
        if (i == fd || getsockname(i, (struct sockaddr *)&other, &length))
            continue;
        end bound = end_of(&other);
        int listens = 0;
        length = sizeof listens;
        if (bound.address && bound.port == peer.port && !getsockopt(i, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) &&
            listens)
            return 1;
    }
    return 0;
}
