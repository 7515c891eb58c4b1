"""A recording that another thread than the loop's begins, while the loop runs."""

import asyncio
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest

from tests.support.loops import NewLoop, on_every_loop
from tests.support.recordings import task_of, wakers
from tests.support.validator.arrows import NOT_SHOWN
from tests.support.validator.rules import Summary, validate
from tracer import _core
from tracer.recorder import Options, Recording
from tracer.signals.loops import asyncio as asyncio_signal

RECORDINGS = 12
CYCLES = 3  # of each task, in each recording

type Cycle = Callable[[], Coroutine[Any, Any, None]]


class Elsewhere:
    """A thread that does what it is told, one thing after the other."""

    def __init__(self) -> None:
        self.told: list[Callable[[], object]] = []
        self.something = threading.Condition()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def tell(self, what: Callable[[], object]) -> None:
        with self.something:
            self.told.append(what)
            self.something.notify()

    def _run(self) -> None:
        while True:
            with self.something:
                self.something.wait_for(lambda: self.told)
                what = self.told.pop(0)
            if what() is self:
                return

    def end(self) -> None:
        self.tell(lambda: self)
        self.thread.join()


class Busy:
    """A loop that never rests, each of whose tasks is always woken in the same way."""

    def __init__(self) -> None:
        self.cycles: Counter[str] = Counter()
        self.cycled = threading.Condition()
        self.is_over = False

    def let_run(self) -> None:
        """Until every task has done some more of its cycles."""
        with self.cycled:
            until = {name: count + CYCLES for name, count in self.cycles.items()}
            self.cycled.wait_for(lambda: self.cycles >= Counter(until))

    async def repeat(self, cycle: Cycle) -> None:
        while not self.is_over:
            await cycle()
            with self.cycled:
                self.cycles[cycle.__name__] += 1
                self.cycled.notify_all()

    async def main(self, ready: threading.Event) -> None:
        loop = asyncio.get_running_loop()
        elsewhere = Elsewhere()
        wanted: asyncio.Queue[asyncio.Future[None]] = asyncio.Queue()

        async def yields() -> None:
            await asyncio.sleep(0)

        async def by_callback() -> None:
            woken = loop.create_future()
            loop.call_soon(woken.set_result, None)
            await woken

        async def by_two_callbacks() -> None:
            woken = loop.create_future()
            loop.call_soon(lambda: loop.call_soon(woken.set_result, None))
            await woken

        async def by_timer() -> None:
            woken = loop.create_future()
            loop.call_later(0.001, woken.set_result, None)
            await woken

        async def by_thread() -> None:
            woken = loop.create_future()
            elsewhere.tell(lambda: loop.call_soon_threadsafe(woken.set_result, None))
            await woken

        async def by_task() -> None:
            woken = loop.create_future()
            wanted.put_nowait(woken)
            await woken

        async def wakes() -> None:
            while True:
                (await wanted.get()).set_result(None)

        async def creates() -> None:
            await asyncio.gather(yields(), yields())

        waking = asyncio.create_task(wakes())
        cycles = (by_callback, by_two_callbacks, by_timer, by_thread, by_task, creates)
        self.cycles.update({cycle.__name__: 0 for cycle in cycles})
        tasks = [asyncio.create_task(self.repeat(each), name=each.__name__) for each in cycles]
        ready.set()
        await asyncio.gather(*tasks)
        waking.cancel()
        elsewhere.end()


def named(summary: Summary, name: str) -> list[dict[str, int | str]]:
    (task,) = (task for task in summary.tasks.values() if task.name == name)
    return wakers(task)


def check_wakers(summary: Summary) -> None:
    """Each was woken as always, or by nobody knows whom: where it was woken before."""
    (itself,) = (task.id for task in summary.tasks.values() if task.name == "by_two_callbacks")
    assert {"waker_task": itself} in named(summary, "by_two_callbacks")
    assert not [w for w in named(summary, "by_two_callbacks") if w != {"waker_task": itself}]
    assert all(set(waker) == {"waker_thread"} for waker in named(summary, "by_thread"))
    assert all(waker == {"waker": "timer"} for waker in named(summary, "by_timer"))
    waking = task_of(summary, "wakes").id
    assert all(waker == {"waker_task": waking} for waker in named(summary, "by_task"))
    for name in ("by_callback", "by_thread", "by_timer", "by_task"):
        assert named(summary, name)
    assert summary.unknown[NOT_SHOWN] == 0


@pytest.mark.default("asyncio")
@on_every_loop
def test_a_busy_loop(new_loop: NewLoop, tmp_path: Path) -> None:
    """Whatever it is doing at that moment, no task is said to be woken by another than its
    waker, and every callback is shown."""
    busy, ready = Busy(), threading.Event()
    paths = [tmp_path / f"{at}.pftrace" for at in range(RECORDINGS)]

    def records() -> None:
        ready.wait()
        try:
            for path in paths:
                recording = Recording(Options(str(path), argv=("test",)))
                recording.start()
                busy.let_run()
                recording.stop()
        finally:
            busy.is_over = True

    recorder = threading.Thread(target=records)
    recorder.start()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(busy.main(ready))
    recorder.join()
    for path in paths:
        check_wakers(validate(path.read_bytes()))


class FromElsewhere:
    """A recording that begins on another thread, while the caller waits for it in its step."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recording = Recording(Options(str(path), argv=("test",)))

    def start(self) -> None:
        starting = threading.Thread(target=self.recording.start)
        starting.start()
        starting.join()

    def stop(self) -> Summary:
        self.recording.stop()
        return validate(self.path.read_bytes())


@on_every_loop
def test_a_step_that_runs(new_loop: NewLoop, tmp_path: Path) -> None:
    """What it wakes is woken by it, until it ends."""
    elsewhere = FromElsewhere(tmp_path / "t.pftrace")

    async def victim(woken: asyncio.Future[None]) -> None:
        await woken

    async def waker(woken: asyncio.Future[None]) -> None:
        elsewhere.start()
        woken.set_result(None)

    async def main() -> None:
        woken = asyncio.get_running_loop().create_future()
        waiting = asyncio.create_task(victim(woken))
        await asyncio.sleep(0)
        await asyncio.create_task(waker(woken), name="waker")
        await waiting

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
    summary = elsewhere.stop()
    assert wakers(task_of(summary, "victim")) == [{"waker_task": task_of(summary, "waker").id}]
    assert task_of(summary, "victim").states == ["await future", "ready", "running"]
    assert task_of(summary, "waker").states == ["running"]
    assert task_of(summary, "waker").end == "done"
    assert task_of(summary, "main").states == ["await task waker", "ready", "running"]


@on_every_loop
def test_a_callback_that_runs(new_loop: NewLoop, tmp_path: Path) -> None:
    """It is shown from there on, and who scheduled it is not known."""
    elsewhere = FromElsewhere(tmp_path / "t.pftrace")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        woken = loop.create_future()

        def starts() -> None:
            elsewhere.start()
            loop.call_soon(woken.set_result, None)

        loop.call_soon(starts)
        await woken

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
    summary = elsewhere.stop()
    assert task_of(summary, "main").states == ["await future", "ready", "running"]
    assert wakers(task_of(summary, "main")) == []
    shown = [name for name in summary.names if name.endswith(("starts", "unknown callback"))]
    assert len(shown) == 1
    assert summary.unknown[NOT_SHOWN] == 0


@on_every_loop
def test_what_was_scheduled_before(new_loop: NewLoop, tmp_path: Path) -> None:
    """A callback is shown, and by whom it was scheduled is not known; nobody says it was I/O.
    Of uvloop's timers that is not known either."""
    elsewhere = FromElsewhere(tmp_path / "t.pftrace")

    async def soon(woken: asyncio.Future[None]) -> None:
        await woken

    async def later(woken: asyncio.Future[None]) -> None:
        await woken

    async def again(woken: asyncio.Future[None]) -> None:
        await woken

    async def main() -> None:
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in range(3)]
        tasks = [
            asyncio.create_task(of(f))
            for of, f in zip((soon, later, again), futures, strict=True)
        ]
        await asyncio.sleep(0)
        loop.call_soon(futures[0].set_result, None)
        loop.call_later(0.02, futures[1].set_result, None)
        elsewhere.start()
        loop.call_later(0.03, futures[2].set_result, None)
        await asyncio.gather(*tasks)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
    summary = elsewhere.stop()
    assert wakers(task_of(summary, "soon")) == []
    assert wakers(task_of(summary, "later")) in ([], [{"waker": "timer"}])
    assert wakers(task_of(summary, "again")) == [{"waker": "timer"}]
    assert summary.unknown[NOT_SHOWN] == 0


@on_every_loop
def test_a_loop_that_stops_and_runs_again(new_loop: NewLoop, tmp_path: Path) -> None:
    """The run in which the recording began ends where it ends."""
    elsewhere = FromElsewhere(tmp_path / "t.pftrace")

    async def starts() -> None:
        elsewhere.start()
        await asyncio.sleep(0)

    async def follows() -> None:
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(starts())
        runner.run(follows())
    summary = elsewhere.stop()
    assert summary.names["loop started"] == summary.names["loop stopped"] >= 2
    assert task_of(summary, "follows").states == ["ready", "running", "ready", "running"]


@on_every_loop
def test_a_recording_within_a_step(new_loop: NewLoop, tmp_path: Path) -> None:
    """The next one does not wait for the end of that step."""

    async def main() -> None:
        elsewhere = FromElsewhere(tmp_path / "t.pftrace")
        elsewhere.start()
        asyncio.get_running_loop().call_soon(int)
        assert _core.awaited_steps() == 1
        elsewhere.stop()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
    assert _core.awaited_steps() == 0


def test_tasks_that_come_while_all_are_looked_for() -> None:
    """Another thread's loop makes a task between two steps of an iteration."""

    class Task:
        pass

    class Growing(weakref.WeakSet[Task]):
        def __iter__(self) -> Iterator[Task]:
            for task in super().__iter__():
                tasks.append(Task())
                self.add(tasks[-1])
                yield task

    tasks = [Task(), Task()]
    before = {*tasks}
    adopted: list[Task] = []
    core = SimpleNamespace(adopt_tasks=lambda tasks, running: adopted.extend(tasks))
    module = SimpleNamespace(
        events=asyncio.events, tasks=SimpleNamespace(_scheduled_tasks=Growing(tasks))
    )
    asyncio_signal._adopt(cast(ModuleType, core), cast(ModuleType, module))
    assert {*adopted} == before
