"""What following children costs: a fork, a new Python, and a service of several workers.

Two programs stand by, one recorded and one not, and start children in turn as they are asked
to, so that each pair has the same neighbours.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parent.parent
CLIENTS = 4
LEAST_LIFE_S = 1.0  # a worker that has just begun still imports

STARTER = """
import os, subprocess, sys, time
now = time.monotonic_ns
CODE = "import os, time; os.write(1, str(time.monotonic_ns()).encode())"

def fork(end):
    if (pid := os.fork()) == 0:
        os.write(end, str(now()).encode())
        os._exit(0)
    return pid

def spawn(end):
    return subprocess.Popen([sys.executable, "-c", CODE], stdout=end).pid

for line in sys.stdin:
    read, end = os.pipe()
    start = now()
    pid = globals()[line.strip()](end)
    first = int(os.read(read, 99)) - start
    _, _, usage = os.wait4(pid, 0)
    os.close(read)
    os.close(end)
    print(first, int((usage.ru_utime + usage.ru_stime) * 1e9), flush=True)
"""
APP = """
import os
def app(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return [str(sum(i * i for i in range(3000))).encode()]
"""


@dataclass(frozen=True)
class Start:
    """Medians over all pairs, in ms: untraced, and what recording adds; to the child's first
    line, and its CPU time until its end."""

    first: float
    first_added: float
    cpu: float
    cpu_added: float


def python(traced: bool, folder: str) -> list[str]:
    recorder = ("-m", "tracer", "run", "--force", "--no-profile", "-o", f"{folder}/t.pftrace")
    return [sys.executable, *(recorder if traced else ())]


def start_cost(kind: str, pairs: int) -> Start:
    """`kind` is a function of STARTER."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        program = Path(folder) / "starter.py"
        program.write_text(STARTER)
        both = []
        compiled = dict(os.environ)  # the recorder's modules, once they were imported
        compiled.pop("PYTHONDONTWRITEBYTECODE", None)
        for traced in (False, True):
            starter = subprocess.Popen(
                [*python(traced, folder), str(program)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=compiled,
            )
            both.append(stack.enter_context(starter))

        def ask(starter: subprocess.Popen[str]) -> list[float]:
            assert starter.stdin is not None
            assert starter.stdout is not None
            starter.stdin.write(f"{kind}\n")
            starter.stdin.flush()
            return [int(word) / 1e6 for word in starter.stdout.readline().split()]

        rows = [[ask(starter) for starter in both] for _ in range(pairs + 3)][3:]
    median = statistics.median
    return Start(
        median(plain[0] for plain, _ in rows),
        median(traced[0] - plain[0] for plain, traced in rows),
        median(plain[1] for plain, _ in rows),
        median(traced[1] - plain[1] for plain, traced in rows),
    )


def cpu_ns(pid: int) -> int:
    """Of all threads of the process and of its children."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
        total += sum(cpu_ns(int(child)) for child in (task / "children").read_text().split())
    return total


def request(port: int, count: int) -> None:
    for _ in range(count):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as server:
            server.request("GET", "/")
            server.getresponse().read()


@contextlib.contextmanager
def serving(traced: bool, workers: int, folder: str) -> Iterator[tuple[int, int]]:
    """A service that answers: its pid and its port."""
    (Path(folder) / "app.py").write_text(APP)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = ["-m", "gunicorn", "-w", str(workers), "-b", f"127.0.0.1:{port}", "app:app"]
    service = subprocess.Popen(
        [*python(traced, folder), *command], cwd=folder, stderr=subprocess.DEVNULL
    )
    try:
        while service.poll() is None:
            with contextlib.suppress(OSError):
                request(port, 1)
                break
        yield service.pid, port
    finally:
        service.terminate()
        service.wait()


def load_ns(pid: int, port: int, requests: int) -> int:
    """CPU time of the whole service for so many requests."""
    before = cpu_ns(pid)
    clients = [
        threading.Thread(target=request, args=(port, requests // CLIENTS))
        for _ in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return cpu_ns(pid) - before


def service_ratio(workers: int, rounds: int, requests: int) -> float:
    """Median of traced over untraced CPU time. Both services live at the same time, and are
    asked in turn."""
    with contextlib.ExitStack() as stack:
        both = []
        for traced in (False, True):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            both.append(stack.enter_context(serving(traced, workers, folder)))
        time.sleep(LEAST_LIFE_S)
        for _, port in both:
            request(port, 20 * workers)
        pairs = [[load_ns(pid, port, requests) for pid, port in both] for _ in range(rounds)]
    return statistics.median(traced / plain for plain, traced in pairs)
