"""Greenlets without gevent: who switched to whom, how each ended; nothing of us shows."""

import threading
from pathlib import Path
from typing import Any

import greenlet
import pytest

from tests.support.recordings import join_to_the_end, record_here, task_of, wakers
from tests.support.validator.rules import Summary


def record(main: Any, directory: Path) -> Summary:
    """Runs it in a thread of its own, whose main greenlet is new."""

    def run() -> None:
        thread = threading.Thread(target=main)
        thread.start()
        join_to_the_end(thread)

    return record_here(run, directory / "t.pftrace")[0]


def test_switches(tmp_path: Path) -> None:
    """Two greenlets hand on to each other; the parent goes on when one has ended."""

    def ping() -> None:
        other.switch()
        other.switch()

    def pong() -> None:
        while True:
            first.switch()

    first, other = greenlet.greenlet(ping), greenlet.greenlet(pong)

    def main() -> None:
        first.parent = other.parent = greenlet.getcurrent()
        first.switch()

    summary = record(main, tmp_path)
    main_, ping_, pong_ = (
        task_of(summary, name) for name in ("main greenlet", "ping", "pong")
    )
    assert main_.states == ["running", "await switch", "ready", "running"]
    assert ping_.states == ["ready", "running", *["await switch", "ready", "running"] * 2]
    assert pong_.states == [*["ready", "running", "await switch"] * 2]
    assert wakers(main_) == [{"waker_task": ping_.id}]
    assert wakers(ping_) == [{"waker_task": main_.id}, *[{"waker_task": pong_.id}] * 2]
    assert wakers(pong_) == [{"waker_task": ping_.id}] * 2
    assert (ping_.end, pong_.end, main_.end) == ("done", "", "done")
    assert ping_.slices[0].begin.args["parent"] == main_.id
    assert pong_.slices[0].begin.args["parent"] == ping_.id


def test_ends(tmp_path: Path) -> None:
    """Failed, killed by its parent, killed since nobody kept it, and into its own grave."""
    seen: list[object] = []

    def fails() -> None:
        raise ValueError

    def waits() -> None:
        try:
            greenlet.getcurrent().parent.switch()
        finally:
            seen.append("cleaned up")

    def forgotten() -> None:
        waits()

    def main() -> None:
        with pytest.raises(ValueError):  # noqa: PT011
            greenlet.greenlet(fails).switch()
        killed = greenlet.greenlet(waits)
        killed.switch()
        seen.append(type(killed.throw()))
        dropped = greenlet.greenlet(forgotten)
        dropped.switch()
        del dropped
        seen.append(killed.switch(5))  # it is over: its parent, which is this one, gets it

    summary = record(main, tmp_path)
    assert seen == ["cleaned up", greenlet.GreenletExit, "cleaned up", 5]
    ends = {name: task_of(summary, name).end for name in ("fails", "waits", "main greenlet")}
    assert ends == {
        "fails": "failed: ValueError",
        "waits": "cancelled",
        "main greenlet": "done",
    }
    assert task_of(summary, "forgotten").states[-1] == "running"
    assert task_of(summary, "forgotten").end


def test_the_programs_trace_function(tmp_path: Path) -> None:
    """It is told of each switch, and can be read, replaced and removed; what it raises arrives
    where the switch went."""
    told: list[str] = []
    found: list[object] = []

    def trace(event: str, greenlets: object) -> None:
        told.append(event)

    def fails(event: str, greenlets: object) -> None:
        raise KeyError(event)

    def main() -> None:
        found.append(greenlet.gettrace())
        greenlet.settrace(trace)
        found.append(greenlet.gettrace() is trace)
        greenlet.greenlet(lambda: None).switch()
        greenlet.settrace(fails)
        with pytest.raises(KeyError, match="switch"):
            greenlet.greenlet(lambda: None).switch()
        found.append(greenlet.gettrace())
        found.append(greenlet.settrace(None))

    record(main, tmp_path)
    assert told == ["switch", "switch"]
    assert found == [None, True, None, None]


def test_a_switch_that_is_refused(tmp_path: Path) -> None:
    """To another thread's greenlet, or one that has nothing to run: who switched goes on."""
    theirs: list[greenlet.greenlet] = []

    def keep() -> None:
        theirs.append(greenlet.getcurrent())
        greenlet.getcurrent().parent.switch()

    def main() -> None:
        thread = threading.Thread(target=lambda: greenlet.greenlet(keep).switch())
        thread.start()
        join_to_the_end(thread)
        with pytest.raises(greenlet.error):
            theirs[0].switch()
        with pytest.raises(AttributeError):
            greenlet.greenlet().switch()
        greenlet.greenlet(lambda: None).switch()

    summary = record(main, tmp_path)
    mains = [task for task in summary.tasks.values() if task.coro == "main greenlet"]
    assert {task.end for task in mains} == {"done"}
    assert all(task.states[-1] == "running" for task in mains)


def test_regions_are_the_greenlets(tmp_path: Path) -> None:
    """What the program says in a greenlet is on that one's track."""
    import tracer

    def child() -> None:
        with tracer.region("inner"):
            greenlet.getcurrent().parent.switch()

    def main() -> None:
        one = greenlet.greenlet(child)
        one.switch()
        with tracer.region("outer"):
            one.switch()

    summary = record(main, tmp_path)
    owners = {said.name: said.task for said in summary.user.regions}
    assert owners == {
        "inner": task_of(summary, "child").id,
        "outer": task_of(summary, "main greenlet").id,
    }
