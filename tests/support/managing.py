"""A service of several processes under load, as clients and its manager's signals see it."""

import http.client
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.support.launching import wait_until
from tests.support.servers import free_port

PROGRAMS = Path(__file__).parent / "programs" / "managed"
CLIENTS, REQUESTS = 6, 16
WAIT_S = 120


class Given(NamedTuple):
    """What clients got (path, status, body), and the processes that answered."""

    answers: Counter[tuple[str, int, bytes]]
    workers: set[int]


def ask(port: int, paths: list[str], given: Given) -> None:
    """One request after the other, each on a connection of its own."""
    for path in paths:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)) as server:
            server.request("GET", path)
            answer = server.getresponse()
            given.answers[path, answer.status, answer.read()] += 1
            given.workers.add(int(answer.headers.get("Worker", 0)))


def load(port: int, fault: str, given: Given) -> None:
    """Half of the requests are for the fault, half are quick."""
    paths = ["/", fault] * (REQUESTS // 2)
    clients = [threading.Thread(target=ask, args=(port, paths, given)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def children(pid: int) -> set[int]:
    found = set[int]()
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread has just ended
            found |= {*map(int, (thread / "children").read_text().split())}
    return found


# When the first process has done what a signal asks for, by its children before and now.
type Done = Callable[[set[int], set[int]], bool]
DONE: dict[str, Done] = {
    "HUP": lambda before, now: len(now) == len(before) and not before & now,
    "TTIN": lambda before, now: len(now) == len(before) + 1,
    "TTOU": lambda before, now: len(now) == len(before) - 1,
}


def has_done(name: str, before: set[int], pid: int) -> bool:
    return DONE[name](before, children(pid))


def complaints(text: str) -> set[str]:
    """Neither what is always said nor numbers."""
    lines = (line for line in text.splitlines() if not line.startswith("tracer: "))
    return {re.sub(r"\d+", "#", line) for line in lines if "[INFO]" not in line}


class Ended(NamedTuple):
    """How the first process ended, and what it and its children complained of."""

    code: int
    said: set[str]


class Running(NamedTuple):
    """The first process, and where it serves; `ended` has one entry when it is over."""

    process: "subprocess.Popen[str]"
    port: int
    ended: list[Ended]

    def send(self, name: str) -> None:
        """Sends a signal, and waits until it has done what it asks for."""
        before = children(self.process.pid)
        self.process.send_signal(signal.Signals[f"SIG{name}"])
        wait_until(partial(has_done, name, before, self.process.pid))


@contextmanager
def running(
    python: list[str], command: str, folder: Path, where: Path = PROGRAMS
) -> Iterator[Running]:
    """From when it answers until it has ended; `where` has the program."""
    port, database = free_port(), folder / "visits"
    with_database(database)
    service = subprocess.Popen(
        [*python, *command.format(port=port).split()],
        cwd=where,
        env={**os.environ, "DATABASE": str(database)},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    found = Running(service, port, [])
    try:
        wait_until(lambda: service.poll() is not None or answers(port))
        yield found
    finally:
        service.terminate()
        _, errors = service.communicate(timeout=WAIT_S)
        found.ended.append(Ended(service.returncode, complaints(errors)))


def with_database(path: Path) -> None:
    """Empty, with the table that the programs write into."""
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as made:
        made.execute("create table visits (n)")


def tracing(trace: Path) -> list[str]:
    return [sys.executable, "-m", "tracer", "run", "--no-profile", "-o", str(trace)]
