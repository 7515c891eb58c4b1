"""Loops: several at once, recorded from the middle, left by exceptions."""

import asyncio
import os
import selectors
import signal
import sys
import threading
from pathlib import Path

import pytest

from tests.support.recordings import record_here, record_main, task_of, tasks_of
from tests.support.validator.rules import validate
from tests.support.waiting import until_it_sleeps_in

# Those of this system that asyncio can run on.
KINDS = {
    kind
    for kind in vars(selectors).values()
    if isinstance(kind, type)
    and issubclass(kind, selectors.BaseSelector)
    and not kind.__name__.startswith(("_", "Base"))
}


def test_loops_in_threads(tmp_path: Path) -> None:
    """Each loop has its own tracks, and no two tasks are confused."""
    together = threading.Barrier(3)

    async def worker() -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def main() -> None:
        together.wait()
        await asyncio.gather(worker(), worker())

    def run() -> None:
        threads = [threading.Thread(target=asyncio.run, args=(main(),)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    summary, _ = record_here(run, tmp_path / "t.pftrace")
    assert len(tasks_of(summary, "worker")) == 6
    assert len(tasks_of(summary, "main")) == 3
    assert {task.end for task in summary.tasks.values()} == {"done"}


def test_tasks_from_before(tmp_path: Path) -> None:
    """A recording that begins midway knows the running and the waiting tasks."""
    from tracer.recorder import Options, Recording

    path = tmp_path / "t.pftrace"

    async def waiting(event: asyncio.Event) -> None:
        await event.wait()

    async def ready() -> None:
        await asyncio.sleep(0)

    async def main() -> None:
        event = asyncio.Event()
        waiter = asyncio.create_task(waiting(event), name="old")
        await asyncio.sleep(0)
        other = asyncio.create_task(ready())
        recording = Recording(Options(str(path), argv=("test",)))
        recording.start()
        await asyncio.sleep(0)
        event.set()
        await asyncio.gather(waiter, other)
        recording.stop()

    asyncio.run(main())
    summary = validate(path.read_bytes())
    assert task_of(summary, "waiting").states[:3] == ["await Event", "ready", "running"]
    assert task_of(summary, "waiting").name == "old"
    assert task_of(summary, "ready").states[:2] == ["ready", "running"]
    assert task_of(summary, "main").states[:2] == ["running", "ready"]


def test_interrupted_step(tmp_path: Path) -> None:
    """KeyboardInterrupt leaves a step in another way; its slices end all the same."""

    async def main() -> None:
        raise KeyboardInterrupt

    def run() -> None:
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(main())

    summary, _ = record_here(run, tmp_path / "t.pftrace")
    assert task_of(summary, "main").end == "failed: KeyboardInterrupt"


def test_interrupted_poll(tmp_path: Path) -> None:
    """Ctrl-C while the loop waits ends its `select`; later ones are not the loop's."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    caller = threading.current_thread()

    def alarm() -> None:
        until_it_sleeps_in(caller, "select", "_selector", "poll")
        os.kill(os.getpid(), signal.SIGALRM)

    def run() -> None:
        loop = asyncio.new_event_loop()
        signal.signal(signal.SIGALRM, lambda *_: interrupt())
        threading.Thread(target=alarm).start()
        with pytest.raises(KeyboardInterrupt):
            loop.run_forever()
        loop.close()
        with selectors.DefaultSelector() as selector:  # somebody else's
            selector.select(0.001)

    summary, _ = record_here(run, tmp_path / "t.pftrace", signals=("tasks",))
    assert summary.names["select"] == 1
    assert summary.unfinished == 0


@pytest.mark.parametrize("selector", sorted(KINDS, key=str))
def test_every_selector(selector: type[selectors.BaseSelector], tmp_path: Path) -> None:
    """The loop waits in what its selector calls; a task's own selectors are not the loop's."""

    async def main() -> None:
        with selector() as own:
            own.select(0.001)
        await asyncio.sleep(0.001)

    def run() -> None:
        loop = asyncio.SelectorEventLoop(selector())
        loop.run_until_complete(main())
        loop.close()

    summary, _ = record_here(run, tmp_path / "t.pftrace", signals=("tasks",))
    assert summary.names["select"] == 1
    assert summary.unfinished == 0


def test_a_round_passes_no_event_of_sys_monitoring(tmp_path: Path) -> None:
    """An event costs as much as the rest of a switch."""
    events: dict[str, int] = {}
    base = asyncio.BaseEventLoop

    async def main() -> None:
        functions = (
            *(asyncio.Handle.__init__, asyncio.Handle._run),
            *(base.call_soon, base._call_soon, base._run_once),  # type: ignore[attr-defined]
            selectors.DefaultSelector.select,
        )
        for tool in range(6):
            if sys.monitoring.get_tool(tool) != "tracer":
                continue
            for function in functions:
                code = function.__code__
                events[code.co_qualname] = sys.monitoring.get_local_events(tool, code)

    # The recording begins before the loop: one that begins in a step watches this step's end.
    record_main(main, tmp_path)
    assert set(events.values()) == {0}


@pytest.mark.skipif(
    sys.version_info >= (3, 13), reason="CPython 3.13.0 itself forgets the running loop here"
)
def test_refused_nested_run(tmp_path: Path) -> None:
    """A loop that is asked to run while it is running goes on undisturbed."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(RuntimeError):
            loop.run_forever()
        for _ in range(3):  # a loop that the kernel stops for so long would not wait
            await asyncio.sleep(0.05)

    assert record_main(main, tmp_path).names["select"] >= 1


def test_runs_of_a_loop(tmp_path: Path) -> None:
    """Each run of a loop begins and ends with an instant; between two it does not run."""

    def run() -> None:
        loop = asyncio.new_event_loop()
        for _ in range(2):
            loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    summary, _ = record_here(run, tmp_path / "t.pftrace", signals=("tasks",))
    assert summary.names["loop started"] == 2
    assert summary.names["loop stopped"] == 2


def test_closed_with_tasks_that_wait(tmp_path: Path) -> None:
    """They never run again: they are neither ready nor waiting from then on."""
    kept: list[object] = []

    async def never() -> None:
        pass

    async def waits() -> None:
        await asyncio.get_running_loop().create_future()

    def run() -> None:
        loop = asyncio.new_event_loop()
        kept.append(waiting := loop.create_task(waits()))
        loop.run_until_complete(asyncio.sleep(0))
        kept.append(late := loop.create_task(never()))
        loop.close()
        loop.close()  # again
        for task in (waiting, late):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            task.get_coro().close()  # type: ignore[union-attr]
        asyncio.run(never())

    summary, _ = record_here(run, tmp_path / "t.pftrace")
    late, on_another_loop = tasks_of(summary, "never")
    assert (late.states, late.end) == (["ready"], "loop closed")
    assert on_another_loop.end == "done"
    waiting = task_of(summary, "waits")
    assert waiting.states == ["ready", "running", "await future"]
    assert waiting.end == "loop closed"
