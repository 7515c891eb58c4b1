"""A process is killed while it writes to a pipe that another one reads; then a third writes.

The last line of the output is, as JSON, the reader's pid.
"""

import fcntl
import json
import os
import signal
import termios
import time
from pathlib import Path


def until_it_sleeps(pid: int) -> None:
    stat = Path(f"/proc/{pid}/stat")
    while stat.read_text().rpartition(")")[2].split()[0] != "S":
        time.sleep(0.001)
    time.sleep(0.001)


def until_it_reads(pid: int, ready: int) -> None:
    """The reader says when it is about to read; there is nothing else that it waits for."""
    os.read(ready, 1)
    until_it_sleeps(pid)


def until_it_writes(pid: int, reads: int) -> None:
    """More than the pipe takes."""
    while not int.from_bytes(fcntl.ioctl(reads, termios.FIONREAD, bytes(4)), "little"):
        time.sleep(0.001)
    until_it_sleeps(pid)


def reader(reads: int, go_on: int, ready: int) -> None:
    os.write(ready, b"r")
    os.read(reads, 1)
    os.read(go_on, 1)  # the writer was killed
    os.set_blocking(reads, False)
    try:
        while os.read(reads, 1 << 20):
            pass
    except BlockingIOError:
        os.set_blocking(reads, True)
    os.write(ready, b"r")
    os.read(reads, 100)
    os._exit(0)


def main() -> None:
    (reads, writes), (go_on, goes_on), (ready, is_ready) = (os.pipe() for _ in range(3))
    reading = os.fork()
    if not reading:
        reader(reads, go_on, is_ready)
    until_it_reads(reading, ready)
    os.write(writes, b"1")
    until_it_sleeps(reading)
    writing = os.fork()
    if not writing:
        os.write(writes, bytes(1 << 20))
    until_it_writes(writing, reads)
    os.kill(writing, signal.SIGKILL)
    os.waitpid(writing, 0)
    os.write(goes_on, b"1")
    until_it_reads(reading, ready)
    os.write(writes, b"known")
    os.waitpid(reading, 0)
    print(json.dumps(reading))


if __name__ == "__main__":
    main()
