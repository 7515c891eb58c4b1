"""Programs that do what no program should: the recording must bear it."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from tests.conftest import Recorder
from tests.support.validator.rules import validate
from tracer.recorder import Options, Recording


def test_long_names_are_cut_between_characters(record: Recorder) -> None:
    """Nothing is read past the end of a long name, and no name is cut inside a character."""
    record(
        """
import asyncio
space = {}
name = "x" + "é" * 301
source = f"async def {name}():\\n import asyncio\\n await asyncio.sleep(0)"
exec(compile(source, "f" + "ü" * 260 + ".py", "exec"), space)
Long = type("A" + "é" * 3000, (list,), {})

async def main():
    asyncio.get_running_loop().call_soon(Long().append, 1)
    for start in ("x", "xy", "xyz"):
        task = asyncio.create_task(space[name](), name=start + "€" * 400)
        await asyncio.gather(asyncio.create_task(asyncio.wait_for(task, 1)))

asyncio.run(main())
""",
        "y" + "é" * 600,
        "\udcff",
    )


def test_a_future_that_ends_the_recording_when_looked_at(record: Recorder) -> None:
    """Reading an attribute in a hook may run program code that even stops the recorder."""
    record(
        """
import asyncio
from tracer import _core

class Future:
    _asyncio_future_blocking = False

    def get_loop(self):
        return asyncio.get_running_loop()

    def add_done_callback(self, callback, *, context=None):
        self.get_loop().call_later(0, callback, self)

    def result(self):
        return None

    @property
    def _callbacks(self):
        if "recording" in _core.kept:
            _core.kept["recording"].stop()
        return []

    def __await__(self):
        self._asyncio_future_blocking = True
        yield self

async def main():
    await Future()

asyncio.run(main())
"""
    )


def test_an_eager_task_that_cannot_be_made(record: Recorder) -> None:
    """It leaves no step behind: the loop's polls are seen as before."""
    trace = record(
        """
import asyncio

async def main():
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    try:
        asyncio.create_task(42)
    except TypeError:
        pass
    for _ in range(3):
        await asyncio.sleep(0.001)

asyncio.run(main())
"""
    )
    assert validate(trace.read_bytes()).names["select"] >= 3


def test_a_coroutine_object_of_the_programs_own(record: Recorder) -> None:
    """A coroutine without a qualified name is named after its type."""
    trace = record(
        """
import asyncio
from collections.abc import Coroutine

class Own(Coroutine):
    def send(self, value):
        raise StopIteration(1)

    def throw(self, *args):
        raise args[0]

    def close(self):
        pass

    def __await__(self):
        return iter(())

async def main():
    await asyncio.create_task(Own())

asyncio.run(main())
"""
    )
    assert "Own" in {task.coro for task in validate(trace.read_bytes()).tasks.values()}


async def poll_without_a_timer() -> None:
    """The loop has nothing to do until it has polled."""
    loop = asyncio.get_running_loop()
    read_end, write_end = os.pipe()
    readable = loop.create_future()

    def on_readable() -> None:
        loop.remove_reader(read_end)
        readable.set_result(None)

    loop.add_reader(read_end, on_readable)
    os.write(write_end, b"x")
    await readable
    os.close(read_end)
    os.close(write_end)


def test_a_recording_begun_inside_a_step(tmp_path: Path) -> None:
    """The trace has the step's end, and the loop's polls from then on."""
    trace = tmp_path / "inside.pftrace"

    async def main() -> Recording:
        recording = Recording(Options(str(trace)))
        recording.start()
        for _ in range(3):
            await poll_without_a_timer()
        return recording

    asyncio.run(main()).stop()
    summary = validate(trace.read_bytes())
    assert summary.names["select"] >= 3
    (task,) = (task for task in summary.tasks.values() if task.coro.endswith("main"))
    assert task.states[:4] == ["running", "await future", "ready", "running"]


def test_a_program_that_frees_the_monitoring_tools(tmp_path: Path) -> None:
    """Stopping raises nothing and ends the trace."""
    trace = tmp_path / "freed.pftrace"
    recording = Recording(Options(str(trace)))
    recording.start()
    for tool in range(6):
        sys.monitoring.free_tool_id(tool)
    assert recording.stop() is not None
    assert validate(trace.read_bytes()).names["recording ended"] == 1


def test_an_eager_factory_without_a_running_loop(record: Recorder) -> None:
    """It creates an ordinary task; nothing runs at once."""
    trace = record(
        """
import asyncio

async def main():
    pass

loop = asyncio.new_event_loop()
loop.set_task_factory(asyncio.eager_task_factory)
loop.run_until_complete(main())
loop.close()
"""
    )
    (task,) = validate(trace.read_bytes()).tasks.values()
    assert task.states == ["ready", "running"]


def test_a_program_that_takes_the_monitoring_tool_over(tmp_path: Path) -> None:
    """asyncio's timers are looked at no longer: their events are the program's own."""
    recording = Recording(Options(str(tmp_path / "taken.pftrace")))
    recording.start()
    monitoring, code = sys.monitoring, asyncio.BaseEventLoop.call_at.__code__
    (tool,) = (n for n in range(6) if monitoring.get_tool(n) == "tracer")
    monitoring.free_tool_id(tool)
    monitoring.use_tool_id(tool, "the program's")
    monitoring.set_local_events(tool, code, monitoring.events.PY_START)
    try:
        asyncio.run(poll_without_a_timer())
        assert monitoring.get_local_events(tool, code) == monitoring.events.PY_START
    finally:
        monitoring.set_local_events(tool, code, 0)
        monitoring.free_tool_id(tool)
        recording.stop()
