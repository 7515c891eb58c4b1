"""Services that start anew while they run: those who come later are recorded, too."""

import contextlib
import http.client
import os
import shutil
import signal
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.launching import wait_until
from tests.support.managing import PROGRAMS, Ended, Given, ask, children, running, tracing
from viewer.trace.reader import read_trace

pytestmark = pytest.mark.managers

RELOADED = {
    "uvicorn": ("-m uvicorn --reload --port {port} --log-level error service:asgi", "service"),
    "django": ("site_of_django.py runserver {port}", "site_of_django"),
}


def recorded(*traces: Path) -> set[int]:
    return {
        one.pid for trace in traces for one in read_trace(trace).processes if one.recording
    }


def asked(port: int, given: Given) -> int:
    """Who has answered; 0 where the answer lost its headers, as its process ended."""
    this = Given(given.answers, set())
    ask(port, ["/"], this)
    (worker,) = this.workers
    given.workers.update(this.workers - {0})
    return worker


def answers_change(port: int, program: Path, worker: int, given: Given) -> bool:
    """Changes the program, as often as it takes: whoever watches it may only begin to."""
    program.touch()
    try:
        return asked(port, given) not in (0, worker)
    except (OSError, http.client.HTTPException):  # nobody answers between the two
        return False


def reload(python: list[str], command: str, program: Path) -> tuple[set[int], Ended]:
    given = Given(Counter(), set())
    with running(python, command, program.parent, where=program.parent) as service:
        worker = asked(service.port, given)
        wait_until(lambda: answers_change(service.port, program, worker, given))
    # An answer may be cut off when its process ends for the next one, also untraced.
    assert {status for _, status, _ in given.answers} == {200}
    return given.workers, service.ended[0]


@pytest.mark.parametrize("name", RELOADED)
def test_a_reloader(name: str, tmp_path: Path) -> None:
    """A change of the program starts another process, which the trace has."""
    command, module = RELOADED[name]
    if find_spec(name) is None:
        pytest.skip(f"{name} has no wheel for this Python")
    trace, program = tmp_path / "t.pftrace", tmp_path / "served" / f"{module}.py"
    program.parent.mkdir()
    shutil.copy(PROGRAMS / program.name, program)
    _, plain = reload([sys.executable], command, program)
    workers, traced = reload(tracing(trace), command, program)
    assert traced.code == plain.code
    left = tmp_path.glob("t.pftrace.d/*.pftrace")
    assert workers <= recorded(trace, *left)
    assert len(workers) >= 2


def successor(pid: int) -> int:
    """The child that became another gunicorn and has a worker; 0: none yet."""
    with contextlib.suppress(OSError):  # its threads go when it becomes another program
        return next((child for child in children(pid) if children(child)), 0)
    return 0


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def upgrade(python: list[str], folder: Path) -> tuple[set[int], list[Ended]]:
    """USR2: another gunicorn takes the sockets over, and goes on when the first ends."""
    given = Given(Counter(), set())
    command = "-m gunicorn -w 1 -b 127.0.0.1:{port} service:wsgi"
    with running(python, command, folder) as service:
        first = service.process.pid
        asked(service.port, given)
        service.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: successor(first))
        second = successor(first)
        service.process.terminate()
        service.process.wait()
        asked(service.port, given)
        os.kill(second, signal.SIGTERM)
        wait_until(lambda: is_gone(second))
    return given.workers, service.ended


def test_gunicorn_upgraded(tmp_path: Path) -> None:
    if find_spec("gunicorn") is None:
        pytest.skip("gunicorn has no wheel for this Python")
    trace = tmp_path / "t.pftrace"
    workers, plain = upgrade([sys.executable], tmp_path)
    assert len(workers) == 2
    workers, traced = upgrade(tracing(trace), tmp_path)
    assert len(workers) == 2
    assert traced[0].code == plain[0].code
    assert workers <= recorded(trace, *tmp_path.glob("t.pftrace.d/*.pftrace"))
