"""What the end of a program's main task waited for: which task awaited what meanwhile."""

from pathlib import Path

import pytest

from tests.support.builder.trace import Task, TraceBuilder
from tests.support.finding import SIGNALS
from tests.support.models import model_of
from tests.support.stories.waits import MS
from viewer.analysis.causes import taskpath
from viewer.analysis.causes.spent import spent
from viewer.analysis.report import build_report
from viewer.analysis.tasks import By
from viewer.render.text.overview import overview
from viewer.render.text.tables import Style

MAIN = "/app/a.py:1 main"
FETCH = "/app/a.py:2 fetch"
ASK = "/app/a.py:5 ask"


class Story:
    """`main` makes `fetch` and awaits it from 2 ms on."""

    def __init__(self) -> None:
        self.trace = TraceBuilder(signals=SIGNALS)
        self.thread = self.trace.thread("MainThread").running(0)
        self.loop = self.trace.loop(self.thread)
        self.main = self.loop.task("main", site=MAIN).ready(0).running(2 * MS)
        self.fetch = self.loop.task("fetch", site=FETCH, parent=self.main.id).ready(2 * MS)
        self.main.awaits(2 * MS, "gather", site="/app/a.py:9 main")
        self.fetch.running(2 * MS)
        for task in (self.main, self.fetch):
            self.loop.step(task, 2 * MS, 2 * MS)

    def awaited(
        self, since: int, until: int, what: str = "socket", by: str = "io", site: str = ASK
    ) -> Task:
        """`fetch` awaits something from one moment on."""
        self.fetch.awaits(since * MS, what, site=site)
        self.loop.step(self.fetch, until * MS, until * MS)
        return self.fetch.ready(until * MS, waker=by).running(until * MS)

    def over(self, at: int, end: int) -> None:
        """`fetch` ends, and with it the await of `main`."""
        self.main.ready(at * MS, by=self.fetch)
        self.fetch.done(at * MS)
        self.main.running(at * MS).done(end * MS)
        self.loop.step(self.main, at * MS, end * MS)

    def told(self, folder: Path, end: int) -> list[tuple[str, str, str, int]]:
        self.thread.end(end * MS)
        found = spent(model_of(folder, self.trace.ended(end * MS)))
        return [(one.did, one.call, one.site, one.ns // MS) for one in found]


def test_what_the_awaited_task_awaited(tmp_path: Path) -> None:
    """The main task's own await is no part of it, but what the other one did meanwhile."""
    story = Story()
    story.awaited(2, 50)
    story.awaited(50, 90)
    story.over(90, 100)
    assert story.told(tmp_path, 100) == [
        ("awaiting", "socket", "/app/a.py:5 ask", 88),
        ("computing", "", "", 12),
    ]


@pytest.mark.parametrize("what", ["gather", "wait", "sleep"])
def test_what_had_not_come_when_it_was_given_up(tmp_path: Path, what: str) -> None:
    """Of an await for tasks it is what the one awaited that was still there."""
    story = Story()
    story.fetch.awaits(2 * MS, "socket", site="/app/a.py:5 ask")
    story.main.ready(12 * MS, waker="io").running(12 * MS)
    story.loop.step(story.main, 12 * MS, 12 * MS)
    story.main.awaits(12 * MS, what, site="/app/a.py:9 main")
    story.main.ready(90 * MS, waker="timer").running(90 * MS).done(90 * MS)
    story.loop.step(story.main, 90 * MS, 90 * MS)
    first, *_ = story.told(tmp_path, 100)
    if what == "sleep":
        assert first == ("awaiting", "sleep", "/app/a.py:9 main", 78)
    else:
        assert first == ("awaiting in vain", "socket", "/app/a.py:5 ask", 78)


def test_what_the_loop_was_busy_with_is_not_awaited(tmp_path: Path) -> None:
    """What comes from outside may come as the loop has no time for it."""
    story = Story()
    story.loop.callback("feed", "/app/a.py:7 feed", 20 * MS, 80 * MS)
    story.awaited(2, 90, "future")
    story.over(90, 100)
    assert story.told(tmp_path, 100) == [
        ("computing", "", "", 72),
        ("awaiting", "future", "/app/a.py:5 ask", 28),
    ]


@pytest.mark.parametrize("what", ["executor", "executor (aiosqlite)"])
def test_what_a_thread_did_for_it(tmp_path: Path, what: str) -> None:
    """A job of the program; of a library's own thread its await says more."""
    story = Story()
    worker = story.trace.thread("asyncio_0").native(0)
    worker.sleep(10 * MS, site="/app/a.py:4 work").native(90 * MS)
    story.fetch.awaits(2 * MS, what, site="/app/a.py:5 ask")
    story.fetch.ready(90 * MS, by=worker.wakes(90 * MS), waker_thread=worker.tid)
    story.fetch.running(90 * MS)
    story.loop.step(story.fetch, 90 * MS, 90 * MS)
    worker.end(99 * MS)
    story.over(90, 100)
    first, *_ = story.told(tmp_path, 100)
    own, asks = ("asleep", "sleep", "/app/a.py:4 work", 80), ("awaiting", what, ASK, 88)
    assert first == (own if what == "executor" else asks)


def test_what_a_librarys_task_awaited_the_program_did(tmp_path: Path) -> None:
    story = Story()
    story.awaited(2, 90, site="/usr/lib/python3.13/site-packages/grpc/aio/_call.py:595 invoke")
    story.over(90, 100)
    assert story.told(tmp_path, 100)[0] == ("awaiting", "socket", "/app/a.py:9 main", 88)


def test_what_cleans_up_when_the_main_task_is_over(tmp_path: Path) -> None:
    story = Story()
    story.main.ready(10 * MS, waker="timer").running(10 * MS).done(10 * MS)
    story.loop.step(story.main, 10 * MS, 10 * MS)
    story.awaited(2, 90).done(90 * MS, "cancelled")
    assert story.told(tmp_path, 100)[:2] == [
        ("awaiting", "socket", ASK, 80),
        ("computing", "", "", 12),
    ]


def test_a_path_of_too_many_steps_counts_from_where_it_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taskpath, "_MOST_STEPS", 6)
    story = Story()
    for n in range(1, 9):
        story.awaited(n * 10 if n > 1 else 2, (n + 1) * 10)
    story.over(90, 100)
    told = story.told(tmp_path, 100)
    assert sum(ns for *_, ns in told) == 100
    assert ("awaiting", "socket", ASK, 40) in told


def test_it_is_on_the_first_screen(tmp_path: Path) -> None:
    story = Story()
    story.awaited(2, 150, "sleep", "timer")
    story.awaited(150, 300, "sleep", "timer")
    story.over(300, 301)
    story.thread.end(301 * MS)
    made = build_report(model_of(tmp_path, story.trace.ended(301 * MS)), By.CORO)
    screen = " ".join(overview(made, Style(200)).split())
    assert "99 % went to `fetch` in `ask` (app/a.py:5), awaiting `sleep` 2 times" in screen
