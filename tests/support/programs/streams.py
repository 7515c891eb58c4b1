"""One process writes to another that surely waits, through pipes and sockets of all kinds.

The last line of the output is, as JSON, the reader's pid and what it got: by which way, who
wrote it, and when it was read (before and after, CLOCK_MONOTONIC).
"""

import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROUNDS = 2
# Without site there is no recorder; it writes each time it is told to.
STRANGER = """
import os, sys
for line in sys.stdin:
    os.write(int(sys.argv[1]), b"stranger")
"""

type Read = Callable[[], bytes]
type Write = Callable[[bytes], object]


def sleeps(pid: int) -> bool:
    """Whether the kernel says that the process's first thread sleeps."""
    stat = Path(f"/proc/{pid}/task/{pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "S"


def until_it_waits(pid: int, ready: int) -> None:
    """The reader says when it is about to read; there is nothing else that it waits for."""
    os.read(ready, 1)
    while not sleeps(pid):
        time.sleep(0.001)
    time.sleep(0.001)


def polled(fd: int) -> bytes:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    poll.poll()
    return os.read(fd, 100)


def replaced(other: int, fd: int) -> bytes:
    """Reads `fd` by way of a number that has just been another pipe's."""
    number = os.dup(other)
    select.select([number], [], [], 0)
    os.dup2(fd, number)
    data = os.read(number, 100)
    os.close(number)
    return data


def passed(by: socket.socket) -> bytes:
    """Reads what comes by a descriptor that came through a socket."""
    _, (fd,), _, _ = socket.recv_fds(by, 1, 1)
    data = os.read(fd, 100)
    os.close(fd)
    return data


def parts(by: socket.socket, data: bytes) -> None:
    by.sendmsg([data[:2], data[2:]])


def from_file(to: int, data: bytes) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"before " + data)
        file.flush()
        assert os.sendfile(to, file.fileno(), 7, 1 << 20) == len(data)


def described(by: socket.socket) -> bytes:
    data, fds, _, _ = socket.recv_fds(by, 100, 1)
    for fd in fds:
        os.close(fd)
    return data


def ways() -> dict[str, tuple[Read, Write, int]]:
    """By name how to read, how to write, and a descriptor to write to."""
    pipes = [os.pipe() for _ in range(6)]
    packets = os.pipe2(os.O_DIRECT)
    unix, peer = socket.socketpair()
    in_parts, whole = socket.socketpair()
    sends, takes = socket.socketpair()
    gives, gets = socket.socketpair()
    for _ in range(2 * ROUNDS):
        socket.send_fds(sends, [b"1"], [pipes[4][0]])
    server = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(server.getsockname())
    accepted, _ = server.accept()
    reads, writes = pipes[0]
    poll_reads, poll_writes = pipes[1]
    return {
        "pipe": (lambda: os.read(reads, 100), lambda data: os.write(writes, data), writes),
        "polled": (
            lambda: polled(poll_reads),
            lambda data: os.write(poll_writes, data),
            poll_writes,
        ),
        "packets": (
            lambda: os.read(packets[0], 100),
            lambda data: os.write(packets[1], data),
            packets[1],
        ),
        "replaced": (
            lambda: replaced(pipes[2][0], pipes[3][0]),
            lambda data: os.write(pipes[3][1], data),
            pipes[3][1],
        ),
        "passed": (
            lambda: passed(takes),
            lambda data: os.write(pipes[4][1], data),
            pipes[4][1],
        ),
        "parts": (
            lambda: whole.recv(100),
            lambda data: parts(in_parts, data),
            in_parts.fileno(),
        ),
        "file": (
            lambda: os.read(pipes[5][0], 100),
            lambda data: from_file(pipes[5][1], data),
            pipes[5][1],
        ),
        "described": (
            lambda: described(gets),
            lambda data: socket.send_fds(gives, [data], [pipes[5][0]]),
            gives.fileno(),
        ),
        "unix": (lambda: peer.recv(100), unix.sendall, unix.fileno()),
        "tcp": (lambda: accepted.recv(100), client.sendall, client.fileno()),
    }


def reader(all_ways: dict[str, tuple[Read, Write, int]], ready: int, answers: int) -> None:
    got: list[tuple[str, str, int, int]] = []
    for name, (read, _write, _fd) in all_ways.items():
        for _ in range(2 * ROUNDS):
            os.write(ready, b"r")
            before = time.monotonic_ns()
            who = read().decode()
            got.append((name, who, before, time.monotonic_ns()))
    os.write(answers, json.dumps([os.getpid(), got]).encode())
    os._exit(0)


def main() -> None:
    all_ways = ways()
    (ready, tell_ready), (answer, answers) = os.pipe(), os.pipe()
    pid = os.fork()
    if not pid:
        reader(all_ways, tell_ready, answers)
    for _read, write, fd in all_ways.values():
        command = [sys.executable, "-S", "-c", STRANGER, str(fd)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, pass_fds=(fd,), text=True
        ) as stranger:
            assert stranger.stdin is not None
            for _ in range(ROUNDS):
                until_it_waits(pid, ready)
                print("now", file=stranger.stdin, flush=True)
                until_it_waits(pid, ready)
                write(b"known")
    print(os.read(answer, 65536).decode())
    os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
