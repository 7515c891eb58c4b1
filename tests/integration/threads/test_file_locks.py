"""A wait for a lock file says which process has the lock."""

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.recordings import record_here
from tracer import schema as s
from viewer.trace.columns import IO, STATE_MASK
from viewer.trace.model import Model, build_model
from viewer.trace.reader import read_trace

HOLDER = """
import fcntl, sys
with open(sys.argv[1], "w") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print("it has the lock", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Another process that has the lock until its input ends."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process


def is_told(pid: int) -> bool:
    """Whether the kernel says who has which lock: some sandboxes do not."""
    try:
        return f" {pid} " in Path("/proc/locks").read_text()
    except OSError:
        return False


def own_waits() -> int:
    """How many waits of this process the kernel knows."""
    lines = Path("/proc/locks").read_text().splitlines()
    return sum("-> " in line and f" {os.getpid()} " in line for line in lines)


def waits_for(path: Path) -> None:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)


def rows_of(model: Model) -> list[int]:
    table = model.states
    return [
        row
        for row in range(len(table.slice))
        if table.state[row] & STATE_MASK == IO
        and model.trace.text(table.call_name[table.row[row]]).endswith("flock")
    ]


def wait_for(path: Path, number: int) -> threading.Thread:
    """A thread that stands in the kernel for a file: then `number` of this process do."""
    thread = threading.Thread(target=waits_for, args=(path,), name=path.name)
    thread.start()
    while own_waits() < number:
        time.sleep(0.001)
    return thread


def until_looked(trace: Path, marker: str) -> None:
    """Until the writer has looked after now: it looks before it writes what it has drained."""
    thread = threading.Thread(target=lambda: None, name=marker)
    thread.start()
    thread.join()
    while marker not in build_model(read_trace(trace)).thread_names:
        time.sleep(0.01)


def record(
    tmp_path: Path, holders: list["subprocess.Popen[bytes]"], paths: list[Path]
) -> dict[str, object]:
    """What is said at the end of the waits, one thread for each file, of its name; each waits
    before the next one comes."""
    trace = tmp_path / "locks.pftrace"

    def work() -> None:
        threads = [wait_for(path, number) for number, path in enumerate(paths, 1)]
        until_looked(trace, "marker")
        for process in holders:
            assert process.stdin is not None
            process.stdin.close()
        for thread in threads:
            thread.join()

    record_here(work, trace)
    model = build_model(read_trace(trace))
    table, slices = model.states, model.trace.slices
    return {
        model.thread_names[table.who[row]]: model.trace.args(
            slices.end_event[table.slice[row]]
        ).get(s.ARG_LOCK_PID)
        for row in rows_of(model)
    }


def test_the_process_that_has_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "ledger.lock"
    with holder(path) as process:
        if not is_told(process.pid):
            pytest.skip("the kernel does not say who has a lock")
        assert record(tmp_path, [process], [path]) == {path.name: process.pid}


def test_threads_that_wait_for_several(tmp_path: Path) -> None:
    """The kernel knows processes, not their threads. So none is named, but for the first one
    if the writer looked before the other came."""
    paths = [tmp_path / "a.lock", tmp_path / "b.lock"]
    with holder(paths[0]) as first, holder(paths[1]) as second:
        if not (is_told(first.pid) and is_told(second.pid)):
            pytest.skip("the kernel does not say who has a lock")
        said = record(tmp_path, [first, second], paths)
        assert said["a.lock"] in (None, first.pid)
        assert said["b.lock"] is None
