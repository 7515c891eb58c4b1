"""What runs between two steps of a loop, and is no part of either."""

import asyncio
import os
import socket
import threading
import time
from asyncio import events
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.launching import compare, script
from tests.support.loops import NewLoop, needs_uvloop, new_uvloop, on_every_loop, record_on
from tests.support.recordings import record_here, states_of, task_of
from tests.support.validator.rules import Summary, validate
from tracer import schema as s
from tracer.recorder import Options, Recording

Span = list[int]


def compute(span: Span) -> None:
    """In C code alone: it calls no Python function, and keeps the GIL."""
    span.append(time.monotonic_ns())
    while time.monotonic_ns() < span[0] + 2_000_000:
        pass
    span.append(time.monotonic_ns())


def assert_outside(summary: Summary, coro: str, span: Span) -> None:
    """No step of this task has a part of the span."""
    begin_ns, end_ns = span
    steps = states_of(task_of(summary, coro), "running")
    assert steps
    for step in steps:
        assert step.end_ns is not None
        assert step.end_ns <= begin_ns or step.start_ns >= end_ns


class Costly:
    """An object whose end takes its time."""

    def __init__(self, span: Span) -> None:
        self.span = span

    def __del__(self) -> None:
        compute(self.span)


def fails_with(costly: Costly) -> Exception:
    error = ValueError()
    error.costly = costly  # type: ignore[attr-defined]
    return error


@on_every_loop
@pytest.mark.parametrize("is_error", [False, True])
def test_what_a_future_held(is_error: bool, new_loop: NewLoop, tmp_path: Path) -> None:
    """The loop drops the future that woke a task after its step, before the next one's."""
    dropped: Span = []

    async def takes(futures: list[asyncio.Future[object]], for_good: asyncio.Event) -> None:
        with suppress(ValueError):
            await futures.pop()
        await for_good.wait()

    async def next_one(woken: asyncio.Future[None]) -> None:
        await woken

    async def main() -> None:
        loop = asyncio.get_running_loop()
        futures, woken = [loop.create_future()], loop.create_future()
        for_good = asyncio.Event()
        taking = asyncio.create_task(takes(futures, for_good))
        following = asyncio.create_task(next_one(woken))
        future = futures[0]
        await asyncio.sleep(0)
        if is_error:
            future.set_exception(fails_with(Costly(dropped)))
        else:
            future.set_result(Costly(dropped))
        del future
        woken.set_result(None)
        await following
        for_good.set()
        await taking

    summary = record_on(new_loop, main, tmp_path)
    assert_outside(summary, "next_one", dropped)


@on_every_loop
def test_what_futures_held_again_and_again(new_loop: NewLoop, tmp_path: Path) -> None:
    """The first time, a step's end records more than later."""
    dropped: list[Span] = []

    async def takes_two(futures: list[asyncio.Future[object]]) -> None:
        await futures.pop()
        await futures.pop()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(3):
            lasts = [loop.create_future() for _ in range(2)]
            firsts = [loop.create_future() for _ in range(2)]
            pairs = [list(pair) for pair in zip(lasts, firsts, strict=True)]
            tasks = [asyncio.create_task(takes_two(pair)) for pair in pairs]
            await asyncio.sleep(0)
            dropped.append([])
            first, second = firsts
            firsts.clear()
            first.set_result(Costly(dropped[-1]))
            second.set_result(None)
            del first
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            for last in lasts:
                last.set_result(None)
            await asyncio.gather(*tasks)

    summary = record_on(new_loop, main, tmp_path)
    assert [len(span) for span in dropped] == [2, 2, 2]
    for task in summary.tasks.values():
        for step in states_of(task, "running"):
            for begin_ns, end_ns in dropped:
                assert step.end_ns is not None
                assert step.end_ns <= begin_ns or step.start_ns >= end_ns


class Embedded(asyncio.SelectorEventLoop):
    """Its steps are run by somebody else's loop, as in a user interface."""

    def __init__(self, between: Callable[[], None]) -> None:
        super().__init__()
        self.between = between

    def stop(self) -> None:
        self.is_over = True

    def run_forever(self) -> None:
        self.is_over = False
        events._set_running_loop(self)
        try:
            while not self.is_over:
                self._ready.popleft()._run()  # type: ignore[attr-defined]
                self.between()
        finally:
            events._set_running_loop(None)


def test_a_loop_inside_another(tmp_path: Path) -> None:
    """What that one does between two steps belongs to neither."""
    spans: list[Span] = []

    def between() -> None:
        spans.append([])
        compute(spans[-1])

    async def main() -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    def run() -> None:
        loop = Embedded(between)
        loop.run_until_complete(main())
        loop.close()

    summary, _ = record_here(run, tmp_path / "t.pftrace")
    assert len(spans) >= 4
    for span in spans:
        assert_outside(summary, "main", span)


@on_every_loop
def test_a_recording_that_starts_in_a_callback(new_loop: NewLoop, tmp_path: Path) -> None:
    """Tasks are waiting then: the rest of the callback is no part of the step that follows."""
    path = tmp_path / "t.pftrace"
    rest: Span = []
    recording = Recording(Options(str(path), argv=("test",)))

    async def waits(woken: asyncio.Future[None]) -> None:
        await woken

    async def main() -> None:
        loop = asyncio.get_running_loop()
        woken = loop.create_future()
        waiting = asyncio.create_task(waits(woken))

        def starts() -> None:
            recording.start()
            compute(rest)

        loop.call_soon(starts)
        loop.call_soon(woken.set_result, None)
        await waiting

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
    recording.stop()
    assert_outside(validate(path.read_bytes()), "waits", rest)


@needs_uvloop
def test_a_function_that_the_loop_calls_and_that_releases_the_gil(tmp_path: Path) -> None:
    """It has the GIL from then on until it returns, which is no part of the poll."""
    computed: Span = []

    class Fails(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            raise ValueError

    async def main() -> None:
        loop = asyncio.get_running_loop()
        handled = loop.create_future()

        def handles(_loop: asyncio.AbstractEventLoop, _about: dict[str, object]) -> None:
            handled.set_result(None)
            os.sched_yield()
            computed.append(time.monotonic_ns())
            while time.monotonic_ns() < computed[0] + 2_000_000:
                pass
            computed.append(time.monotonic_ns())

        loop.set_exception_handler(handles)
        here, there = socket.socketpair()
        transport, _ = await loop.create_connection(Fails, sock=here)
        there.send(b"x")
        await handled
        await asyncio.sleep(0.5)  # long: a slow machine must not miss the poll
        transport.close()
        there.close()

    summary = record_on(new_uvloop, main, tmp_path)
    begin_ns, end_ns = computed
    lane = summary.lanes[os.getpid(), threading.get_native_id()]
    assert lane.named(s.IO_PREFIX + "epoll_pwait")
    for each in lane.slices:
        if each.category == s.CAT_IO or each.name == s.NATIVE:
            assert each.end_ns is not None
            assert each.end_ns <= begin_ns or each.start_ns >= end_ns


DEEP_AND_SHALLOW = """
import asyncio

import uvloop


async def main():
    await asyncio.sleep(0)


def run(depth):
    if depth:
        run(depth - 1)
    else:
        loop.run_until_complete(main())


loop = uvloop.new_event_loop()
for depth in range(0, 150, 3):
    run(depth)
    run(0)
loop.close()
"""


@needs_uvloop
def test_a_loop_that_runs_again_less_deep(tmp_path: Path) -> None:
    """The interpreter has freed the piece of its stack on which the loop ran before."""
    plain, traced = compare(script("deep", DEEP_AND_SHALLOW), tmp_path)
    assert plain.status == 0, plain.stderr
    assert plain == traced
