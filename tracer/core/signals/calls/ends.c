/* Asking the kernel what a descriptor is. */
#define _GNU_SOURCE
#include "signals/calls/ends.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "ring/streams.h"
#include "ring/unix_peer.h"

static uint64_t mixed(uint64_t a, uint64_t b)
{
    uint64_t x = (a ^ (b >> 31) ^ b * 0x9E3779B97F4A7C15ull) * 0xbf58476d1ce4e5b9ull;
    return x ^ (x >> 29);
}

/* What both ends of a stream compute alike. The kind keeps numbers of pipes and of sockets apart. */
static uint64_t key_of(enum end_kind kind, uint64_t a, uint64_t b)
{
    uint64_t key = mixed(mixed(kind, a), b) >> 1; /* fits the numbers of a trace */
    return key ? key : 1;
}

typedef struct {
    uint64_t high, low, port;
} address;

/* An address of the internet, those of version 4 as version 6 has them. */
static int address_of(const struct sockaddr_storage *of, address *found)
{
    const struct sockaddr_in *v4 = (const void *)of;
    const struct sockaddr_in6 *v6 = (const void *)of;
    if (of->ss_family == AF_INET) {
        *found = (address){0, 0, v4->sin_port};
        uint8_t low[8] = {0, 0, 0xff, 0xff};
        memcpy(low + 4, &v4->sin_addr, 4);
        memcpy(&found->low, low, 8);
        return 1;
    }
    if (of->ss_family != AF_INET6)
        return 0;
    *found = (address){0, 0, v6->sin6_port};
    memcpy(&found->high, &v6->sin6_addr, 8);
    memcpy(&found->low, (const char *)&v6->sin6_addr + 8, 8);
    return 1;
}

#if !defined(SO_NETNS_COOKIE)
enum { SO_NETNS_COOKIE = 71 };
#endif

/* Only of connections within this host: both ends have the same address there. */
static int ask_tcp(int fd, const struct sockaddr_storage *here, uint64_t *in, uint64_t *out)
{
    struct sockaddr_storage there = {0};
    socklen_t length = sizeof there;
    address mine_is, peer_is;
    if (getpeername(fd, (struct sockaddr *)&there, &length) || !address_of(here, &mine_is) ||
        !address_of(&there, &peer_is) || mine_is.high != peer_is.high || mine_is.low != peer_is.low)
        return 0;
    uint64_t net = 0;
    length = sizeof net;
    if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &net, &length))
        net = 0;
    uint64_t host = mixed(mixed(net, mine_is.high), mine_is.low);
    *in = key_of(END_TCP, host, peer_is.port << 16 | mine_is.port);
    *out = key_of(END_TCP, host, mine_is.port << 16 | peer_is.port);
    return 1;
}

/* The other end is a member's if a member made it, or listened for it. */
static int ask_unix(int fd, uint64_t inode, uint64_t *in, uint64_t *out)
{
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) || !streams_has_member((uint32_t)peer.pid))
        return 0;
    uint64_t other = unix_peer(inode);
    *in = key_of(END_UNIX, inode, 0);
    *out = other != UNIX_PEER_NONE ? key_of(END_UNIX, other, 0) : 0;
    return 1;
}

static enum end_kind ask_socket(int fd, uint64_t inode, uint64_t *in, uint64_t *out)
{
    struct sockaddr_storage here = {0};
    socklen_t length = sizeof here;
    int type = 0;
    socklen_t size = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) || type != SOCK_STREAM ||
        getsockname(fd, (struct sockaddr *)&here, &length))
        return END_OTHER;
    if (here.ss_family == AF_UNIX)
        return ask_unix(fd, inode, in, out) ? END_UNIX : END_OTHER;
    return ask_tcp(fd, &here, in, out) ? END_TCP : END_OTHER;
}

static uint64_t identity_of(const struct stat *about)
{
    return S_ISFIFO(about->st_mode) ? mixed(about->st_dev, about->st_ino) : (uint64_t)about->st_ino;
}

end_facts ends_ask(int fd)
{
    struct stat about;
    if (fstat(fd, &about))
        return (end_facts){.kind = END_UNKNOWN};
    end_facts found = {.kind = END_OTHER, .identity = identity_of(&about)};
    if (S_ISFIFO(about.st_mode)) {
        found.kind = END_PIPE;
        found.in_key = found.out_key = key_of(END_PIPE, about.st_dev, about.st_ino);
    } else if (S_ISSOCK(about.st_mode)) {
        found.kind = ask_socket(fd, about.st_ino, &found.in_key, &found.out_key);
    }
    return found;
}

uint64_t ends_identity(int fd)
{
    struct stat about;
    return fstat(fd, &about) ? 0 : identity_of(&about);
}
