"""A program inside a framework: its own code heads every row, the framework's is second."""

import json

import pytest

from tests.conftest import Recorder, check_traces

FRAMEWORK = """
import asyncio, threading, time

LOCK = threading.Lock()

def guarded(call):
    with LOCK:
        call()

def nap(seconds):
    time.sleep(seconds)

async def pause():
    await asyncio.sleep(0.01)

async def serve(handler):
    await handler()

async def serve_blocking(handler):
    handler()
"""
PROGRAM = """
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "site-packages"))
import asyncio, threading
import framework

started, asks = threading.Event(), threading.Event()

def hold():
    started.set()
    asks.wait()
    framework.nap(0.5)

def slow_query():
    framework.guarded(hold)

def quick_query():
    started.wait()
    asks.set()
    framework.guarded(int)

async def handle():
    await framework.pause()

async def middleware():
    await framework.serve(handle)

def render():
    framework.nap(0.03)

async def main():
    await asyncio.gather(
        asyncio.create_task(framework.serve(middleware)),
        asyncio.create_task(framework.serve_blocking(render)),
    )

threads = [threading.Thread(target=query) for query in (slow_query, quick_query)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    return Recorder(tmp_path_factory.mktemp("user_names"))


@pytest.fixture(scope="module")
def trace(record: Recorder):
    package = record.directory / "site-packages"
    package.mkdir()
    (package / "framework.py").write_text(FRAMEWORK)
    found = record(PROGRAM)
    check_traces(record.directory)
    return found


def line(text):
    return next(n for n, row in enumerate(PROGRAM.splitlines(), 1) if row.strip() == text)


def report(record, trace, *options):
    done = record.tracer("report", str(trace), "--json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_users_names(record: Recorder, trace):
    """Tasks by the handler below the middleware, waits, calls and holds by the user's line."""
    said = report(record, trace)
    program = next(record.directory.glob("program*.py"))

    def site(text, function):
        return f"{program}:{line(text)} {function}"

    coros = {row["coro"]: row["site"] for row in said["tasks"]}
    assert coros["handle"] == site("await framework.pause()", "handle")
    assert coros["render"] == site("framework.nap(0.03)", "render")
    assert not {"serve", "serve_blocking", "middleware"} & coros.keys()
    calls = {row["site"] for row in said["io"] if row["callable"] == "sleep"}
    assert calls == {
        site("framework.nap(0.5)", "hold"),
        site("framework.nap(0.03)", "render"),
    }
    (lock,) = (row for row in said["locks"] if row["kind"] == "Lock" and row["waits"])
    waited = site("framework.guarded(int)", "quick_query")
    held = site("framework.guarded(hold)", "slow_query")
    assert [each["site"] for each in lock["waiters"]] == [waited]
    assert lock["holders"][0]["site"] == held


def test_library_names(record: Recorder, trace):
    """`--library-names`: the framework's code heads the rows, as it is recorded."""
    said = report(record, trace, "--library-names")
    coros = {row["coro"] for row in said["tasks"]}
    assert {"serve", "serve_blocking"} <= coros
    assert "handle" not in coros
    calls = {row["site"] for row in said["io"] if row["callable"] == "sleep"}
    assert {site.rpartition(" ")[2] for site in calls} == {"nap"}


def test_the_library_is_second(record: Recorder, trace):
    """The text says through which function of the library."""
    done = record.tracer("why", str(trace), "--thread", "Thread-2 (quick_query)")
    assert f"py:{line('framework.guarded(int)')}, via `guarded`" in " ".join(
        done.stdout.split()
    )


def test_shutdown_is_one_row(record: Recorder, trace):
    """asyncio.run's own shutdown tasks get no separate rows."""
    rows = [row["coro"] for row in report(record, trace)["tasks"]]
    assert rows.count("asyncio's own") == 1
    assert not any("shutdown" in coro for coro in rows)
