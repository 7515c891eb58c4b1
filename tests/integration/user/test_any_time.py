"""The API works at any moment: it raises nothing into the program and loses nothing."""

import asyncio
import contextvars
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import tracer
from tests.conftest import PROGRAM_TIMEOUT_S, Recorder
from tests.support.recordings import names
from tests.support.validator.rules import validate

# Calls everything once, and prints what was raised.
USE_ALL = """\
raised = []

def use_all(where, tracer=None, raised=raised):
    def call():
        pass

    async def call_async():
        pass

    tracer = tracer or __import__("tracer")
    for step in (
        lambda: tracer.log("log " + where, n=1),
        lambda: tracer.counter("counter", 1),
        lambda: tracer.region("region")(call)(),
        lambda: tracer.task("task", n=1)(call)(),
        lambda: tracer.region("region")(call_async),
        lambda: tracer.region("region").__enter__(),
        lambda: tracer.stop(),
    ):
        try:
            step()
        except Exception as error:
            raised.append((where, repr(error)))
"""

# A finder of modules is called in the middle of an import, as a signal handler may be.
IN_IMPORTS = (
    USE_ALL
    + """
import sys

class Finder:
    seen = []

    def find_spec(self, name, path=None, target=None):
        if name.startswith("tracer.") and name not in self.seen:
            self.seen.append(name)
            use_all(name)

sys.meta_path.insert(0, Finder())
"""
)


def run(source: str, directory: Path) -> list[str]:
    """The lines that a separate program prints; it must exit with 0 and no other output."""
    done = subprocess.run(
        [sys.executable, "-c", source],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=PROGRAM_TIMEOUT_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_while_it_is_imported(tmp_path: Path) -> None:
    """If the same thread uses it, whatever the import has not reached does nothing."""
    source = IN_IMPORTS + "import tracer; use_all('after'); print(Finder.seen, raised)"
    seen, raised = run(source, tmp_path)[0].split("] [")
    assert "tracer._core" in seen
    assert raised == "]"


def test_during_the_first_start(tmp_path: Path) -> None:
    """A signal handler interrupts the import of the recorder or the arming of its hooks."""
    source = """
import tracer
Finder.seen.clear()

class Path(str):
    def __fspath__(self):
        use_all("path")
        return str(self)

class Refused(Finder):
    def find_spec(self, name, path=None, target=None):
        if name == "tracer.recorder":
            try:
                tracer.start("inner.pftrace")
            except tracer.TracerError as error:
                print(error)

sys.meta_path.insert(0, Refused())
for module in [name for name in sys.modules if name.startswith("tracer.recorder")]:
    del sys.modules[module]
tracer.start("outer.pftrace", signals=["threads"])
print(tracer.stop() is not None, "tracer.recorder" in Finder.seen, raised)
"""
    refused, rest = run(IN_IMPORTS + source, tmp_path)
    assert refused == "cannot start a recording: this thread is starting one."
    assert rest == "True True []"
    assert not (tmp_path / "inner.pftrace").exists()


def test_a_handler_that_starts_in_the_middle_of_a_start(tmp_path: Path) -> None:
    """One of the two records and the other is refused, in either order."""
    source = """
import tracer
from tracer import output, recorder

def open_trace(*args, **rest):
    recorder.open_trace = original
    try:
        tracer.start("inner.pftrace")
    except tracer.TracerError as error:
        print(error)
    return original(*args, **rest)

original, recorder.open_trace = recorder.open_trace, open_trace
tracer.start("outer.pftrace", signals=["threads"])
print(tracer.stop() is not None, tracer.stop())
"""
    assert run(source, tmp_path) == [
        "cannot start a recording: this thread is starting one.",
        "True None",
    ]


SHUTDOWN = """
import atexit, sys, tracer

class Last:
    def __del__(self, tracer=tracer, use_all=use_all, raised=raised):
        use_all("finalizer", tracer)
        try:
            tracer.start("late.pftrace")
        except tracer.TracerError as error:
            print(error)
        print(raised)

atexit.register(use_all, "atexit")
last = Last()
"""


@pytest.mark.parametrize("traced", [False, True])
def test_at_shutdown(record: Recorder, tmp_path: Path, traced: bool) -> None:
    """Finalizers run when modules are gone, atexit functions before."""
    source = USE_ALL + SHUTDOWN
    if traced:
        trace = record(source)
        assert validate(trace.read_bytes()).names["log atexit"] == 1
        lines = record.stdout.splitlines()
    else:
        lines = run(source, tmp_path)
    assert lines == [
        "cannot start a recording: the interpreter is shutting down.",
        "[]",
    ]
    assert not (tmp_path / "late.pftrace").exists()


def test_in_a_child_forked_while_a_thread_is_in_it(tmp_path: Path) -> None:
    """The child does not have that thread, and must not wait for it."""
    source = """
import os, threading, tracer
from tracer import api

inside, over = threading.Event(), threading.Event()

def hold():
    with api._session.guard:
        inside.set()
        over.wait()

thread = threading.Thread(target=hold)
thread.start()
inside.wait()
pid = os.fork()
if pid == 0:
    use_all("child")
    print(raised, flush=True)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
over.set()
thread.join()
"""
    ignore = "import warnings; warnings.simplefilter('ignore')\n"  # a fork with threads
    assert run(ignore + USE_ALL + source, tmp_path) == ["[]", "0"]


def test_imported_a_second_time(tmp_path: Path) -> None:
    """Modules that are loaded anew find the recording again, and can end it."""
    source = """
import importlib, os, sys, tracer

@tracer.region("early")
def early(): pass

tracer.start("again.pftrace", signals=["threads"])
importlib.reload(tracer.api)
for name in [name for name in sys.modules if name.startswith("tracer")]:
    del sys.modules[name]
import tracer

@tracer.region("late")
def late(): pass

early(); late()
try:
    tracer.start("other.pftrace")
except tracer.TracerError as error:
    print(error)
if os.fork() == 0:
    os._exit(0)
os.wait()
totals = tracer.stop()
print(totals.forks, tracer.stop())
tracer.start("next.pftrace", signals=["threads"])
if os.fork() == 0:
    os._exit(0)
os.wait()
print(tracer.stop().forks)
"""
    assert run(source, tmp_path) == [
        "cannot start a recording: one is already running. Stop it first.",
        "1 None",
        "1",
    ]
    found = validate((tmp_path / "again.pftrace").read_bytes())
    assert names(found.user.regions) == ["early", "late"]


def test_decorated_under_tracer_run(record: Recorder) -> None:
    """They are plain functions, even if recording began before the program imports tracer."""
    trace = record(
        textwrap.dedent("""
            import tracer

            @tracer.region("region")
            def outer(n):
                return outer(n - 1) if n else inner()

            @tracer.task("task")
            def inner():
                return 3

            print(outer(4))
        """)
    )
    assert record.stdout == "3\n"
    found = validate(trace.read_bytes())
    assert (found.names["region"], found.names["task"]) == (5, 1)


class Interrupts:
    """An argument whose str() fails, or is interrupted as if by Ctrl-C."""

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def __str__(self) -> str:
        raise self.error

    __float__ = __str__


CALLS = {
    "log": lambda value: tracer.log("log", value=value),
    "region": lambda value: tracer.region("region", value=value).__enter__(),
    "task": lambda value: tracer.task("task", value=value).__enter__(),
    "counter": lambda value: tracer.counter("counter", value),
}


@pytest.mark.parametrize("call", CALLS)
def test_what_stops_the_programs_own_code_reaches_it(recorded, call: str) -> None:
    """We catch an error in an argument's str(), but let a Ctrl-C meanwhile through."""

    def work() -> None:
        CALLS[call](Interrupts(ZeroDivisionError))
        with pytest.raises(KeyboardInterrupt):
            CALLS[call](Interrupts(KeyboardInterrupt))

    user = recorded(lambda: contextvars.copy_context().run(work)).user
    told = [said.args for said in (*user.regions, *user.logs)]
    told += [each.begin.args for each in user.operations.values()]
    expected = [] if call == "counter" else ["<Interrupts>"]
    assert [args["value"] for args in told] == expected


def test_a_callable_object_with_odd_attributes() -> None:
    """Attributes that cannot be copied to the wrapper are left out."""

    class Odd:
        __name__ = 5
        __annotations__ = None  # type: ignore[assignment]
        __type_params__ = "T"

        def __call__(self) -> str:
            return "called"

    assert tracer.region("odd")(Odd())() == "called"


def test_code_that_runs_as_a_step_ends(recorded) -> None:
    """The recorder looks at what a task awaits: what a property or handler says then is said
    while the task still runs."""

    class Future(asyncio.Future[None]):
        @property
        def _callbacks(self) -> list[object]:  # type: ignore[override]
            with tracer.region("looked at"):
                tracer.log("seen")
            return []

    async def waits(future: Future) -> None:
        await future

    async def main() -> None:
        future = Future()
        task = asyncio.create_task(waits(future))
        asyncio.get_running_loop().call_soon(future.set_result, None)
        await task

    said = recorded(lambda: asyncio.run(main())).user
    assert [each.name for each in said.logs] == ["seen"]
    assert [each.name for each in said.regions] == ["looked at"]
    assert said.logs[0].task == said.regions[0].task != 0
