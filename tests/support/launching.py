"""Runs one program twice, with plain python and under `tracer run`, for comparison."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TIMEOUT_S = 120  # a hang fails the test; nothing waits this long otherwise
ADDRESS = re.compile(r"\b0x[0-9a-f]{8,}")
SUMMARY = re.compile(r"tracer: (?:.* Next: tracer report|the program did not start).*\n")
# Python 3.14 and later may say what is on the C stack: when traced, functions of ours too.
C_STACK = re.compile(r"Current thread's C stack trace .*\n(?:  .*\n)+|\(used \d+ kB\)")


@dataclass(frozen=True)
class Case:
    """A program: its files by name, the words after `python`, and what is around it."""

    name: str
    program: tuple[str, ...]
    files: dict[str, str | bytes] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    stdin: str = ""


def script(name: str, source: str | bytes, *arguments: str, **rest: Any) -> Case:
    """The commonest case: one file, run by its name."""
    return Case(name, ("prog.py", *arguments), {"prog.py": source}, **rest)


@dataclass(frozen=True)
class Outcome:
    """What a caller sees of a process that has ended."""

    status: int  # negative: killed by that signal
    stdout: str
    stderr: str


def compare(case: Case, tmp_path: Path, *options: str) -> tuple[Outcome, Outcome]:
    """(plain, traced). Both run in the same, freshly made directory, so that paths agree.

    `options` are more of `tracer run`'s.
    """
    trace = str(tmp_path / "out.pftrace")
    # `python -m tracer` takes python's flags, but also a tracer.py of the working directory.
    tracer = (
        ["-m", "tracer"] if case.flags else [str(Path(sys.executable).with_name("tracer"))]
    )
    plain = _outcome(case, tmp_path, [])
    return plain, _outcome(
        case, tmp_path, [*tracer, "run", "--no-profile", "-o", trace, *options]
    )


def _outcome(case: Case, tmp_path: Path, front: list[str]) -> Outcome:
    directory = tmp_path / "work"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    for name, content in case.files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("@"):
            path.with_name(path.name[:-1]).symlink_to(os.fsdecode(content))
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
    return run([sys.executable, *case.flags, *front, *case.program], directory, case)


def run(command: list[str], directory: Path, case: Case | None = None) -> Outcome:
    """One process to its end; the recorder's last line is taken out of stderr."""
    done = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, "PWD": str(directory), **(case.environment if case else {})},
        input=(case.stdin if case else "").encode(),
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    stdout, stderr = (
        ADDRESS.sub("0x…", C_STACK.sub("", os.fsdecode(stream)))
        for stream in (done.stdout, done.stderr)
    )
    return Outcome(done.returncode, stdout, SUMMARY.sub("", stderr))


def wait_until(condition: Callable[[], object]) -> None:
    """Looks again and again until it holds; for what another process does in its own time."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)
