"""C code that gives the kernel what is no address: it is refused, with and without us."""

from pathlib import Path

import pytest

from tests.support.compiled import compiled
from tests.support.launching import compare, script

pytestmark = pytest.mark.broad

LIBRARY = """
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static void tell(const char *what, long result)
{
    printf("%s %ld %d\\n", what, result, result < 0 ? errno : 0);
    fflush(stdout);
}

static volatile int negative = -1;

static void try(int fd, void *bad)
{
    struct msghdr message = {.msg_iov = bad, .msg_iovlen = 1};
    struct timeval at_once = {0};
    tell("poll", poll(bad, 1, 0));
    tell("poll two", poll(bad, 2, 0));
    tell("select", select(fd + 1, bad, NULL, NULL, &at_once));
    tell("readv", readv(fd, bad, 1));
    tell("writev", writev(fd, bad, 1));
    tell("writev of -1", writev(fd, bad, negative));
    tell("recvmsg", recvmsg(fd, bad, MSG_DONTWAIT));
    tell("sendmsg", sendmsg(fd, bad, MSG_DONTWAIT));
    tell("recvmsg parts", recvmsg(fd, &message, MSG_DONTWAIT));
    tell("sendmsg parts", sendmsg(fd, &message, MSG_DONTWAIT));
    tell("sendfile", bad ? sendfile(fd, fd, bad, 1) : -1);
    tell("read", read(fd, bad, 1));
    tell("write", write(fd, bad, 1));
}

void try_all(int fd)
{
    int epoll = epoll_create1(0);
    tell("epoll_ctl", epoll_ctl(epoll, EPOLL_CTL_ADD, fd, NULL));
    tell("epoll_wait", epoll_wait(epoll, (void *)-1, 1, 0));
    close(epoll);
    try(fd, (void *)-1);
    try(fd, (void *)8);
    try(fd, NULL);
}

/* What was an address once; the hooks look at parts and messages only when the kernel has. */
void try_unmapped(int fd)
{
    void *gone = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    tell("readv", readv(fd, gone, 1));
    tell("writev", writev(fd, gone, 1));
    tell("recvmsg", recvmsg(fd, gone, MSG_DONTWAIT));
    tell("sendmsg", sendmsg(fd, gone, MSG_DONTWAIT));
}

/* From now on the kernel copies no memory for this process, as in some containers. */
int refuse(void)
{
    struct sock_filter is_it[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof is_it / sizeof *is_it, is_it};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}
"""
# The other process reads at the other end, so that what is written there is looked at.
PROGRAM = """
import ctypes, os, socket, sys, time
here, there = socket.socketpair()
here.setblocking(False)
pid = os.fork()
if not pid:
    here.close()
    while there.recv(100):
        pass
    os._exit(0)
there.close()
library = ctypes.CDLL(sys.argv[1])
is_refused = sys.argv[2:] == ["refused"] and not library.refuse()
for hold in (ctypes.CDLL, ctypes.PyDLL):  # without the GIL and with it
    library = hold(sys.argv[1])
    for _ in range(2):
        time.sleep(0.01)  # it waits by now
        library.try_all(here.fileno())
        if not is_refused:
            library.try_unmapped(here.fileno())
here.shutdown(socket.SHUT_RDWR)
os.waitpid(pid, 0)
"""


@pytest.mark.parametrize("words", [(), ("refused",)], ids=["copied", "refused"])
def test_bad_pointers(tmp_path: Path, words: tuple[str, ...]) -> None:
    library = compiled(LIBRARY, tmp_path)
    plain, traced = compare(script("bad pointers", PROGRAM, library, *words), tmp_path)
    assert traced == plain
    assert plain.status == 0
    assert "poll -1 14\n" in plain.stdout
