"""What a loop has to run, and how late it is, the same on asyncio's own loop and uvloop."""

import asyncio
import time
from pathlib import Path

from tests.support.loops import NewLoop, on_every_loop, record_on
from tests.support.recordings import states_of, task_of, wakers
from tests.support.validator.strict import read_strict
from tracer.schema import TRACK_READY_QUEUE

MS = 1_000_000


@on_every_loop
def test_ready_queue_length(new_loop: NewLoop, tmp_path: Path) -> None:
    """How many callbacks a round of the loop found ready: a task, the five it made, itself."""

    async def child() -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(*(child() for _ in range(5)))

    record_on(new_loop, main, tmp_path)
    trace = read_strict((tmp_path / "t.pftrace").read_bytes())
    of = {uuid: track.name for uuid, track in trace.tracks.items()}
    counters = [each for each in trace.events if of[each.track] == TRACK_READY_QUEUE]
    assert [each.counter for each in counters][:3] == [1, 5, 1]


@on_every_loop
def test_a_timer_that_is_late(new_loop: NewLoop, tmp_path: Path) -> None:
    """Its task is ready since the timer was due, to the millisecond that uvloop counts in, and
    runs once the step that blocks the loop is over."""
    due_ns, blocked = list[float](), list[int]()

    async def victim(bell: asyncio.Future[None]) -> None:
        await bell

    async def main() -> None:
        loop = asyncio.get_running_loop()
        bell = loop.create_future()
        waiting = asyncio.create_task(victim(bell))
        await asyncio.sleep(0)
        due_ns.append((loop.time() + 0.01) * 1e9)
        loop.call_later(0.01, bell.set_result, None)
        due_ns.append((loop.time() + 0.01) * 1e9)
        while time.monotonic_ns() < due_ns[1] + 20_000_000:  # the loop is busy all the time
            pass
        blocked.append(time.monotonic_ns())
        await waiting

    summary = record_on(new_loop, main, tmp_path)
    task = task_of(summary, "victim")
    assert task.states == ["ready", "running", "await future", "ready", "running"]
    assert wakers(task)[-1] == {"waker": "timer"}
    late = states_of(task, "ready")[1]
    assert due_ns[0] - MS <= late.begin.time_ns <= due_ns[1] + MS
    assert late.end_ns is not None
    assert late.end_ns >= blocked[0]
