"""One file belongs to one recording: the second is refused or goes elsewhere, and says so."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import tracer
from tests.conftest import Recorder
from tests.support.launching import TIMEOUT_S
from tests.support.validator.rules import validate
from tracer import recorder
from tracer.errors import BusyTraceError
from tracer.output import open_trace
from viewer.analysis.endings import How, end_of
from viewer.trace.reader import read_trace

WAITS = "import sys; print('runs', flush=True); sys.stdin.read(); print('ends')"


@contextmanager
def recording(directory: Path, source: str = WAITS) -> Iterator[subprocess.Popen[str]]:
    """A program running under `tracer run`; it ends when its stdin is closed."""
    (directory / "prog.py").write_text(source)
    with subprocess.Popen(
        [sys.executable, "-m", "tracer", "run", "--no-profile", "prog.py"],
        cwd=directory,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "runs\n"
        yield process
        if process.poll() is None:
            process.communicate(timeout=TIMEOUT_S)


def how_it_ended(trace: Path) -> tuple[How, str]:
    found = read_trace(trace)
    end = end_of(found.processes[0], found.live)
    return end.how, end.text


def test_the_default_name_is_taken(tmp_path: Path, record: Recorder) -> None:
    """`tracer run prog.py` twice in one directory: two traces, both whole."""
    trace = tmp_path / "prog.pftrace"
    with recording(tmp_path) as first:
        assert how_it_ended(trace) == (
            How.LIVE,
            f"pid {first.pid} is still being recorded: more will follow.",
        )
        with recording(tmp_path) as second:
            out, told = second.communicate(timeout=TIMEOUT_S)
        other = tmp_path / f"prog.{second.pid}.pftrace"
        assert (out, second.returncode) == ("ends\n", 0)
        assert told.splitlines()[0] == (
            "tracer: prog.pftrace is being recorded by another process; "
            f"this recording goes to {other.name}"
        )
        assert told.splitlines()[1].endswith(
            f"-> {other.name}. Next: tracer report {other.name}"
        )
        live = record.tracer("report", "prog.pftrace", "--section", "health").stdout
        assert f"pid {first.pid} is still being recorded" in live
        assert "killed" not in live
    for path, process in ((trace, first), (other, second)):
        assert how_it_ended(path) == (How.ENDED, "")
        assert validate(path.read_bytes()).processes == (process.pid,)
    assert {path.name for path in tmp_path.glob("*.pftrace")} == {trace.name, other.name}


def test_a_name_that_was_asked_for_is_taken(tmp_path: Path, record: Recorder) -> None:
    """It is refused, the program does not run, and the first trace is left alone."""
    trace = tmp_path / "prog.pftrace"
    with recording(tmp_path):
        before = trace.read_bytes()
        for force in ((), ("--force",)):
            run = ("run", *force, "-o", "prog.pftrace", "-c", "print('ran')")
            done = record.tracer(*run)
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr == (
                f"tracer: cannot write {str(trace)!r}: another process is recording into it. "
                "Choose another name, or stop that recording first.\n"
            )
        with pytest.raises(BusyTraceError, match="another process is recording into it"):
            tracer.start(trace)
        assert trace.read_bytes().startswith(before)
    assert how_it_ended(trace)[0] is How.ENDED


def test_the_lock_goes_with_the_process(tmp_path: Path) -> None:
    """Nothing is left of a recording that was killed: the next one takes its place."""
    trace = tmp_path / "prog.pftrace"
    with recording(tmp_path) as first:
        first.send_signal(signal.SIGKILL)
        first.wait(TIMEOUT_S)
    how, text = how_it_ended(trace)
    assert how is How.UNKNOWN
    assert text.startswith(f"the recording of pid {first.pid} has no end: a signal (SIGTERM")
    with recording(tmp_path) as second:
        pass
    assert how_it_ended(trace)[0] is How.ENDED
    assert validate(trace.read_bytes()).processes == (second.pid,)


FORKS = """\
import os, subprocess, sys
reads = [sys.executable, "-c", "import sys; sys.stdin.read()"]
kept = [subprocess.Popen(reads, close_fds=False)]
if os.fork() == 0:
    os.read(0, 1)
    os._exit(0)
print("runs", flush=True)
"""


def test_children_do_not_keep_the_lock(tmp_path: Path) -> None:
    """Children, forked or with all descriptors: the recording ended with its process."""
    (tmp_path / "prog.py").write_text(FORKS)
    run = [sys.executable, "-m", "tracer", "run", "--no-profile", "prog.py"]
    reader, writer = os.pipe()  # the children read from it, and so outlive the program
    try:
        for _ in range(2):
            with (tmp_path / "said").open("w+") as said:  # a pipe would wait for the children
                subprocess.run(
                    run,
                    cwd=tmp_path,
                    stdin=reader,
                    stdout=said,
                    stderr=said,
                    check=True,
                    timeout=TIMEOUT_S,
                )
            assert "-> prog.pftrace. Next" in (tmp_path / "said").read_text()
            assert how_it_ended(tmp_path / "prog.pftrace")[0] is How.ENDED
    finally:
        os.close(writer)
        os.close(reader)


def test_the_lock_ends_with_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a copy of the descriptor is left, as a child that was just forked has it."""
    copies: list[int] = []

    def open_and_copy(*args: Any, **options: Any) -> int:
        fd = open_trace(*args, **options)
        copies.append(os.dup(fd))
        return fd

    monkeypatch.setattr(recorder, "open_trace", open_and_copy)
    try:
        for _ in range(2):
            tracer.start(tmp_path / "prog.pftrace")
            tracer.stop()
    finally:
        for copy in copies:
            os.close(copy)
    assert len(copies) == 2


def test_one_file_for_two_recordings_of_a_process(tmp_path: Path) -> None:
    """One recording after the other works: the lock is released at the end."""
    path = tmp_path / "a.pftrace"
    for _ in range(2):
        with tracer.recording(path, signals=["threads"]):
            assert read_trace(path).live
        assert not read_trace(path).live


def test_a_refused_recording_leaves_the_old_trace(tmp_path: Path) -> None:
    """The file's old contents are gone only once the new recording has begun."""
    path, new = tmp_path / "a.pftrace", tmp_path / "new.pftrace"
    with tracer.recording(path, signals=["threads"]):
        pass
    before = path.read_bytes()
    limit = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (1 << 38, limit[1]))
    try:
        for name in (path, new):
            with pytest.raises(tracer.TracerError, match="no memory for the buffer"):
                tracer.start(name, buffer_bytes=1 << 40)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limit)
    assert path.read_bytes() == before
    assert not new.exists()


def test_what_lies_beside_is_only_removed_if_it_is_a_profile(tmp_path: Path) -> None:
    """It refuses a text, a pipe (reading it would block forever) and a folder."""
    (tmp_path / "a.cpu.pprof").write_text("mine")
    os.mkfifo(tmp_path / "a.wall.pprof")
    (tmp_path / "b.cpu.pprof").mkdir()
    (tmp_path / "b.wall.pprof").write_bytes(b"\x1f\x8b")
    for name in ("a", "b"):
        with tracer.recording(tmp_path / f"{name}.pftrace", signals=["threads"]):
            pass
    assert (tmp_path / "a.cpu.pprof").read_text() == "mine"
    assert (tmp_path / "a.wall.pprof").is_fifo()
    assert (tmp_path / "b.cpu.pprof").is_dir()
    assert not (tmp_path / "b.wall.pprof").exists()
