/* The other end of a unix socket, as the kernel has it: asked by way of netlink (sock_diag). */
#define _GNU_SOURCE
#include "ring/unix_peer.h"

#if defined(__linux__)
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static uint64_t answer(int fd)
{
    union {
        struct nlmsghdr head;
        char bytes[1024];
    } got;
    ssize_t length = recv(fd, &got, sizeof got, MSG_DONTWAIT); /* the kernel answers while it is asked */
    if (length < 0 || !NLMSG_OK(&got.head, (size_t)length) || got.head.nlmsg_type != SOCK_DIAG_BY_FAMILY)
        return UNIX_PEER_NONE;
    struct unix_diag_msg *about = NLMSG_DATA(&got.head);
    struct rtattr *each = (struct rtattr *)(about + 1);
    int left = (int)got.head.nlmsg_len - (int)NLMSG_LENGTH(sizeof *about);
    for (; RTA_OK(each, left); each = RTA_NEXT(each, left)) {
        uint32_t peer;
        if (each->rta_type != UNIX_DIAG_PEER || RTA_PAYLOAD(each) < sizeof peer)
            continue;
        memcpy(&peer, RTA_DATA(each), sizeof peer);
        return peer;
    }
    return UNIX_PEER_NONE;
}

uint64_t unix_peer(uint64_t inode)
{
    struct {
        struct nlmsghdr head;
        struct unix_diag_req asked;
    } request = {
        {.nlmsg_len = sizeof request, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
        {.sdiag_family = AF_UNIX, .udiag_states = UINT32_MAX, .udiag_ino = (uint32_t)inode,
         .udiag_show = UDIAG_SHOW_PEER, .udiag_cookie = {UINT32_MAX, UINT32_MAX}},
    };
    int fd = inode <= UINT32_MAX ? socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG) : -1;
    if (fd < 0)
        return UNIX_PEER_NONE;
    int is_asked = send(fd, &request, sizeof request, MSG_NOSIGNAL) == (ssize_t)sizeof request;
    uint64_t peer = is_asked ? answer(fd) : UNIX_PEER_NONE;
    close(fd);
    return peer;
}
#else
uint64_t unix_peer(uint64_t inode)
{
    (void)inode;
    return UNIX_PEER_NONE;
}
#endif
