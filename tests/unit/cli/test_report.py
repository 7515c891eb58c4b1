"""`tracer report`: what it asks of the viewer, and how the viewer's refusals are shown."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.commands import refused
from tracer import cli
from tracer.errors import TraceFileError

MANY_LINES = """\
import sys, types
viewer = types.ModuleType("viewer.commands.report")
def report(trace, *, out, **rest):
    while True:
        out.write("row\\n" * 1000)
viewer.report = report
sys.modules["viewer.commands.report"] = viewer
from tracer.cli import main
sys.exit(main(["report", "a.pftrace"]))
"""


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., None]], None]:
    """Puts a function in the place of viewer.commands.report.report."""

    def install(report: Callable[..., None]) -> None:
        commands = ModuleType("viewer.commands.report")
        commands.report = report  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "viewer.commands.report", commands)

    return install


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            (),
            {
                "as_json": False,
                "section": None,
                "top": 10,
                "by": "coro",
                "names": "user",
                "fail_on": "",
            },
        ),
        (
            ("--section", "gc", "--top", "3", "--by", "task", "--library-names"),
            {
                "as_json": False,
                "section": "gc",
                "top": 3,
                "by": "task",
                "names": "library",
                "fail_on": "",
            },
        ),
    ],
)
def test_arguments(use: Any, words: tuple[str, ...], expected: dict[str, object]) -> None:
    """Every option by name, the trace as a path."""
    seen: list[object] = []
    use(lambda trace, *, out, **rest: seen.extend([trace, rest]))
    assert cli.main(["report", "a.pftrace", *words]) == 0
    assert seen == [Path("a.pftrace"), expected]


def test_several(use: Any) -> None:
    """Several files are read as one trace."""
    seen: list[object] = []
    use(lambda trace, **_rest: seen.append(trace))
    assert cli.main(["report", "a.pftrace", "--json", "folder", "b.pftrace"]) == 0
    assert seen == [(Path("a.pftrace"), Path("folder"), Path("b.pftrace"))]


def test_refusal(use: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The viewer's own sentence, exit code 1."""

    def report(*_args: object, **_rest: object) -> None:
        raise TraceFileError("cannot read 'a': not a trace.")

    use(report)
    assert refused(capsys, "report", "a") == (1, "cannot read 'a': not a trace.")


def test_interrupted(use: Any) -> None:
    """Ctrl-C is no traceback."""

    def report(*_args: object, **_rest: object) -> None:
        raise KeyboardInterrupt

    use(report)
    assert cli.main(["report", "a"]) == 130


@pytest.mark.parametrize("words", [("--top", "0"), ("--section", "x"), ("--by", "x")])
def test_usage(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    """Values that are not in the lists."""
    code, line = refused(capsys, "report", "a", *words)
    assert code == 2
    assert line.endswith("See 'tracer report --help'.")


def test_closed_pipe() -> None:
    """`tracer report | head` ends without a word."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-c", MANY_LINES]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")
