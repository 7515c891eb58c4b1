"""trio's runs: in threads, as guests, inside other loops; idle, recorded late, left early."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tracer
from tests.support.launching import compare, script
from tests.support.recordings import record_here, states_of, task_of, tasks_of, wakers
from tests.support.trios import needs_trio, no_idle_threads, record_trio
from tests.support.validator.rules import validate
from tests.support.validator.slices import pair
from tests.support.validator.strict import read_strict
from tracer.recorder import SIGNALS, Options, Recording

if TYPE_CHECKING:
    import trio
    import trio.testing
else:
    trio = pytest.importorskip("trio")
    pytest.importorskip("trio.testing")

pytestmark = needs_trio
PROGRAMS = Path(__file__).parents[2] / "support" / "programs"
SLEEPS = 10  # a busy machine may be late for some, and then nothing waits


async def until_blocked() -> None:
    """Until every other task waits."""
    await trio.testing.wait_all_tasks_blocked()


def test_run_in_a_thread_of_asyncio(tmp_path: Path) -> None:
    """Two libraries at a time: each run has its tasks, and says when it runs and waits."""

    async def inner() -> None:
        await trio.sleep(0.001)

    async def main() -> None:
        await asyncio.to_thread(trio.run, inner)

    summary, _ = record_here(lambda: asyncio.run(main()), tmp_path / "t.pftrace")
    assert task_of(summary, "inner").end == task_of(summary, "main").end == "done"
    assert wakers(task_of(summary, "inner"))[-1] == {"waker": "timer"}
    assert summary.names["loop started"] == summary.names["loop stopped"]


def test_guest_of_asyncio(tmp_path: Path) -> None:
    """A run inside asyncio's loop: its tasks wait for each other, for asyncio, for timers."""
    path = tmp_path / "t.pftrace"

    async def guest(ask: Callable[[Callable[[], object]], object]) -> None:
        for _ in range(SLEEPS):
            await trio.sleep(0.02)
        event = trio.Event()
        ask(event.set)
        await event.wait()

    async def host() -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        trio.lowlevel.start_guest_run(
            guest,
            loop.call_soon,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=done.set_result,
        )
        await done

    with no_idle_threads():
        summary, _ = record_here(lambda: asyncio.run(host()), path)
    guest_ = task_of(summary, "guest")
    steps = [*["await sleep"] * SLEEPS, "await Event"]
    assert guest_.states == [
        *("ready", "running"),
        *(state for step in steps for state in (step, "ready", "running")),
    ]
    assert wakers(guest_)[:SLEEPS] == [{"waker": "timer"}] * SLEEPS
    assert (guest_.end, task_of(summary, "host").end) == ("done", "done")
    assert summary.names["loop started"] == summary.names["loop stopped"]
    trace = read_strict(path.read_bytes())
    (run,) = [uuid for uuid, track in trace.tracks.items() if track.name.startswith("trio @")]
    sleeps = states_of(guest_, "await sleep")
    selects = [
        each
        for each in pair(trace)[0]
        if each.name == "select" and trace.tracks[each.begin.track].parent == run
    ]
    assert any(
        sleep.begin.time_ns <= each.begin.time_ns <= (sleep.end_ns or 0)
        for sleep in sleeps
        for each in selects
    )


def test_a_program_sees_no_difference(tmp_path: Path) -> None:
    """Its instruments, tracebacks, contexts, Ctrl-C, statistics, exit code."""
    source = (PROGRAMS / "trio_faces.py").read_text()
    plain, traced = compare(script("trio", source), tmp_path)
    assert plain.status == 7, plain.stderr
    assert plain == traced


def test_regions_are_on_the_tasks_track(tmp_path: Path) -> None:
    """Those of tasks that take turns, on the track of the task that entered them."""

    async def work(name: str) -> None:
        with tracer.region(name):
            await trio.sleep(0)
            await trio.sleep(0)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for name in ("one", "two"):
                nursery.start_soon(work, name)

    summary = record_trio(main, tmp_path)
    one, two = tasks_of(summary, "work")
    on = {region.name: region.task for region in summary.user.regions}
    assert sorted(on) == ["one", "two"]
    assert sorted(map(str, on.values())) == sorted(map(str, (one.id, two.id)))


def test_an_idle_worker_waits_for_nobody(tmp_path: Path) -> None:
    """trio's thread sleeps on a lock that the main thread has taken for it."""
    path = tmp_path / "t.pftrace"

    async def main() -> None:
        for _ in range(2):
            await trio.to_thread.run_sync(time.sleep, 0)
            await trio.sleep(0.1)  # however late the worker is

    with no_idle_threads():
        record_here(lambda: trio.run(main), path)
    # On a busy machine, those around it also wait, for the lock of a list of threads or jobs.
    waits = [
        each
        for each in pair(read_strict(path.read_bytes()))[0]
        if each.begin.category == "lock" and "_thread_cache.py" in str(each.begin.args["site"])
    ]
    assert {each.name for each in waits} == {"lock wait: worker idle"}
    assert not [each for each in waits if "owner" in each.begin.args]


def test_asyncio_inside_a_step(tmp_path: Path) -> None:
    """A task that runs asyncio's loop blocks its own; both are told apart."""

    async def inner() -> None:
        await asyncio.sleep(0.001)

    async def main() -> None:
        asyncio.run(inner())
        await trio.sleep(0)

    summary = record_trio(main, tmp_path)
    assert task_of(summary, "inner").states == [
        "ready",
        "running",
        "await sleep",
        "ready",
        "running",
    ]
    assert task_of(summary, "main").states == ["ready", "running", "ready", "running"]
    assert summary.names["loop started"] == summary.names["loop stopped"]


@pytest.mark.parametrize("signals", [("tasks",), ("tasks", "gil"), tuple(SIGNALS)])
def test_a_run_that_waits_is_idle(signals: tuple[str, ...], tmp_path: Path) -> None:
    """While the one task sleeps the run is in `select`, whatever else is recorded."""
    path = tmp_path / "t.pftrace"

    async def main() -> None:
        for _ in range(SLEEPS):
            await trio.sleep(0.004)

    summary, _ = record_here(lambda: trio.run(main), path, signals=signals)
    sleeps = states_of(task_of(summary, "main"), "await sleep")
    selects = [
        each for each in pair(read_strict(path.read_bytes()))[0] if each.name == "select"
    ]
    assert any(
        sleep.begin.time_ns <= select.begin.time_ns <= (sleep.end_ns or 0)
        for sleep in sleeps
        for select in selects
    )


def test_recorded_from_the_middle_and_again(tmp_path: Path) -> None:
    """Recordings that begin and end inside a running step know the tasks that are there."""
    paths = [tmp_path / f"{number}.pftrace" for number in range(2)]

    async def waiting(event: trio.Event) -> None:
        await event.wait()
        await trio.sleep(0.001)

    async def main() -> None:
        for path in paths:
            event = trio.Event()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(waiting, event)
                await until_blocked()
                recording = Recording(Options(str(path), argv=("test",)))
                recording.start()
                await trio.sleep(0)
                event.set()
            recording.stop()

    trio.run(main)
    for path in paths:
        summary = validate(path.read_bytes())
        waiter = task_of(summary, "waiting")
        assert waiter.states[:4] == ["await Event", "ready", "running", "await sleep"]
        assert task_of(summary, "main").states[:2] == ["running", "ready"]
        assert wakers(waiter) == [
            {"waker_task": task_of(summary, "main").id},
            {"waker": "timer"},
        ]


def test_system_exit_leaves_the_run(tmp_path: Path) -> None:
    """It ends the task and the run, and reaches the program."""
    raised: list[BaseException] = []

    async def main() -> None:
        raise SystemExit(3)

    def run() -> None:
        try:
            trio.run(main)
        except SystemExit as error:
            raised.append(error)

    summary, _ = record_here(run, tmp_path / "t.pftrace")
    assert [error.code for error in raised if isinstance(error, SystemExit)] == [3]
    assert task_of(summary, "main").end == "failed: SystemExit"
    assert summary.names["loop started"] == summary.names["loop stopped"]
