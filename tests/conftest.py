"""What every test gets: recordings of small programs, a check that nothing is left behind."""

from __future__ import annotations

import atexit
import dataclasses
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
os.environ["TZ"] = "UTC"  # reports show times of day in the reader's zone
time.tzset()
# Where compiled modules are not kept, a thousand children would each compile theirs again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Control sockets of the tests' programs, apart from those of the user.
os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="tracer-tests-")
atexit.register(shutil.rmtree, os.environ["XDG_RUNTIME_DIR"], ignore_errors=True)
SAMPLES = PROJECT / "samples"
PROGRAM_TIMEOUT_S = (
    120  # a program that hangs fails its test; nothing waits this long otherwise
)
THREAD_EXIT_S = 60  # until 3.12, join() returns before the kernel has seen the thread off
TRACE_GLOB = "*.pftrace"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says why tests were skipped, each reason once; a reason says how to run them."""
    reasons = Counter(
        str(report.longrepr[2]).removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", ())
        if isinstance(report.longrepr, tuple)
    )
    if reasons:
        terminalreporter.section("skipped tests: why, and how to run them")
    for reason, count in sorted(reasons.items(), key=lambda item: (-item[1], item[0])):
        terminalreporter.line(f"{count:>4}  {reason}")


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where the marker `default` names some of a test's parameters, the others are broad."""
    for item in items:
        named = item.get_closest_marker("default")
        if named and isinstance(item, pytest.Function) and item.callspec.id not in named.args:
            item.add_marker(pytest.mark.broad)


@dataclass
class Recorder:
    """Runs programs under `tracer run`, each in a child of the current interpreter."""

    directory: Path
    processes: list[subprocess.CompletedProcess[str]] = field(default_factory=list)

    def __call__(
        self,
        program: Path | str,
        *args: str,
        options: tuple[str, ...] = (),
        expect: int = 0,
    ) -> Path:
        """The trace of a script (a path) or of source text; checks the exit code.

        `options` go to `tracer run`, `args` to the program. Output is in `stdout` afterwards.
        """
        number = len(self.processes)
        if isinstance(program, str):
            source = program
            program = self.directory / f"program{number}.py"
            program.write_text(source)
        trace = self.directory / f"recorded{number}.pftrace"
        run = ["run", "--no-profile", "-o", str(trace), *options, str(program), *args]
        process = self.tracer(*run)
        self.processes.append(process)
        assert process.returncode == expect, (
            f"{run} exited {process.returncode}:\n{self.stderr}"
        )
        return trace

    def tracer(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Runs the command line `python -m tracer …`, whatever it exits with."""
        return subprocess.run(
            [sys.executable, "-m", "tracer", *args],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PROGRAM_TIMEOUT_S,
            check=False,
        )

    @property
    def stdout(self) -> str:
        """What the last recorded program printed."""
        return self.processes[-1].stdout

    @property
    def stderr(self) -> str:
        """What the last recorded program, and the recorder, said on stderr."""
        return self.processes[-1].stderr


@pytest.fixture
def record(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path)


@pytest.fixture(autouse=True)
def every_trace_is_valid(request: pytest.FixtureRequest) -> Iterator[None]:
    """Runs the validator over every trace the test left in its directory, and checks that
    the ledger of lost time adds up. FILE and what is in FILE.d are one trace.

    A test that makes damaged traces on purpose says so with the marker `invalid_traces`.
    """
    wanted = "tmp_path" in request.fixturenames
    directory = request.getfixturevalue("tmp_path") if wanted else None
    yield
    if directory is not None and not request.node.get_closest_marker("invalid_traces"):
        check_traces(directory)


def check_traces(directory: Path) -> None:
    for trace in sorted(directory.rglob(TRACE_GLOB)):
        if trace.parent.with_suffix("").is_file():  # a child's, which is read with FILE
            continue
        children = sorted(trace.with_name(f"{trace.name}.d").glob(TRACE_GLOB))
        importlib.import_module("tests.support.validator.rules").validate_once(
            b"".join(path.read_bytes() for path in (trace, *children))
        )
        importlib.import_module("tests.support.conservation").check_conserved(trace)
    for ring in sorted(directory.rglob("*.ring")):
        data, _ = importlib.import_module("viewer.trace.rings").read_ring(ring)
        importlib.import_module("tests.support.validator.rules").validate_once(data)


@dataclass(frozen=True)
class Footprint:
    """What a recording could leave behind in the process that made it."""

    monitoring_tools: tuple[str | None, ...]
    trace_functions: tuple[object, object, object]
    python_threads: frozenset[str]
    native_threads: int  # may fall on its own: pytest's watchdog ends with a failing test

    def exceeds(self, earlier: Footprint) -> bool:
        return self.native_threads > earlier.native_threads or earlier != dataclasses.replace(
            self, native_threads=earlier.native_threads
        )


def footprint() -> Footprint:
    tasks = Path("/proc/self/task")
    return Footprint(
        tuple(sys.monitoring.get_tool(tool) for tool in range(6)),
        (sys.gettrace(), sys.getprofile(), threading.gettrace()),
        frozenset(thread.name for thread in threading.enumerate()),
        len(list(tasks.iterdir())) if tasks.is_dir() else 0,
    )


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """No monitoring tool and no thread outlives the test that brought it in."""
    before = footprint()
    yield
    deadline = time.monotonic() + THREAD_EXIT_S
    while footprint().exceeds(before) and time.monotonic() < deadline:
        os.sched_yield()
    after = footprint()
    assert not after.exceeds(before), f"before: {before}, after: {after}"
