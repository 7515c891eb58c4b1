"""`tracer run --heap`: programs run as before, under every allocator; the reports are true."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.validator.heap import Block
from tests.support.validator.rules import validate
from tracer import schema as s
from tracer.cli import main
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

pytestmark = pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="it needs a GIL"
)
PADDING, SMALL = 32, 512
HEADER = sys.getsizeof(b"")  # of bytes, whose contents follow it
PROGRAM = """\
import sys
KEPT = []

class Node:
    __slots__ = ("a", "b", "c", "d", "e", "f", "g", "h", "i")

def small():
    KEPT.append([Node() for _ in range(1000)])

def large():
    for n in range(100):
        KEPT.append(bytes(50_000))

def used():
    for n in range(100):
        bytes(60_000)

small(); large(); used()
print(len(KEPT), KEPT[0][0].__class__.__name__, sys.getsizeof(Node()))
sys.exit(3)
"""


def run(
    directory: Path, *options: str, python: tuple[str, ...] = (), **environment: str
) -> tuple[list[Block], str]:
    """The blocks that the program's recording knows, and what it printed last."""
    (directory / "prog.py").write_text(PROGRAM)
    words = [sys.executable, *python, "-m", "tracer", "run", *options, "prog.py"]
    done = subprocess.run(
        words,
        cwd=directory,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "tracer: heap" not in done.stderr
    summary = validate((directory / "prog.pftrace").read_bytes())
    (heap,) = summary.heap.values()
    return heap.blocks, done.stdout


def of(blocks: list[Block], function: str, size: int) -> list[Block]:
    """Of that size; Python's debug hooks add a few bytes to what they take from malloc."""
    return [
        block
        for block in blocks
        if block.site.endswith(f" {function}")
        and size <= block.bytes <= size + (PADDING if size > SMALL else 0)
    ]


@pytest.mark.parametrize(
    ("python", "environment"),
    [
        ((), {}),
        ((), {"PYTHONMALLOC": "malloc"}),
        ((), {"PYTHONMALLOC": "debug"}),
        ((), {"PYTHONMALLOC": "malloc_debug"}),
        (("-X", "tracemalloc"), {}),
    ],
    ids=["pymalloc", "malloc", "debug", "malloc debug", "tracemalloc"],
)
def test_every_allocator(
    tmp_path: Path, python: tuple[str, ...], environment: dict[str, str]
) -> None:
    """Every block counts once, with the size that was asked for."""
    blocks, said = run(tmp_path, "--heap", "--heap-rate=1", python=python, **environment)
    assert said.startswith("101 Node ")
    kept = of(blocks, "small", int(said.split()[-1]))
    assert len(kept) == 1000
    large, used = of(blocks, "large", HEADER + 50_000), of(blocks, "used", HEADER + 60_000)
    assert (len(large), len(used)) == (100, 100)
    assert all(block.end_ns is None for block in (*kept, *large))
    assert all(block.end_ns is not None for block in used)


def first_row(top: str) -> str:
    _, rows = top.split("cum   cum%\n")
    return rows.splitlines()[0]


def test_the_reports_say_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, "--heap", "--heap-rate=1")
    trace = str(tmp_path / "prog.pftrace")
    assert main(["report", trace, "--section", "memory", "--json"]) == 0
    memory = json.loads(capsys.readouterr().out)["memory"]
    (large,) = (row for row in memory["sites"] if row["site"].endswith(":12 large"))
    (used,) = (row for row in memory["sites"] if row["site"].endswith(":16 used"))
    assert large["live_blocks"] >= 100
    assert large["live_error_bytes"] == 0
    assert used["allocated_bytes"] >= 100 * 60_000
    assert used["live_bytes"] < 60_000
    assert main(["pprof", trace, "--type", "heap", "--top"]) == 0
    assert "prog.large" in first_row(capsys.readouterr().out)
    assert main(["pprof", trace, "--type", "allocs", "--top"]) == 0
    assert "prog.used" in first_row(capsys.readouterr().out)


def test_without_heap_there_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "prog.py").write_text("pass")
    words = [sys.executable, "-m", "tracer", "run", "prog.py"]
    subprocess.run(words, cwd=tmp_path, capture_output=True, timeout=60, check=True)
    data = (tmp_path / "prog.pftrace").read_bytes()
    assert not validate(data).heap
    assert main(["report", str(tmp_path / "prog.pftrace"), "--section", "memory"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "recorded on request: tracer run --heap" in said


@pytest.mark.parametrize("rate", ["0", "2G", "much"])
def test_a_bad_rate(capsys: pytest.CaptureFixture[str], rate: str) -> None:
    assert main(["run", "--heap", f"--heap-rate={rate}", "prog.py"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert rate in line


def test_another_tool_takes_the_wrappers_away(tmp_path: Path) -> None:
    """tracemalloc was there first: when it stops, it restores what it had found."""
    (tmp_path / "prog.py").write_text(
        "import tracemalloc\nkept = bytes(50_000)\ntracemalloc.stop()\n"
        "del kept\nlater = [bytes(60_000) for _ in range(100)]\nprint(len(later))\n"
    )
    words = [sys.executable, "-X", "tracemalloc", "-m", "tracer", "run", "--heap"]
    done = subprocess.run(
        [*words, "--heap-rate=1", "prog.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "100\n"
    trace = tmp_path / "prog.pftrace"
    (heap,) = validate(trace.read_bytes()).heap.values()
    sizes = [block.bytes for block in heap.blocks]
    assert (sizes.count(HEADER + 50_000), sizes.count(HEADER + 60_000)) == (1, 0)
    remarks = build_model(read_trace(trace)).remarks
    disabled = (remark.args for remark in remarks if remark.name == s.HOOK_DISABLED)
    (said,) = (args for args in disabled if args[s.ARG_HOOK] == "heap")
    assert "another tool replaced the allocators" in str(said["reason"])
