"""How long queues are, while everybody waits for something else."""

import asyncio
import queue
import threading
import time
from pathlib import Path

import pytest

from tests.conftest import Recorder
from tests.support.recordings import record_here
from tests.support.validator.strict import read_strict
from tests.support.waiting import until_it_waits_in
from tracer import schema as s

LATER_S = 0.15  # they are looked at every 100 ms


def lengths(path: Path) -> list[tuple[str, list[int]]]:
    """(function that took the first item, lengths in order) of each queue."""
    trace = read_strict(path.read_bytes())
    found: dict[int, list[int]] = {}
    for event in trace.events:
        track = trace.tracks[event.track]
        above = trace.tracks.get(track.parent)
        if event.counter is not None and above and above.name == s.TRACK_QUEUES:
            found.setdefault(event.track, []).append(event.counter)
    return [(trace.tracks[track].name.split()[-1], found[track]) for track in found]


@pytest.mark.parametrize("kind", [queue.Queue, queue.LifoQueue, queue.PriorityQueue])
def test_of_threads(tmp_path: Path, kind: type[queue.Queue[int]]) -> None:
    items, go, pause = kind(), threading.Event(), threading.Event()

    def consume() -> None:
        items.get()
        go.wait()

    def work() -> None:
        consumer = threading.Thread(target=consume)
        consumer.start()
        until_it_waits_in(consumer, "wait", "acquire")
        for n in range(41):
            items.put(n)
        time.sleep(LATER_S)
        pause.wait(0.001)
        go.set()
        consumer.join()

    record_here(work, tmp_path / "t.pftrace")
    (found,) = lengths(tmp_path / "t.pftrace")
    assert found[0].endswith("consume")
    assert found[1][-1] in (40, 41)  # the consumer may not have run yet


def test_of_tasks(tmp_path: Path) -> None:
    async def main() -> None:
        items, go = asyncio.Queue[int](), asyncio.Event()

        async def consume() -> None:
            await items.get()
            await go.wait()

        consumer = asyncio.create_task(consume())
        await asyncio.sleep(0)
        for n in range(41):
            await items.put(n)
        await asyncio.sleep(LATER_S)
        await asyncio.sleep(0.001)
        go.set()
        await consumer

    record_here(lambda: asyncio.run(main()), tmp_path / "t.pftrace")
    ((who, found),) = lengths(tmp_path / "t.pftrace")
    assert who.endswith("consume")
    assert found[-1] == 40


def test_short_queues_are_not_written(tmp_path: Path) -> None:
    async def main() -> None:
        items = asyncio.Queue[int]()
        consumer = asyncio.create_task(items.get())
        await asyncio.sleep(0)
        for n in range(10):
            await items.put(n)
        await asyncio.sleep(LATER_S)
        await asyncio.sleep(0.001)
        await consumer

    record_here(lambda: asyncio.run(main()), tmp_path / "t.pftrace")
    assert lengths(tmp_path / "t.pftrace") == []


# The interpreter frees what lies so deep (at 49, on 3.12) only after all that is around it.
POSTPONED = """
import queue, threading, time

class Waits:
    def __del__(self):
        time.sleep(0.11), time.sleep(0.001)

class Items(queue.Queue):
    pass

for depth in 48, 49:
    items = Items()
    consumer = threading.Thread(target=lambda: items.get())
    consumer.start()
    while not items.not_empty._waiters:
        time.sleep(0.001)
    for n in range(20):
        items.put(n)
    consumer.join()
    time.sleep(0.11), time.sleep(0.001)
    chain = [items]
    del items, consumer
    for level in range(depth):
        chain = [Waits() if level == depth - 2 else None, chain]
    del chain
print("done")
"""


def test_one_that_is_being_freed(record: Recorder) -> None:
    path = record(POSTPONED)
    assert record.stdout == "done\n"
    assert [found[-1] for _, found in lengths(path)] == [0, 0]
