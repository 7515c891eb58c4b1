"""Permits of two semaphores: each side has those that the other one waits for."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in

UP, DOWN = "/app/order.py:10 up", "/app/order.py:17 down"


def crossed(gates=2, in_vain=True, away=False, ns=700 * MS):
    """`up` has a permit of one semaphore, `down` of the other, and each wants the other's.
    `away`: who has what `down` wants does something else."""
    trace = TraceBuilder(argv="order.py", signals=SIGNALS)
    loop = trace.loop(trace.thread("MainThread").native(0))
    locks = [trace.lock("Semaphore", site) for site in (UP, DOWN)][:gates]
    up, down = loop.task("up", site=UP), loop.task("down", site=DOWN)
    other = loop.task("other", site="/app/order.py:30 other").ready(0).running(1)
    other.awaits(2, "sleep", site="/app/order.py:31 other")
    for n, (task, site, has) in enumerate(
        ((up, UP, down), (down, DOWN, other if away else up))
    ):
        task.ready(0).running(10 + n).awaits(
            MS + n, "Semaphore", site=site, lock=locks[n % gates].id, slots=1, stack=site,
            holders=f"{has.coro} ({has.id})", acquired=not in_vain,
        )  # fmt: skip
    if in_vain:
        up.ready(ns, waker="timer").running(ns + 1).done(ns + 2, "cancelled")
        down.ready(ns + 3, waker="timer").running(ns + 4).done(ns + 5, "cancelled")
        other.ready(ns + 6, waker="timer").running(ns + 7)
    else:
        other.ready(ns - 2, waker="timer").running(ns - 1)
        up.ready(ns, by=other).running(ns + 1)
        down.ready(ns + 2, by=up).running(ns + 3)
        up.done(ns + 5)
        down.done(ns + 6)
    other.done(ns + 10)
    return trace.ended(ns + MS)


def test_each_has_what_the_other_one_wants(tmp_path):
    found, *_ = find_in(tmp_path, crossed())
    assert found.finding == "deadlock"
    assert "`up` in `up` (order.py:10) waits for a permit of a `Semaphore`" in found.text
    assert "take both in one order" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"in_vain": False}, id="they get on"),
        pytest.param({"away": True}, id="one of them waits for somebody else"),
        pytest.param({"ns": 40 * MS}, id="they give up at once"),
        pytest.param({"gates": 1}, id="it is one semaphore: told of all who wait for it"),
    ],
)
def test_no_circle_through_two(tmp_path, story):
    found = find_in(tmp_path, crossed(**story))
    assert not any("in one order" in one.text for one in found)
