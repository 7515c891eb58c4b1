"""Managers of processes, and frameworks under load: answers and exit codes as untraced, every
worker recorded, and the planted fault found. It need not lead: hypercorn keeps a connection
and a task for five seconds after the client has gone, which may be worth a finding."""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.jobs import CLOCK_NS, jobs_of
from tests.support.managing import (
    CLIENTS,
    PROGRAMS,
    REQUESTS,
    WAIT_S,
    Ended,
    Given,
    ask,
    complaints,
    load,
    running,
    tracing,
    with_database,
)
from tests.support.servers import NotInstalled, redis
from viewer.trace.reader import read_trace

pytestmark = pytest.mark.managers


class Manager(NamedTuple):
    """`command` is python's; `signals` are sent to the first process, a load after each."""

    command: str
    fault: str  # the path that has it; a line of the program is marked with its name
    finding: str
    signals: str = ""
    needs: str = "gunicorn"  # packages


GUNICORN = "-m gunicorn -w 2 -b 127.0.0.1:{port} "
UVICORN = "-m uvicorn --port {port} --log-level error "
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
        GUNICORN + "-k gevent service:wsgi",
        "/lock",
        "lock held across await",
        needs="gunicorn gevent",
    ),
    "gunicorn gevent, computing": Manager(
        GUNICORN + "-k gevent service:wsgi",
        "/computes",
        "loop blocked",
        needs="gunicorn gevent",
    ),
    "gunicorn uvicorn": Manager(
        GUNICORN + "-k uvicorn.workers.UvicornWorker service:asgi",
        *BLOCKED,
        needs="gunicorn uvicorn",
    ),
    "uvicorn": Manager(UVICORN + "--workers 2 service:asgi", *BLOCKED, needs="uvicorn"),
    "hypercorn": Manager(
        "-m hypercorn -w 2 -b 127.0.0.1:{port} service:asgi", *BLOCKED, needs="hypercorn"
    ),
    "hypercorn trio": Manager(
        "-m hypercorn -k trio -b 127.0.0.1:{port} service:asgi",
        *BLOCKED,
        needs="hypercorn trio",
    ),
    # Frameworks, in one process each.
    "fastapi": Manager(
        UVICORN + "--factory frameworks:fastapi", *BLOCKED, needs="uvicorn uvloop fastapi"
    ),
    "starlette": Manager(
        UVICORN + "--factory frameworks:starlette", *BLOCKED, needs="uvicorn starlette"
    ),
    "quart": Manager(
        "-m hypercorn -b 127.0.0.1:{port} frameworks:quart()",
        *BLOCKED,
        needs="hypercorn quart",
    ),
    "aiohttp": Manager("frameworks.py {port}", *BLOCKED, needs="aiohttp uvloop"),
}


def serve(python: list[str], manager: Manager, folder: Path) -> tuple[Given, Ended]:
    given = Given(Counter(), set())
    with running(python, manager.command, folder) as service:
        load(service.port, manager.fault, given)
        for name in manager.signals.split():
            service.send(name)
            load(service.port, manager.fault, given)
    return given, service.ended[0]


def is_found(trace: Path, finding: str, words: str) -> bool:
    command = [sys.executable, "-m", "tracer", "report", str(trace), "--json"]
    said = json.loads(subprocess.check_output([*command, "--section", "findings"]))["findings"]
    return any(each["finding"] == finding and words in each["text"] for each in said)


def recorded(trace: Path) -> set[int]:
    """The pids in the trace, which has all of them."""
    assert not trace.with_name(f"{trace.name}.d").exists()
    return {each.pid for each in read_trace(trace).processes if each.recording}


def place(program: str, mark: str) -> str:
    lines = (PROGRAMS / program).read_text().splitlines()
    (line,) = (n for n, text in enumerate(lines, 1) if text.endswith(f"#: {mark}"))
    return f"{program}:{line}"


@pytest.mark.parametrize("name", MANAGERS)
def test_a_manager(name: str, tmp_path: Path) -> None:
    manager, trace = MANAGERS[name], tmp_path / "t.pftrace"
    for package in manager.needs.split():
        if find_spec(package) is None:
            pytest.skip(f"{package} has no wheel for this Python")
    wanted, plain = serve([sys.executable], manager, tmp_path)
    given, traced = serve(tracing(trace), manager, tmp_path)
    assert given.answers == wanted.answers
    loads = 1 + len(manager.signals.split())
    assert given.answers.total() == CLIENTS * REQUESTS * loads
    assert traced == plain
    assert given.workers <= recorded(trace)
    program = "frameworks.py" if "frameworks" in manager.command else "service.py"
    assert is_found(trace, manager.finding, place(program, manager.fault[1:]))


def test_a_worker_that_hangs(tmp_path: Path) -> None:
    """gunicorn aborts it and starts another, whose answer comes; both are in the trace."""
    if find_spec("gunicorn") is None:
        pytest.skip("gunicorn has no wheel for this Python")
    trace, told = tmp_path / "t.pftrace", []
    for python in ([sys.executable], tracing(trace)):
        given = Given(Counter(), set())
        command = "-m gunicorn -w 1 -t 10 -b 127.0.0.1:{port} service:wsgi"
        with running(python, command, tmp_path) as service:
            ask(service.port, ["/", "/hangs", "/"], given)
        told.append((given.answers, service.ended, len(given.workers - {0})))
    assert told[0] == told[1]
    assert told[0][2] == 2
    assert given.workers - {0} <= recorded(trace)


CELERY_CLIENT = """\
import tasks
jobs = [tasks.add.delay(n, n) for n in range(6)] + [tasks.visit.delay(n) for n in range(24)]
jobs.append(tasks.fails.delay())
print([job.get(timeout=100, propagate=False) for job in jobs])
"""


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_celery(pool: str, tmp_path: Path) -> None:
    if find_spec("celery") is None:
        pytest.skip("celery has no wheel for this Python")
    trace = tmp_path / "t.pftrace"
    wanted = work_off([sys.executable], pool, tmp_path)
    assert work_off(tracing(trace), pool, tmp_path) == wanted
    assert len(recorded(trace)) == (4 if pool == "prefork" else 1)
    if pool == "prefork":
        check_jobs(trace)
    assert is_found(trace, "database locked", place("tasks.py", "database"))


def check_jobs(trace: Path) -> None:
    """Each task is there from the main process to a child and back, with what it pickled."""
    (jobs,) = jobs_of(trace)
    named = Counter((job.name, job.exception) for job in jobs)
    done = {("tasks.add", ""): 6, ("tasks.visit", ""): 24}
    assert named == done | {("tasks.fails", "KeyError"): 1}
    main = next(each.pid for each in read_trace(trace).processes if each.recording)
    assert len({job.worker for job in jobs} - {main, 0}) > 1
    for job in jobs:
        times = [job.submit, job.sent, job.start, job.end, job.result, job.received]
        assert all(b - a >= -CLOCK_NS for a, b in pairwise(times)), job
        assert job.sent_bytes == job.read_bytes > 0
        assert job.result_bytes == job.received_bytes > 0
    # Received by Celery is queued, although it submits a job when a worker is free.
    assert any(
        a.worker == b.worker and b.submit < a.end <= b.start for a in jobs for b in jobs
    )


def work_off(python: list[str], pool: str, folder: Path) -> tuple[str, int, set[str]]:
    """The results of all jobs, and how the worker of Celery ended."""
    with_database(folder / "visits")
    command = f"-m celery -A tasks worker --pool {pool} -c 3 -l error"
    with contextlib.ExitStack() as stack:
        try:
            broker = stack.enter_context(redis())
        except NotInstalled as error:
            pytest.skip(str(error))
        environment = {
            **os.environ,
            "BROKER": broker,
            "DATABASE": str(folder / "visits"),
            "C_FORCE_ROOT": "1",
        }
        worker = subprocess.Popen(
            [*python, *command.split()],
            cwd=PROGRAMS,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            results = subprocess.check_output(
                [sys.executable, "-c", CELERY_CLIENT],
                cwd=PROGRAMS,
                env=environment,
                text=True,
                timeout=WAIT_S,
            )
        finally:
            worker.terminate()
            _, errors = worker.communicate(timeout=WAIT_S)
    return results, worker.returncode, complaints(errors)


XDIST = """\
import threading, time
import pytest
lock = threading.Lock()
def hold():
    with lock:  #: lock
        time.sleep(0.03)
@pytest.mark.parametrize("n", range(12))
def test_hold(n):
    threads = [threading.Thread(target=hold) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert n != 7
"""


def in_any_order(text: str) -> str:
    """Which test of two processes is over first is chance."""
    return re.sub(r"^[.F]+(?= )", lambda marks: "".join(sorted(marks[0])), text, flags=re.M)


def test_xdist(tmp_path: Path) -> None:
    """A test session over two processes: the same result, both recorded, the lock is found."""
    (tmp_path / "test_held.py").write_text(XDIST)
    trace = tmp_path / "t.pftrace"
    run = ["-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", "test_held.py"]
    plain, traced = (
        subprocess.run(
            [*python, *run], cwd=tmp_path, capture_output=True, text=True, timeout=WAIT_S
        )
        for python in ([sys.executable], tracing(trace))
    )
    assert traced.returncode == plain.returncode == 1
    said, wanted = (complaints(in_any_order(each.stdout)) for each in (traced, plain))
    assert said == wanted
    assert len(recorded(trace)) == 3
    assert is_found(trace, "lock convoy", "test_held.py:5")
