"""A wait for a lock file says which process has the lock."""

import fcntl
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


def until_written(trace: Path, count: int) -> None:
    """Until the open waits are in the file: then the writer has looked, too."""
    while len(rows_of(build_model(read_trace(trace)))) < count:
        time.sleep(0.01)


def record(
    tmp_path: Path, holders: list["subprocess.Popen[bytes]"], paths: list[Path]
) -> dict[str, object]:
    """What is said at the end of the waits, one thread for each file, of its name."""
    trace = tmp_path / "locks.pftrace"

    def work() -> None:
        threads = [
            threading.Thread(target=waits_for, args=(path,), name=path.name) for path in paths
        ]
        for thread in threads:
            thread.start()
        until_written(trace, len(threads))
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
    """The kernel knows processes, not their threads. So none is named, but for one that the
    writer saw before the other came."""
    paths = [tmp_path / "a.lock", tmp_path / "b.lock"]
    with holder(paths[0]) as first, holder(paths[1]) as second:
        said = record(tmp_path, [first, second], paths)
        assert said["a.lock"] in (None, first.pid)
        assert said["b.lock"] in (None, second.pid)
        assert None in said.values()
