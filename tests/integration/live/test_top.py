"""`tracer top` with a real program: once, in a pipe, and on a terminal."""

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.listening import Running
from tests.support.live import Program

TIMEOUT_S = 120
ROWS, COLUMNS = 24, 80


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    with Program(tmp_path) as running:
        yield running


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "tracer", "top", *words]


def test_once(program: Program) -> None:
    words = command("--once", "--json", "--interval", "0.1", str(program.pid))
    done = subprocess.run(words, capture_output=True, timeout=TIMEOUT_S, check=True)
    seen = json.loads(done.stdout)
    assert (seen["schema"], seen["pid"]) == (1, program.pid)
    assert seen["interval_ns"] > 0
    assert sum(seen["threads_now"].values()) == 1


LISTENS = """
import sys, tracer
tracer.start("x.pftrace")
print(tracer.listen("127.0.0.1:0", token="correct-horse-battery"), flush=True)
sys.stdin.readline()
"""


def test_over_http(tmp_path: Path) -> None:
    """An address with its token is asked as a process is."""
    running = Running(tmp_path, LISTENS)
    environment = {name: value for name, value in os.environ.items() if name != "TRACER_TOKEN"}
    words = command("--once", "--json", "--interval", "0.1")

    def top(address: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*words, address],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
            env=environment | more,
        )

    told = running.address.replace("//", "//any:correct-horse-battery@")
    for done in (top(told), top(running.host, TRACER_TOKEN="correct-horse-battery")):
        assert json.loads(done.stdout)["pid"] == running.process.pid, done.stderr
    refused = top(running.host)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert (
        refused.stderr == f"tracer: http://{running.host} needs its token: set TRACER_TOKEN.\n"
    )
    running.end()


def test_a_pipe_gets_whole_views_until_the_recording_ends(program: Program) -> None:
    words = command("--interval", "0.1", str(program.pid))
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as top:
        assert top.stdout is not None
        assert top.stdout.readline().startswith(f"{program.pid}  ")
        program.end()
        out, err = top.communicate(timeout=TIMEOUT_S)
    assert top.returncode == 0
    assert "\x1b" not in out
    assert err == "tracer: the recording has ended.\n"


def test_screen_on_a_terminal(program: Program) -> None:
    """It draws, obeys a key, leaves the terminal as it was, and fits."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", ROWS, COLUMNS, 0, 0))
    before = termios.tcgetattr(theirs)
    with subprocess.Popen(
        command("--interval", "0.1", str(program.pid)),
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env=os.environ | {"TERM": "xterm"},
    ) as top:
        read_until(ours, "[r running]")
        os.write(ours, b"w")
        screen = read_until(ours, "[w ready]")
        os.write(ours, b"q")
        rest = read_until(ours, "\x1b[?1049l")
        assert top.wait(TIMEOUT_S) == 0
    assert termios.tcgetattr(theirs) == before
    os.close(theirs)
    os.close(ours)
    assert "\x1b[?25h" in rest
    lines = screen.split("\x1b[H")[-1].replace("\x1b[K", "").replace("\x1b[J", "").splitlines()
    assert len(lines) <= ROWS
    assert max(map(len, lines)) <= COLUMNS


def read_until(terminal: int, text: str) -> str:
    """What the terminal gets up to the end of the text."""
    seen = ""
    while text not in seen:
        seen += os.read(terminal, 1 << 16).decode(errors="replace")
    return seen[: seen.index(text) + len(text)]
