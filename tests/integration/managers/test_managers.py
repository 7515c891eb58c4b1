"""Managers of processes: answers and exit codes as untraced, every worker recorded, and the
planted fault leads the report."""

import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.launching import wait_until
from tests.support.servers import free_port
from viewer.trace.reader import read_trace

pytestmark = pytest.mark.managers

PROGRAMS = Path(__file__).parents[2] / "support" / "programs" / "managed"
CLIENTS, REQUESTS = 6, 16
WAIT_S = 120


class Manager(NamedTuple):
    """`command` is python's; `signals` are sent to the first process, a load after each."""

    command: str
    fault: str  # the path that has it; a line of the program is marked with its name
    finding: str
    signals: str = ""
    needs: str = ""  # packages


GUNICORN = "-m gunicorn -w 2 -b 127.0.0.1:{port} "
BLOCKED = "/blocking", "loop blocked"
MANAGERS = {
    "gunicorn": Manager(GUNICORN + "service:wsgi", "/database", "database locked"),
    "gunicorn, reloaded": Manager(
        GUNICORN + "service:wsgi", "/database", "database locked", "HUP TTIN TTOU"
    ),
    "gunicorn, preloaded": Manager(
        GUNICORN + "--preload -k gthread --threads 4 service:wsgi", "/lock", "lock convoy"
    ),
    "gunicorn gevent": Manager(
        GUNICORN + "-k gevent service:wsgi", "/computes", "loop blocked", needs="gevent"
    ),
    "gunicorn uvicorn": Manager(
        GUNICORN + "-k uvicorn.workers.UvicornWorker service:asgi", *BLOCKED, needs="uvicorn"
    ),
}


class Served(NamedTuple):
    """What the clients got and from which processes, and how the first process ended."""

    given: Counter[tuple[str, int, bytes]]
    workers: set[int]
    code: int
    said: set[str]


def ask(port: int, paths: list[str], served: Served) -> None:
    for n in range(REQUESTS):
        path = paths[n % len(paths)]
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)) as server:
            server.request("GET", path)
            answer = server.getresponse()
            served.given[path, answer.status, answer.read()] += 1
            served.workers.add(int(answer.headers.get("Worker", 0)))


def load(port: int, paths: list[str], served: Served) -> None:
    clients = [
        threading.Thread(target=ask, args=(port, paths, served)) for _ in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def children(pid: int) -> set[int]:
    threads = Path(f"/proc/{pid}/task").iterdir()
    return {
        int(child) for each in threads for child in (each / "children").read_text().split()
    }


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


def serve(python: list[str], manager: Manager, folder: Path) -> Served:
    """Runs the service under load, then ends it."""
    port, database = free_port(), folder / "visits"
    database.unlink(missing_ok=True)
    with sqlite3.connect(database) as made:
        made.execute("create table visits (n)")
    made.close()
    service = subprocess.Popen(
        [*python, *manager.command.format(port=port).split()],
        cwd=PROGRAMS,
        env={**os.environ, "DATABASE": str(database)},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    served = Served(Counter(), set(), 0, set())
    try:
        wait_until(lambda: service.poll() is not None or answers(port))
        load(port, ["/", manager.fault], served)
        for name in manager.signals.split():
            before = children(service.pid)
            service.send_signal(signal.Signals[f"SIG{name}"])
            wait_until(partial(has_done, name, before, service.pid))
            load(port, ["/", manager.fault], served)
    finally:
        service.terminate()
        _, errors = service.communicate(timeout=WAIT_S)
    return served._replace(code=service.returncode, said=complaints(errors))


def tracing(trace: Path) -> list[str]:
    return [sys.executable, "-m", "tracer", "run", "--no-profile", "-o", str(trace)]


def leading(trace: Path) -> tuple[str, str]:
    """The first finding, and its text."""
    command = [sys.executable, "-m", "tracer", "report", str(trace), "--json"]
    said = json.loads(subprocess.check_output([*command, "--section", "findings"]))["findings"]
    assert said, "no finding"
    return said[0]["finding"], said[0]["text"]


def place(program: str, mark: str) -> str:
    lines = (PROGRAMS / program).read_text().splitlines()
    (line,) = (n for n, text in enumerate(lines, 1) if text.endswith(f"#: {mark}"))
    return f"{program}:{line}"


@pytest.mark.parametrize("name", MANAGERS)
def test_a_manager(name: str, tmp_path: Path) -> None:
    manager, trace = MANAGERS[name], tmp_path / "t.pftrace"
    for package in ("gunicorn", *manager.needs.split()):
        if find_spec(package) is None:
            pytest.skip(f"{package} has no wheel for this Python")
    plain = serve([sys.executable], manager, tmp_path)
    traced = serve(tracing(trace), manager, tmp_path)
    assert traced.given == plain.given
    assert traced.given.total() == CLIENTS * REQUESTS * (1 + len(manager.signals.split()))
    assert traced.code == plain.code
    assert traced.said == plain.said
    assert not trace.with_name("t.pftrace.d").exists()

    recorded = {each.pid for each in read_trace(trace).processes if each.recording}
    assert traced.workers <= recorded
    finding, text = leading(trace)
    assert finding == manager.finding
    assert place("service.py", manager.fault[1:]) in text
