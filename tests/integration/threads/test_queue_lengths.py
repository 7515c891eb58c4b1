"""How long queues are, while everybody waits for something else."""

import asyncio
import queue
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.conftest import Recorder
from tests.support.recordings import record_here
from tests.support.validator.strict import read_strict
from tests.support.waiting import until_it_sleeps_in
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
    items, took, go = kind(), threading.Event(), threading.Event()

    def consume() -> None:
        items.get()
        took.set()
        go.wait()

    def work() -> None:
        consumer = threading.Thread(target=consume)
        consumer.start()
        until_it_sleeps_in(consumer, "wait", "acquire")
        for n in range(41):
            items.put(n)
        took.wait()
        time.sleep(LATER_S)
        go.wait(0.001)
        go.set()
        consumer.join()

    record_here(work, tmp_path / "t.pftrace")
    (found,) = lengths(tmp_path / "t.pftrace")
    assert found[0].endswith("consume")
    assert found[1][-1] == 40


def test_of_tasks(tmp_path: Path) -> None:
    async def main() -> None:
        items, took, go = asyncio.Queue[int](), asyncio.Event(), asyncio.Event()

        async def consume() -> None:
            await items.get()
            took.set()
            await go.wait()

        consumer = asyncio.create_task(consume())
        await asyncio.sleep(0)
        for n in range(41):
            await items.put(n)
        await took.wait()
        await asyncio.sleep(LATER_S)
        await asyncio.sleep(0.001)
        go.set()
        await consumer

    record_here(lambda: asyncio.run(main()), tmp_path / "t.pftrace")
    ((who, found),) = lengths(tmp_path / "t.pftrace")
    assert who.endswith("consume")
    assert found[-1] == 40


def test_whoever_fills_it_begins_first(tmp_path: Path) -> None:
    """Nobody ever waits for such a queue."""

    async def main() -> None:
        items = asyncio.Queue[int]()

        async def consume() -> None:
            await items.get()

        for n in range(41):
            items.put_nowait(n)
        await consume()
        await asyncio.sleep(LATER_S)
        await asyncio.sleep(0.001)

    record_here(lambda: asyncio.run(main()), tmp_path / "t.pftrace")
    ((who, found),) = lengths(tmp_path / "t.pftrace")
    assert who.endswith("consume")
    assert found[-1] == 40


def test_of_threads_that_is_filled_first(tmp_path: Path) -> None:
    items, go = queue.Queue[int](), threading.Event()

    def consume() -> None:
        items.get()

    def work() -> None:
        for n in range(41):
            items.put(n)
        consume()
        time.sleep(LATER_S)
        go.wait(0.001)

    record_here(work, tmp_path / "t.pftrace")
    ((who, found),) = lengths(tmp_path / "t.pftrace")
    assert who.endswith("consume")
    assert found[-1] == 40


TRIO = """
import trio

async def consume(channel):
    await channel.receive()

async def main():
    put, channel = trio.open_memory_channel(100)
    for n in range(41):
        put.send_nowait(n)
    await consume(channel)
    await trio.sleep(0.15)
    await trio.sleep(0.001)

trio.run(main)
"""


def test_of_trio(record: Recorder) -> None:
    pytest.importorskip("trio")
    ((who, found),) = lengths(record(TRIO))
    assert (who, found[-1]) == ("consume", 40)


AFTER_MANY = """
import queue, threading

items, more = queue.Queue(), queue.Queue()
for n in range(200):
    items.put(n)
    items.get()
for n in range(41):
    more.put(n)
more.get()
threading.Event().wait(0.15), threading.Event().wait(0.001)
"""


def test_only_the_first_calls_are_looked_at(record: Recorder) -> None:
    """Later ones cost nothing; a queue is known from the first wait on then."""
    assert lengths(record(AFTER_MANY)) == []


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


def test_one_that_is_broken_when_a_call_raises(tmp_path: Path) -> None:
    """The program gets the call's exception."""
    items = queue.Queue[int]()
    raised: list[str] = []

    def work() -> None:
        consumer = threading.Thread(target=lambda: items.get())
        consumer.start()
        until_it_sleeps_in(consumer, "wait", "acquire")
        items.put(1)
        consumer.join()
        del items.queue
        one, other = socket.socketpair()
        with one, other:
            one.settimeout(LATER_S)
            try:
                one.recv(1)
            except Exception as error:
                raised.append(type(error).__name__)

    record_here(work, tmp_path / "t.pftrace")
    assert raised == ["TimeoutError"]


# The interpreter frees what lies so deep (at 49, on 3.12) only after all that is around it.
POSTPONED = """
import queue, threading, time

class Waits:
    def __del__(self):
        time.sleep(0.11), time.sleep(0.001)

class Items(queue.Queue):
    pass

def look(thread, items):  # None: it does not sleep at the queue
    with open(f"/proc/self/task/{thread.native_id}/status") as status:
        text = status.read()
    is_there = items.not_empty._waiters and "State:\\tS" in text
    return text.partition("\\nvoluntary_ctxt_switches:")[2] if is_there else None

def until_it_sleeps(thread, items):
    last = None
    while last is None or last != look(thread, items):
        last = look(thread, items)
        time.sleep(0.001)  # if it waits for the GIL, it gets it here

for depth in 48, 49:
    items = Items()
    consumer = threading.Thread(target=lambda: items.get())
    consumer.start()
    until_it_sleeps(consumer, items)
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
