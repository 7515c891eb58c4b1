"""A process that is not recorded and one that is write into the same pipe, in turn.

The last line of the output is the reader's pid and what it got, as JSON: who wrote it, and
when it was read (before and after, CLOCK_MONOTONIC).
"""

import json
import multiprocessing
import os
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from typing import Any

ROUNDS = 20
# Without site there is no recorder; it writes a message each time it is told to.
STRANGER = """
import os, pickle, struct, sys
fd = int(sys.argv[1])
for line in sys.stdin:
    message = pickle.dumps(("stranger", int(line)))
    os.write(fd, struct.pack("!i", len(message)) + message)
"""


def reader(end: Connection, answer: Connection) -> None:
    got: list[tuple[str, int, int]] = []
    for _ in range(2 * ROUNDS):
        before = time.monotonic_ns()
        who, _number = end.recv()
        got.append((who, before, time.monotonic_ns()))
    answer.send(got)


def raw(fd: int, told: int) -> None:
    """Two processes write raw bytes into one pipe; this one is told when."""
    while os.read(told, 1):
        os.write(fd, b"b")


def two_raw_writers(context: Any) -> None:
    (read_fd, write_fd), (told, tell) = os.pipe(), os.pipe()
    process = context.Process(target=raw, args=(write_fd, told))
    process.start()
    os.close(told)
    for _ in range(5):
        os.write(write_fd, b"a")
        os.read(read_fd, 1)
        os.write(tell, b"x")
        os.read(read_fd, 1)
    process.terminate()
    process.join()


def main() -> None:
    context = multiprocessing.get_context("fork")
    two_raw_writers(context)
    read_end, write_end = context.Pipe(duplex=False)
    answers, answer = context.Pipe(duplex=False)
    process = context.Process(target=reader, args=(read_end, answer))
    process.start()
    fd = write_end.fileno()
    stranger = subprocess.Popen(
        [sys.executable, "-S", "-c", STRANGER, str(fd)],
        stdin=subprocess.PIPE,
        pass_fds=(fd,),
        text=True,
    )
    assert stranger.stdin is not None
    for number in range(ROUNDS):
        print(number, file=stranger.stdin, flush=True)
        time.sleep(0.002)
        write_end.send(("known", number))
        time.sleep(0.002)
    stranger.stdin.close()
    print(json.dumps([process.pid, answers.recv()]))
    process.join()
    stranger.wait()


if __name__ == "__main__":
    main()
