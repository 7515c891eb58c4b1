"""Exceptions that reach the program's code are recorded, and nothing else changes for it."""

import asyncio
import contextlib
import ctypes
import os
import queue
import shelve
import socket
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import pytest

from tests.support.compiled import compiled
from tests.support.recordings import record_here
from tests.support.validator.strict import read_strict
from tracer import schema as s

pytestmark = pytest.mark.skipif(
    hasattr(sys, "_is_gil_enabled") and not sys._is_gil_enabled(),
    reason="not where threads run without a GIL",
)


class Refused(Exception):
    """A failure of the program's own."""


def refuse() -> NoReturn:
    raise Refused("no")


def refused() -> None:
    with contextlib.suppress(Refused):
        refuse()


async def fails() -> None:
    await asyncio.sleep(0)
    refuse()


def told(function: Callable[[], object], path: Path) -> list[dict[str, object]]:
    record_here(function, path / "t.pftrace")
    trace = read_strict((path / "t.pftrace").read_bytes())
    return [dict(event.args) for event in trace.events if event.name == s.RAISED]


def test_a_function_of_cython_is_a_librarys(tmp_path: Path) -> None:
    """Its file is named as it was called where it was compiled."""
    names: dict[str, Callable[[], None]] = {"refuse": refuse}
    exec(compile("def query():\n    raise ValueError", "store/protocol.pyx", "exec"), names)

    def asks() -> None:
        with contextlib.suppress(ValueError):
            names["query"]()

    def asks_more() -> None:
        with contextlib.suppress(Refused):
            names["call"]()

    source = "def call():\n    raise refused('no')"
    names["refused"] = Refused  # type: ignore[assignment]
    exec(compile(source, "store/protocol.pyx", "exec"), names)
    (tmp_path / "more").mkdir()
    assert told(asks, tmp_path) == []
    (found,) = told(asks_more, tmp_path / "more")
    assert found[s.ARG_EXCEPTION] == "Refused"
    assert str(found[s.ARG_STACK]).split("\n")[0].endswith(".asks_more")


def test_where_it_was_raised(tmp_path: Path) -> None:
    """The frames from there on outwards; of those that it passes, the first one counts."""
    (found,) = told(refused, tmp_path)
    lines = str(found[s.ARG_STACK]).split("\n")
    assert found[s.ARG_EXCEPTION] == "Refused"
    assert [line.rpartition(" ")[2] for line in lines[:2]] == ["refuse", "refused"]
    assert lines[0] == f"{__file__}:{refuse.__code__.co_firstlineno + 1} refuse"


def test_what_a_library_raises(tmp_path: Path) -> None:
    """It is told where it reaches the program, with the library's frames inside."""

    def connect() -> None:
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", 1))

    (found,) = told(connect, tmp_path)
    lines = [line.rpartition(".")[2] for line in str(found[s.ARG_STACK]).split("\n")]
    assert found[s.ARG_EXCEPTION] == "ConnectionRefusedError"
    assert lines[0].endswith(" create_connection")
    assert "connect" in lines


def test_in_tasks(tmp_path: Path) -> None:
    """Once for each, however many coroutines it passes, and whoever awaits the task."""

    async def main() -> None:
        tasks = [asyncio.create_task(fails()) for _ in range(3)]
        assert len(await asyncio.gather(*tasks, return_exceptions=True)) == 3
        with contextlib.suppress(Refused):
            await tasks[0]

    found = told(lambda: asyncio.run(main()), tmp_path)
    assert Counter(one[s.ARG_EXCEPTION] for one in found) == {"Refused": 3}


def quiet(tmp_path: Path) -> None:
    """What programs do all day: ask for forgiveness, look for something, parse."""
    empty: queue.SimpleQueue[int] = queue.SimpleQueue()
    for _ in range(10):
        for attempt in (
            lambda: os.environ["NO SUCH VARIABLE"],
            lambda: sys.argv[1_000],
            lambda: object().missing,  # type: ignore[attr-defined]
            lambda: int("x"),
            lambda: 1 / 0,
            lambda: next(iter(())),
            lambda: __import__("no_such_module"),
            lambda: os.stat(tmp_path / "missing"),
        ):
            with contextlib.suppress(
                LookupError, AttributeError, ValueError, ZeroDivisionError, StopIteration,
                ImportError, FileNotFoundError,
            ):  # fmt: skip
                attempt()
        with contextlib.suppress(BlockingIOError), socket.socket() as one:
            one.setblocking(False)
            one.connect(("127.0.0.1", 1))
        assert list(x for x in (y for y in range(3))) == [0, 1, 2]
        assert empty.empty()


def test_what_is_no_failure(tmp_path: Path) -> None:
    found = told(lambda: quiet(tmp_path), tmp_path)
    assert {one[s.ARG_EXCEPTION] for one in found} <= {"ConnectionRefusedError"}


def test_what_a_library_handles(tmp_path: Path) -> None:
    def store() -> None:
        with shelve.open(str(tmp_path / "shelf")) as shelf:
            shelf["a"] = 1

    assert not told(store, tmp_path)


def test_the_exception_stays_as_it_is(tmp_path: Path) -> None:
    """Its traceback, context and reference count."""

    def look() -> tuple[list[str], int, object]:
        try:
            try:
                refuse()
            except Refused as first:
                raise OSError(5, "later") from first
        except OSError as error:
            frames = traceback.extract_tb(error.__traceback__)
            return [frame.name for frame in frames], sys.getrefcount(error), error.__cause__
        raise AssertionError

    before, seen = look(), []
    told(lambda: seen.append(look()), tmp_path)
    assert seen[0][:2] == before[:2]
    assert type(seen[0][2]) is Refused


def test_another_tool_sees_all(tmp_path: Path) -> None:
    """The program's own callbacks are called as before, in the middle of a recording."""
    monitoring, seen = sys.monitoring, []

    def on_raise(code: object, offset: int, error: BaseException) -> None:
        seen.append(type(error))

    def run() -> None:
        monitoring.use_tool_id(monitoring.PROFILER_ID, "test")
        monitoring.register_callback(monitoring.PROFILER_ID, monitoring.events.RAISE, on_raise)
        monitoring.set_events(monitoring.PROFILER_ID, monitoring.events.RAISE)
        refused()
        monitoring.set_events(monitoring.PROFILER_ID, 0)
        monitoring.register_callback(monitoring.PROFILER_ID, monitoring.events.RAISE, None)
        monitoring.free_tool_id(monitoring.PROFILER_ID)
        refused()

    assert len(told(run, tmp_path)) == 2
    assert seen.count(Refused) >= 2  # in each frame that it passes


async def handed_over(results: list[object]) -> list[object]:
    """Awaits a future for each."""
    loop, found = asyncio.get_running_loop(), []
    for result in results:
        future = loop.create_future()
        loop.call_soon(future.set_result, result)
        found.append(await future)
    return found


def test_ends_of_awaits(tmp_path: Path) -> None:
    """The StopIteration that ends one is none of those that are counted."""
    results: list[object] = [None, 1, (2, 3), (), Refused("no error"), StopIteration(4)]

    async def end_by_hand() -> tuple[object, ...]:
        future = asyncio.get_running_loop().create_future()
        future.set_result(None)
        with pytest.raises(StopIteration) as ended:
            next(iter(future))
        return ended.value.args, ended.value.__context__

    without = asyncio.run(end_by_hand())

    async def main() -> None:
        assert await handed_over(results) == results
        if sys.version_info[:2] != (3, 14):  # which raises those, too
            await handed_over([None] * 30_000)
        refused()
        assert await end_by_hand() == without

    assert len(told(lambda: asyncio.run(main()), tmp_path)) == 1


def test_another_tool_sees_ends_of_awaits(tmp_path: Path) -> None:
    """Whoever is told of exceptions is told of these as without a recording."""
    seen: list[object] = []

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        if event == "exception":
            seen.append(arg[0])
        return trace

    def run() -> None:
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            asyncio.run(handed_over([None, 1, None]))
        finally:
            sys.settrace(before)

    run()
    without = seen.count(StopIteration)
    seen.clear()
    told(run, tmp_path)
    assert seen.count(StopIteration) == without
    assert without >= 3 or sys.version_info >= (3, 15)  # which raises none


def test_very_many(tmp_path: Path) -> None:
    """They are told of in part, and the program gets all of them."""
    count = 0

    def raise_many() -> None:
        nonlocal count
        for _ in range(300_000):
            try:
                refuse()
            except Refused:
                count += 1

    found = told(raise_many, tmp_path)
    assert count == 300_000
    assert 0 < len(found) < 100_000


# What PyMonitoring_FireRaiseEvent() of CPython's headers does.
TELLS = """
typedef struct _object PyObject;
typedef struct { unsigned char active, opaque; } state;
extern int PyMonitoring_EnterScope(state *, unsigned long *, const unsigned char *, long);
extern int PyMonitoring_ExitScope(void);
extern int _PyMonitoring_FireRaiseEvent(state *, PyObject *, int);
extern void Py_IncRef(PyObject *), PyErr_SetRaisedException(PyObject *), PyErr_Clear(void);

int tell(PyObject *code, PyObject *error, int event)
{
    unsigned char events[1] = {(unsigned char)event};
    state states[1] = {{0, 0}};
    unsigned long version = 0;
    PyMonitoring_EnterScope(states, &version, events, 1);
    Py_IncRef(error);
    PyErr_SetRaisedException(error);
    int failed = states[0].active ? _PyMonitoring_FireRaiseEvent(states, code, 0) : -2;
    PyErr_Clear();
    PyMonitoring_ExitScope();
    return failed;
}
"""


@pytest.mark.skipif(sys.version_info < (3, 13), reason="no such function")
def test_code_that_is_none(tmp_path: Path) -> None:
    """Extension modules tell of exceptions, too, with whatever stands for their code."""
    tell = ctypes.PyDLL(compiled(TELLS, tmp_path)).tell
    tell.argtypes = [ctypes.py_object, ctypes.py_object, ctypes.c_int]
    number = sys.monitoring.events.RAISE.bit_length() - 1
    results: list[int] = []

    def run() -> None:
        try:
            refuse()
        except Refused as error:
            results.extend(tell(code, error, number) for code in ("a text", object(), None))

    assert len(told(run, tmp_path)) == 1
    assert results == [0, 0, 0]
