"""The endpoints of real programs: what they answer, and that they do the program no harm."""

import http.client
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Recorder
from tests.support.listening import TIMEOUT_S, Running, until_gone
from tests.support.validator.rules import validate
from viewer.trace.reader import begins_as_trace

pytestmark = pytest.mark.broad

GO = shutil.which("go")
# Waits until the test closes its stdin.
BEGIN = (
    "import os, signal, sys, threading, time, tracer\n"
    "signals = []\n"
    "signal.signal(signal.SIGCHLD, lambda *_: signals.append(1))\n"
    "tracer.start('x.pftrace', without=('sched',))\n"
    "print(tracer.listen('127.0.0.1:0'), flush=True)\n"
)
NAMED = ("allocs", "block", "goroutine", "heap", "mutex", "threadcreate")
WAIT = "sys.stdin.readline()\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def program(folder: Path, request: pytest.FixtureRequest) -> Iterator[Running]:
    """A program with the rest of its code from the mark `program`."""
    running = Running(folder, BEGIN + request.param)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.communicate(timeout=TIMEOUT_S)


UNHARMED = (
    "try:\n    print(os.waitpid(-1, 0))\n"
    "except ChildProcessError:\n    print('no child')\n"
    "print(signals, threading.active_count(), sorted(os.listdir('/proc/self/fd'))[:3])\n"
)


@pytest.mark.parametrize("program", [WAIT + UNHARMED], indirect=True)
def test_answers(program: Running) -> None:
    """Real profiles; the program has no child, no signal and no thread of it."""
    assert b"goroutine?debug=2" in program.get("")
    assert program.get("mutex")[:2] == b"\x1f\x8b"
    assert program.get("goroutine?debug=1").startswith(b"goroutine profile: total ")
    assert b"locked to thread]:" in program.get("goroutine?debug=2")
    assert program.get("cmdline") == b"-c"
    page = program.ask("/debug/tracer/")[1]
    assert page.lower().startswith(b"<!doctype html>")
    server = program.server()
    assert program.end().splitlines() == ["no child", "[] 1 ['0', '1', '2']"]
    until_gone(server)


def test_of_a_recorded_program_they_know_its_arguments(record: Recorder) -> None:
    """Not those of the recorder; its secrets have a mask."""
    (record.directory / "app.py").write_text(
        "import json, sys, tracer.live.listening, tracer._core\n"
        "from urllib.request import urlopen\n"
        "address = tracer._core.kept['listening'].address\n"
        "print(urlopen(address + 'cmdline').read())\n"
        "print(urlopen(address).read().split(b'<title>')[1].split(b'</title>')[0])\n"
    )
    done = record.tracer("run", "--listen", "127.0.0.1:0", "app.py", "--token=abc", "7")
    shown = "app.py --token=*** 7"
    assert done.stdout.splitlines() == [
        repr(shown.replace(" ", "\0").encode()),
        repr(f"/debug/pprof/ of {shown}".encode()),
    ]


@pytest.mark.go
@pytest.mark.skipif(GO is None, reason="needs Go's pprof: apt-get install golang-go")
@pytest.mark.parametrize("program", [WAIT], indirect=True)
def test_go_tool_pprof(program: Running, tmp_path: Path) -> None:
    """It fetches each by itself, also what changed in a second."""
    assert GO is not None
    paths = ("profile?seconds=1", "heap?gc=1", "goroutine?seconds=1", *NAMED)
    for path in paths:
        done = subprocess.run(
            [GO, "tool", "pprof", "-top", program.address + path],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            env=os.environ | {"PPROF_TMPDIR": str(tmp_path)},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "Type: " in done.stdout, path
    for name in NAMED:  # it also reads Go's text forms
        (tmp_path / name).write_bytes(program.get(f"{name}?debug=1"))
        done = subprocess.run(
            [GO, "tool", "pprof", "-top", str(tmp_path / name)],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "Type: " in done.stdout, name
    program.end()


FORK = (
    "there, back = os.pipe()\n"
    "if os.fork() == 0:\n"
    "    os.close(back)\n"
    "    print('child', flush=True)\n"
    "    os.read(there, 1)\n"  # until the test has no use for it any more
    "    os._exit(0)\n"
    "sys.stdin.readline()\n"
    "os.kill(os.getpid(), signal.SIGKILL)\n"
)


@pytest.mark.parametrize("program", [FORK], indirect=True)
def test_a_forked_child_does_not_answer(program: Running) -> None:
    """It may outlive its parent: the endpoints end with the parent all the same."""
    assert program.line() == "child"
    server = program.server()
    assert program.get("cmdline") == b"-c"
    assert program.process.stdin is not None
    program.process.stdin.write("\n")
    program.process.stdin.flush()
    assert program.process.wait(TIMEOUT_S) == -signal.SIGKILL
    until_gone(server)
    with pytest.raises(OSError, match="refused"):
        program.get("cmdline")


@pytest.mark.parametrize("program", [WAIT], indirect=True)
def test_the_end_during_a_profile(program: Running) -> None:
    """Whoever asked sees the connection end; nothing is left."""
    server = program.server()
    found: list[str] = []

    def ask() -> None:
        try:
            while program.ask("/debug/pprof/profile?seconds=300")[0] == 500:
                pass  # the other one was first
        except (OSError, http.client.HTTPException) as error:
            found.append(type(error).__name__)

    thread = threading.Thread(target=ask)
    thread.start()
    # Until the profile has begun: only one is made at a time.
    while program.ask("/debug/pprof/profile?seconds=1")[0] != 500:
        pass
    program.process.kill()
    thread.join(TIMEOUT_S)
    assert len(found) == 1
    until_gone(server)


KILLED = (
    "signal.signal(signal.SIGPIPE, signal.SIG_DFL)\n"
    "sys.stdin.readline()\n"
    "tracer.stop(); tracer.start('y.pftrace'); tracer.stop(); print('fine')\n"
)


@pytest.mark.parametrize("program", [KILLED], indirect=True)
def test_a_killed_server(program: Running) -> None:
    """The program does not notice, even if it dies of broken pipes."""
    server = program.server()
    os.kill(server, signal.SIGKILL)
    until_gone(server)
    assert program.end().splitlines() == ["fine"]


STOPPED = "tracer.stop(); print('stopped', flush=True); sys.stdin.readline()\n"


@pytest.mark.parametrize("program", [STOPPED], indirect=True)
def test_nothing_is_recorded(program: Running) -> None:
    """What happened before is not known any more: an error with a sentence."""
    assert program.line() == "stopped"
    status, body = program.ask("/debug/pprof/heap")
    assert (status, body.split(b",")[0]) == (409, b"Nothing is recorded")
    program.end()


def test_token_stays_secret(folder: Path) -> None:
    """It is in no command line, no environment and no file of the process that answers."""
    code = (
        "import sys, tracer\n"
        "print(tracer.listen('127.0.0.1:0', token='correct-horse-battery'), flush=True)\n"
    )
    running = Running(folder, code + WAIT)
    path = "/debug/pprof/cmdline"
    assert running.ask(path)[0] == 401
    server = running.server()
    for name in ("cmdline", "environ"):
        assert b"correct-horse" not in Path(f"/proc/{server}/{name}").read_bytes()
    answer = running.ask(path, Authorization="Bearer correct-horse-battery")
    assert answer == (200, b"-c")
    running.end()


REFUSED = (
    "import socket, tracer\n"
    "taken = socket.create_server(('127.0.0.1', 0))\n"
    "port = taken.getsockname()[1]\n"
    "def refused(address, token=None):\n"
    "    try:\n        tracer.listen(address, token=token)\n"
    "    except (ValueError, tracer.TracerError) as error:\n"
    "        print(type(error).__name__, str(error).replace(str(port), 'PORT'))\n"
    "refused(f'127.0.0.1:{port}')\n"
    "refused(':6060')\nrefused('example.com:1')\nrefused('x')\nrefused('1', 'short')\n"
    "refused('::1:6060')\n"
    "tracer.listen('127.0.0.1:0'); refused('127.0.0.1:0')\n"
)


def test_refusals(folder: Path) -> None:
    """One sentence each."""
    done = subprocess.run(
        [sys.executable, "-c", REFUSED],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    told = [line.split(":")[0].split(",")[0] for line in done.stdout.splitlines()]
    assert told == [
        "TracerError cannot listen on 127.0.0.1",
        "ValueError 0.0.0.0 can be reached from other machines",
        "ValueError example.com can be reached from other machines",
        "ValueError 'x' is not an address such as 127.0.0.1",
        "ValueError a token must have at least 16 printable characters",
        "ValueError '",
        "TracerError this process already listens",
    ]
    assert done.stderr == ""


def test_a_flight_recording(folder: Path) -> None:
    """Its last seconds are a trace; the recorder's counters are there, too."""
    code = (
        "import sys, tracer\n"
        "tracer.flight('flight', seconds=10, without=('sched',))\n"
        "print(tracer.listen('127.0.0.1:0'), flush=True)\n"
        "sys.stdin.readline()\n"
    )
    running = Running(folder, code)
    trace = folder / "part.pftrace"
    trace.write_bytes(running.get("trace?seconds=1"))
    assert begins_as_trace(trace)
    text = running.get("goroutine?debug=2").decode()
    assert "MainThread" in text
    assert "stack unknown" not in text
    status, metrics = running.ask("/metrics")
    assert status == 200
    assert b"tracer_recording_info{" in metrics
    running.end()


LOGS = (
    "import sys, threading, time, tracer\n"
    "tracer.flight('flight', seconds=100, without=('sched',))\n"
    "tracer.log('before')\n"
    "over = threading.Event()\n"
    "def logs():\n"
    "    while not over.wait(0.01):\n"
    "        tracer.log('meanwhile')\n"
    "threading.Thread(target=logs).start()\n"
    "time.sleep(0.2)\n"  # a segment of the ring is not younger than a tenth of a second
    "print(tracer.listen('127.0.0.1:0'), flush=True)\n"
    "sys.stdin.readline()\n"
    "over.set()\n"
)


def test_a_trace_of_a_flight_recording(folder: Path) -> None:
    """It has the seconds that were asked for, not all that is in the ring's newest file."""
    running = Running(folder, LOGS)
    summary = validate(running.get("trace?seconds=1"))
    assert {said.name for said in summary.user.logs} == {"meanwhile"}
    running.end()
