"""Slots of those who await others behind the line of the waits, or have subscribed."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

RUN = "/app/crawl.py:8 run"


def crawl(ns=700 * MS, at_line=10, lives=True, children=2, others=False, told=()):
    """`run` has a permit and awaits a child of another coroutine, which waits for one there to
    the end. `told`: of each child, which creator has the permits that it waits for, as the
    trace says; of other ones for each creator."""
    trace = TraceBuilder(argv="crawl.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop, at = trace.loop(thread), MS
    behind = f"/app/crawl.py:{at_line} run"
    pages = [loop.task("page", site="/app/crawl.py:5 page") for _ in range(children)]
    locks = [trace.lock("Semaphore", RUN) for _ in {*told}]
    for n, parent in enumerate(pages):
        had = (
            {"lock": locks[told[n]].id, "holders": f"page ({pages[told[n]].id})"}
            if told
            else {}
        )
        parent.ready(at).running(at + 1)
        child = loop.task("link", site="/app/crawl.py:15 link", parent=parent.id)
        child.ready(at + 2)
        parent.awaits(at + MS, "gather", site=behind, stack=behind)
        loop.step(parent, at + 1, at + MS)
        child.running(at + MS).awaits(at + 2 * MS, "Semaphore", site=RUN, stack=RUN, **had)
        loop.step(child, at + MS, at + 2 * MS)
        at += 3 * MS
        if not lives:
            parent.ready(at).running(at + 1).done(at + MS)
            loop.step(parent, at + 1, at + MS)
            at += 2 * MS
    if others:
        busy = loop.task("busy", site="/app/crawl.py:20 busy")
        busy.ready(0).running(1).awaits(MS, "sleep", site=behind, stack=behind)
        loop.step(busy, 1, MS)
    thread.io(at, "select.epoll.poll").running(at + ns).end(at + ns + MS)
    return trace


def test_permits_of_those_who_wait_for_others(tmp_path):
    (found,) = find_in(tmp_path, crawl())
    assert found.finding == "deadlock"
    assert found.text.endswith(
        "2 tasks `link` wait for a permit of a `Semaphore` in `run` (crawl.py:8), and 2 tasks "
        "`page` hold them all and wait for those. Who holds a permit must not wait for "
        "another one of the same pool: give it back before, or use a second pool."
    )
    assert found.evidence.site == RUN


def test_permits_of_those_who_wait_for_others_as_the_trace_says(tmp_path):
    """It is told once, and of all who wait."""
    (found,) = find_in(tmp_path, crawl(told=(0, 0)))
    assert found.finding == "deadlock"
    assert "2 tasks `link` wait for a permit of a `Semaphore` in `run`" in found.text
    assert "Who holds a permit must not wait for another one" in found.text


def test_permits_of_two_semaphores(tmp_path):
    """Each child waits for what the creator of the other one has."""
    found = find_in(tmp_path, crawl(told=(1, 0), at_line=7))
    assert [one.finding for one in found] == ["deadlock"]
    assert "which `page` has" in found[0].text
    assert "take both in one order" in found[0].text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"at_line": 7}, id="before that line"),
        pytest.param({"lives": False}, id="the creator has ended"),
    ],
)
def test_permits_of_somebody(tmp_path, story):
    assert kinds(tmp_path, crawl(**story)) == ["slots never returned"]


def test_permits_of_somebody_else_as_well(tmp_path):
    assert kinds(tmp_path, crawl(others=True)) == ["pool exhausted"]


def test_short_waits(tmp_path):
    assert kinds(tmp_path, crawl(ns=150 * MS)) == []


JOIN, LOAD = "/app/rooms.py:14 join", "/app/rooms.py:21 load"


def subscribers(count=2, slots=2):
    """`visit` subscribes and then asks for something else; `show` gets no connection."""
    trace = TraceBuilder(argv="rooms.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop, at = trace.loop(thread), MS
    for n in range(count):
        visit = loop.task("visit", site="/app/rooms.py:25 visit", name=f"visit-{n}")
        visit.ready(at)
        for what, site in (("message (redis)", JOIN), ("command (redis)", LOAD)):
            visit.running(at + 1).awaits(at + MS, what, site=site, stack=site)
            loop.step(visit, at + 1, at + MS)
            at += 2 * MS
            visit.ready(at, waker="io")
        visit.running(at + 1).done(at + MS)
        loop.step(visit, at + 1, at + MS)
        at += 2 * MS
    show = loop.task("show", site="/app/rooms.py:30 show").ready(at).running(at + 1)
    name = "connection pool (redis)"
    show.awaits(at + MS, name, site=LOAD, stack=LOAD, slots=slots)
    loop.step(show, at + 1, at + MS)
    thread.io(at + MS, "select.epoll.poll").running(at + 801 * MS)
    show.ready(at + 801 * MS, waker="timer").running(at + 801 * MS).done(at + 802 * MS)
    loop.step(show, at + 801 * MS, at + 802 * MS)
    thread.end(at + 803 * MS)
    return trace.ended(at + 804 * MS)


def test_who_listens_keeps_the_connection(tmp_path):
    (found,) = find_in(tmp_path, subscribers())
    assert found.finding == "slots never returned"
    assert (
        "; 2 tasks `visit-N` held one last in `join` (rooms.py:14), and ended." in found.text
    )


@pytest.mark.parametrize("story", [{"slots": 0}, {"slots": 5}])
def test_few_listen(tmp_path, story):
    """Or nobody knows how many connections there are."""
    (found,) = find_in(tmp_path, subscribers(**story))
    assert (
        "; 2 tasks `visit-N` held one last in `load` (rooms.py:21), and ended." in found.text
    )
