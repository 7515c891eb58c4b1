"""`tracer dump --retained SITE PID`: who keeps a line's objects in a program that runs."""

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tracer
from tests.support.live import Program
from tests.support.validator.strict import read_strict
from tracer.cli import keepers, main
from tracer.errors import TracerError
from tracer.live import client

pytestmark = pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="it needs a GIL"
)
SOURCE = """
import ctypes, os, sys, threading, time
CACHE = {}
libc = ctypes.PyDLL(None)  # its functions keep the GIL

class Order:
    def __init__(self):
        self.payload = bytes(50_000)

class Node:
    def __init__(self):
        self.itself = self

def handle_order(user):
    CACHE[user] = [Order()]

def fill():
    handle_order("ann")
    CACHE["nodes"] = tuple(Node() for _ in range(3000))
    return "filled"

def fork():
    reads, writes = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(writes)
        handle_order("child")
        print(os.getpid(), flush=True)
        os.read(reads, 1)
        sys.exit()
    os.close(reads)
    sys.stdin.readline()
    os.close(writes)
    return os.waitpid(pid, 0)[1]

def stick():
    libc.system(b"echo stuck; read line")
    return "free"

def threads():
    return len(threading.enumerate())

print("ready", flush=True)
for line in iter(sys.stdin.readline, ""):
    print(globals()[line.strip()](), flush=True)
"""
WAY = "__main__.CACHE['ann'] -> list[0] -> Order.payload -> bytes"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    options = ("--heap", "--heap-rate", "1000", "--no-cpu", "--no-sched")
    directory = tmp_path_factory.mktemp("program")
    with Program(directory, *options, source=SOURCE) as running:
        assert running.line("fill") == "filled"
        yield running
    read_strict(running.trace.read_bytes())


def told(capfd: pytest.CaptureFixture[str], pid: int, site: str, *options: str) -> str:
    code = main(["dump", str(pid), "--retained", site, *options])
    out, err = capfd.readouterr()
    assert (code, err) == (0, "")
    return out


def test_who_keeps_it(program: Program, capfd: pytest.CaptureFixture[str]) -> None:
    head, *ways = told(capfd, program.pid, "Order.__init__").splitlines()
    assert "of 'Order.__init__'" in head
    assert WAY in ways
    ways = told(capfd, program.pid, "fill").splitlines()
    (circle,) = (way for way in ways if way.startswith("__main__.CACHE['nodes'] -> tuple["))
    assert "-> Node (in a circle: Node.itself -> Node), and " in circle
    answer = json.loads(told(capfd, program.pid, "handle_order", "--json"))
    assert answer.pop("ways").count(WAY) == 1
    assert answer == {"schema": 1, "pid": program.pid, "site": "handle_order"}
    assert program.line("threads") == "1"


def test_an_unknown_line(program: Program, capfd: pytest.CaptureFixture[str]) -> None:
    """One line, with the places that are called alike."""
    assert main(["dump", str(program.pid), "--retained", "handel_order"]) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(
        "tracer: no live sampled object was allocated at 'handel_order'. The nearest: live.py:"
    )
    assert line.rpartition(":")[2].partition(",")[0].endswith(" handle_order")


def test_the_gil_is_kept(program: Program) -> None:
    """The request is refused after a while; later ones are answered again."""
    address = client.address_of(str(program.pid))
    assert program.line("stick") == "stuck"
    for _ in range(2):
        with pytest.raises(TracerError, match="the GIL was not free: a call keeps it"):
            keepers.ask(address, "handle_order", patience_s=0.05)
    assert client.ask(address, "recording")["pid"] == program.pid
    assert program.line("") == "free"
    assert WAY in str(keepers.ask(address, "handle_order"))


def test_a_child_answers_for_itself(
    program: Program, capfd: pytest.CaptureFixture[str]
) -> None:
    child = int(program.line("fork"))
    ways = told(capfd, child, "handle_order").splitlines()
    assert WAY.replace("ann", "child") in ways
    assert WAY not in ways  # allocated before the child's recording began
    assert program.line("") == "0"
    assert WAY in told(capfd, program.pid, "handle_order").splitlines()


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        ("retained", "this command is not known"),
        ("retained 1 2", "retained takes how many ms to wait"),
        ("retained x y z", "retained takes how many ms to wait"),
        ("retained 99999 1 main", "retained takes how many ms to wait"),
        ("retained -1 1 main", "retained takes how many ms to wait"),
        ("retained 1 1 main", "allocations are not recorded. Use tracer run --heap"),
    ],
)
def test_what_is_refused(tmp_path: Path, request_: str, reply: str) -> None:
    with tracer.recording(tmp_path / "t.pftrace", without=("sched", "cpu")):
        address = client.address_of(str(os.getpid()))
        with pytest.raises(TracerError, match=re.escape(reply)):
            client.ask(address, request_)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["t.pftrace", "--retained", "main"], "--retained is for a program that runs"),
        (
            ["1", "--retained", "main", "--full"],
            "--retained and --full cannot be used together",
        ),
        (["1", "--retained", "main"], "is not being recorded"),
        ([str(os.getpid()), "--retained", ""], "is not being recorded"),
    ],
)
def test_odd_command_lines(
    capfd: pytest.CaptureFixture[str], words: list[str], problem: str
) -> None:
    assert main(["dump", *words]) != 0
    assert problem in capfd.readouterr().err
