"""A program that listens and records nothing: what is asked for is recorded meanwhile."""

import os
import signal
import threading
from pathlib import Path

import pytest

from tests.support.launching import wait_until
from tests.support.listening import TIMEOUT_S, Running, until_gone
from tests.support.validator.strict import read_strict
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

pytestmark = pytest.mark.broad

BEGIN = (
    "import asyncio, gc, os, signal, sys, tempfile, threading, time, tracer\n"
    "from tracer import _core\n"
    "tempfile.tempdir = os.environ['TMPDIR'] = os.getcwd()\n"
    "print(tracer.listen('127.0.0.1:0'), flush=True)\n"
    "def until(is_recorded):\n"
    "    while _core.is_recording() != is_recorded: time.sleep(0.01)\n"
)
WAIT = "sys.stdin.readline()\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


class Asker(threading.Thread):
    """Asks for a profile of so many seconds meanwhile."""

    def __init__(self, running: Running, seconds: int) -> None:
        super().__init__(daemon=True)
        self._running, self._path = running, f"/debug/pprof/profile?seconds={seconds}"
        self.status, self.body = 0, b""
        self.start()

    def run(self) -> None:
        try:
            self.status, self.body = self._running.ask(self._path)
        except OSError as error:
            self.body = type(error).__name__.encode()

    def told(self) -> tuple[int, bytes]:
        self.join(TIMEOUT_S)
        assert not self.is_alive()
        return self.status, self.body


TASKS = (
    "async def waits(event):\n    await event.wait()\n"
    "async def main():\n"
    "    event = asyncio.Event()\n"
    "    tasks = [asyncio.create_task(waits(event)) for _ in range(3)]\n"
    "    await asyncio.sleep(0)\n"
    "    print('there', flush=True)\n"
    "    await asyncio.to_thread(sys.stdin.readline)\n"
    "    event.set()\n"
    "    await asyncio.gather(*tasks)\n"
    "    print(threading.active_count(), _core.is_recording(), tracer.stop())\n"
    "asyncio.run(main())\n"
)


def test_answers(folder: Path) -> None:
    """Tasks that were there before are in it; nothing is left behind."""
    running = Running(folder, BEGIN + TASKS)
    assert running.line() == "there"
    text = running.get("goroutine?debug=1").decode()
    assert text.startswith("goroutine profile: total ")
    assert any(line.startswith("3 @ ") for line in text.splitlines()), text
    assert "waits+0x0" in text
    for path in ("profile", "heap", "allocs", "block", "mutex", "threadcreate", "goroutine"):
        assert running.get(f"{path}?seconds=1")[:2] == b"\x1f\x8b", path
    assert running.get("trace?seconds=0.1")
    assert running.ask("/debug/tracer/")[1].lower().startswith(b"<!doctype html>")
    assert running.ask("/debug/pprof/heap")[0] == 409
    server = running.server()
    assert running.end().split()[1:] == ["False", "None"]
    until_gone(server)
    assert list(folder.iterdir()) == []


TICKS = (
    "async def main():\n"
    "    done = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))\n"
    "    while not done.done(): await asyncio.sleep(0.001)\n"
    "asyncio.run(main())\n"
)


def test_a_trace(folder: Path) -> None:
    """It keeps the contract, as every trace; the loop is the main thread's, although another
    thread began the recording."""
    running = Running(folder, BEGIN + TICKS)
    trace = folder / "part.pftrace"
    trace.write_bytes(running.get("trace?seconds=2"))
    assert read_strict(trace.read_bytes()).events
    assert [loop.thread_name for loop in build_model(read_trace(trace)).loops] == [
        "MainThread"
    ]
    running.end()


def warned(forks: str, most: int) -> str:
    """The code, which then prints whether CPython warned of threads so often at most. The
    kernel may still count one that was joined just now, but not at every fork."""
    within = "".join(f"    {line}\n" for line in forks.splitlines())
    return (
        "import warnings\n"
        "with warnings.catch_warnings(record=True) as warned:\n"
        f"    warnings.simplefilter('always')\n{within}"
        f"print(len(warned) <= {most}, flush=True)\n"
    )


FORKS = "until(True)\n" + warned(
    "for first in (True, False, False):\n"
    "    pid = os.fork()\n"
    "    if not pid:\n"
    "        if first:\n"
    "            answers = _core.is_recording(), 'on demand' in _core.kept\n"
    "            print('child', *answers, flush=True)\n"
    "        os._exit(0)\n"
    "    ended = os.waitpid(pid, 0)[1]\n"
    "    if first: print(ended, flush=True)\n",
    most=2,
)


def test_a_fork_in_the_middle(folder: Path) -> None:
    """No warning of threads; the child has no part in it; later requests are answered, too."""
    running = Running(folder, BEGIN + FORKS + WAIT)
    asker = Asker(running, 2)
    assert running.line() == "child False False"
    assert running.line() == "0"
    assert running.line() == "True"
    assert asker.told()[0] == 200
    assert running.get("goroutine?debug=1").startswith(b"goroutine profile: ")
    running.end()


def test_many_forks(folder: Path) -> None:
    """While nobody asks, there is no thread either when the process forks."""
    forks = warned(
        "for _ in range(20):\n"
        "    pid = os.fork()\n"
        "    if not pid: os._exit(0)\n"
        "    os.waitpid(pid, 0)\n",
        most=4,
    )
    running = Running(folder, BEGIN + forks + WAIT)
    assert running.line() == "True"
    assert running.get("goroutine?debug=1").startswith(b"goroutine profile: ")
    running.end()


THREAD_FORKS = (
    "def forks():\n"
    "    pid = os.fork()\n"
    "    if not pid: os._exit(0)\n"
    "    os.waitpid(pid, 0)\n"
    "    print('forked', flush=True)\n"
    "threading.Thread(target=forks).start()\n"
)


def test_a_thread_forks(folder: Path) -> None:
    """Requests are answered although the main thread does not come back from C."""
    running = Running(folder, BEGIN + THREAD_FORKS + WAIT)
    assert running.line() == "forked"
    assert running.get("goroutine?debug=1").startswith(b"goroutine profile: ")
    running.end()


OWN = (
    "until(True)\n"
    "tracer.start('own.pftrace', without=('sched',))\n"
    "print('own', tracer.snapshot() is not None, flush=True)\n" + WAIT + "tracer.stop()\n"
)


def test_the_program_begins_its_own(folder: Path) -> None:
    """It comes first: whoever asked is told, and the next answer is made from it."""
    running = Running(folder, BEGIN + OWN)
    asker = Asker(running, 5)
    assert running.line() == "own True"
    status, body = asker.told()
    assert (status, body.split(b".")[0]) == (
        500,
        b"The program has begun a recording of its own",
    )
    assert running.get("block")[:2] == b"\x1f\x8b"
    running.end()
    assert read_strict((folder / "own.pftrace").read_bytes()).events


def test_a_snapshot_is_not_taken_of_it(folder: Path) -> None:
    taken = "until(True)\nprint(tracer.snapshot(), flush=True)\n"
    running = Running(folder, BEGIN + taken + WAIT)
    asker = Asker(running, 2)
    assert running.line() == "None"
    assert asker.told()[0] == 200
    running.end()


def test_two_at_once(folder: Path) -> None:
    """One recording at a time: a sentence."""
    running = Running(folder, BEGIN + "until(True)\nprint('on', flush=True)\n" + WAIT)
    asker = Asker(running, 300)
    assert running.line() == "on"
    for path, is_answered, words in (
        (
            "profile?seconds=1",
            500,
            b"Could not enable CPU profiling: cpu profiling already in use\n",
        ),
        (
            "trace?seconds=1",
            500,
            b"Could not enable tracing: The program is being recorded for another request.",
        ),
        ("heap?seconds=1", 503, b"The program is being recorded for another request."),
    ):
        status, body = running.ask(f"/debug/pprof/{path}")
        assert status == is_answered
        assert body.startswith(words)
    running.process.kill()
    asker.told()
    running.process.communicate(timeout=TIMEOUT_S)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_end_in_the_middle(folder: Path, number: int) -> None:
    """The process that answers takes the recording away."""
    running = Running(folder, BEGIN + "until(True)\nprint('on', flush=True)\n" + WAIT)
    asker = Asker(running, 300)
    assert running.line() == "on"
    server = running.server()
    running.process.send_signal(number)
    running.process.communicate(timeout=TIMEOUT_S)
    assert asker.told()[0] == 0
    until_gone(server)
    assert list(folder.iterdir()) == []


def test_the_server_dies_in_the_middle(folder: Path) -> None:
    """The program stops recording by itself, and removes what is left."""
    code = "until(True)\nprint('on', flush=True)\nuntil(False)\n"
    gone = "while os.listdir(): time.sleep(0.01)\n"
    running = Running(folder, BEGIN + code + gone + WAIT)
    asker = Asker(running, 300)
    assert running.line() == "on"
    os.kill(running.server(), signal.SIGKILL)
    asker.told()
    running.end()


def test_whoever_asks_goes_away(folder: Path) -> None:
    """As with Go, the profile ends at once, and the next one can begin."""
    code = "until(True)\nprint('on', flush=True)\nuntil(False)\nprint('off', flush=True)\n"
    running = Running(folder, BEGIN + code + WAIT)
    import socket

    host, port = running.host.split(":")
    with socket.create_connection((host, int(port)), TIMEOUT_S) as asks:
        line = f"GET /debug/pprof/profile?seconds=300 HTTP/1.1\r\nHost: {running.host}\r\n\r\n"
        asks.sendall(line.encode())
        assert running.line() == "on"
    assert running.line() == "off"
    # The process that answers may still be cleaning up.
    wait_until(lambda: running.ask("/debug/pprof/profile?seconds=1")[0] != 500)
    running.end()


GARBAGE = (
    "gc.disable()\n"
    "tracer.start('x.pftrace', signals=('heap', 'gc'), heap_rate=1)\n"
    "class Node:\n    pass\n"
    "def leaks():\n"
    "    node = Node(); node.self, node.data = node, bytearray(1_000_000)\n"
    "for _ in range(20): leaks()\n"
    "print('made', flush=True)\n" + WAIT + "tracer.stop()\n"
)


def inuse_of(text: str, function: str) -> int:
    """Bytes that a function's stacks keep, in Go's text form."""
    found = 0
    for block in text.partition("\n")[2].split("\n\n"):
        first, _, rest = block.partition("\n")
        if f"\t{function}+0x0" in rest:
            found += int(first.split(":")[1].split("[")[0])
    return found


def test_gc_frees_what_is_garbage(folder: Path) -> None:
    """By exact numbers: each allocation is recorded, and Python collects nothing by itself."""
    running = Running(folder, BEGIN + GARBAGE)
    assert running.line() == "made"
    assert inuse_of(running.get("heap?debug=1").decode(), "leaks") > 20_000_000
    assert inuse_of(running.get("heap?debug=1&gc=1").decode(), "leaks") < 1_000
    running.end()
    assert read_strict((folder / "x.pftrace").read_bytes()).events
