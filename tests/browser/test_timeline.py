"""What the lanes and the strips above them show, as the page itself reports it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip(
    "playwright",
    reason="needs playwright: python3 -m uv run --all-groups pytest tests/browser",
)

from tests.browser.page import Opened, open_page
from tests.browser.perfetto_ui import NEEDS_CHROMIUM
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import Service
from tests.support.models import trace_file
from tests.support.stories.waits import MS, blocked_loop, gil_hog
from tracer import schema as s

pytestmark = NEEDS_CHROMIUM

PIECES = """async (title) => {
  const { timelines } = await import("./timeline.js");
  const one = timelines()[0];
  return one.pieces(one.rows.find((row) => row.title === title));
}"""
FRAME = """async () => {
  const { timelines } = await import("./timeline.js");
  const one = timelines()[0];
  return { left: one.left, width: one.width, scale: one.scale };
}"""

LABELS = """async () => {
  const { when } = await import("./clock.js");
  const one = (await import("./timeline.js")).timelines()[0];
  return one.ticks().map(({ at, step }) => when(at, step * 100));
}"""


def pieces(opened: Opened, title: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = opened.page.evaluate(PIECES, title)
    return found


def test_slice_in_several_tiles_is_one(tmp_path: Path) -> None:
    """A slice as long as the view is in two tiles or more: it has one piece, one label."""
    trace = TraceBuilder(signals="threads,gil")
    trace.thread("MainThread").running(0).end(10 * MS)
    with open_page(trace_file(tmp_path, trace.ended(10 * MS))) as opened:
        opened.go("#/threads")
        (piece,) = pieces(opened, "MainThread")
        frame = opened.page.evaluate(FRAME)
        assert piece["x"] == frame["left"]
        assert piece["x"] + piece["width"] == pytest.approx(frame["width"])
        # Cut where the view is, not where a tile is
        opened.go("#/threads?from=2000000&to=9000000")
        (piece,) = pieces(opened, "MainThread")
        assert piece["x"] == frame["left"]
        assert piece["x"] + piece["width"] == pytest.approx(frame["width"])
        assert (piece["from"], piece["to"]) == (0, 10 * MS)
        assert opened.complaints == []


def test_long_steps_are_marked_wherever_they_are_drawn(tmp_path: Path) -> None:
    """The step that blocks the loop has its own colour on the lanes too, however far away."""
    with open_page(trace_file(tmp_path, blocked_loop())) as opened:
        opened.go("#/threads")
        states = {
            piece["label"]: piece["state"] for piece in pieces(opened, "loop @MainThread")
        }
        assert states["handler"] == "blocked"
        assert states["flush_metrics"] == "callback"
        assert "blocks the loop" in opened.page.inner_text("main .legend")


def test_axis_of_the_whole_recording(tmp_path: Path) -> None:
    """The strips have a time axis; the button of the range covers neither it nor them."""
    with open_page(trace_file(tmp_path, gil_hog())) as opened:
        opened.go("#/threads?from=100000000&to=150000000")
        told = opened.page.locator(".mini .axis span").all_text_contents()
        assert told[0] == "0"
        assert len(told) > 3
        chip = opened.page.locator(".mini .chip")
        assert chip.inner_text() == "✕ 100.0 ms to 150.0 ms"
        box = chip.bounding_box()
        axis = opened.page.locator(".mini .axis").bounding_box()
        assert box is not None
        assert axis is not None
        assert box["x"] + box["width"] <= axis["x"]
        assert box["y"] + box["height"] <= axis["y"] + 19  # the first strip


@pytest.mark.parametrize("width", [900, 1440])
def test_shares_do_not_depend_on_the_window(tmp_path: Path, width: int) -> None:
    """The numbers beside the strips are the server's, whatever the pixels show."""
    trace = TraceBuilder(signals="threads,gil")
    thread = trace.thread("MainThread")
    for at in range(0, 10_000, 10):
        thread.running(at * 1_000).native(at * 1_000 + 1_234)
    thread.end(10 * MS)
    with open_page(trace_file(tmp_path, trace.ended(10 * MS))) as opened:
        opened.page.set_viewport_size({"width": width, "height": 700})
        opened.go("#/overview")
        opened.page.locator(".mini .share", has_text="12 %").wait_for()
        assert opened.page.locator(".mini .share").all_text_contents() == [
            "not recorded",
            "12 %",
            "not recorded",
        ]


def test_time_of_day(tmp_path: Path) -> None:
    """The axis shows the time of day when asked to; the address keeps it."""
    with open_page(trace_file(tmp_path, blocked_loop())) as opened:
        opened.go("#/threads")
        began = opened.page.evaluate("() => fetch('api/meta').then((a) => a.json())")
        ms = int(began["start_unix_ns"]) // MS
        wanted = opened.page.evaluate("(ms) => new Date(ms).toTimeString().slice(0, 8)", ms)
        opened.page.get_by_role("button", name="Time of day").click()
        opened.settle()
        first = opened.page.locator(".mini .axis span").first
        assert first.inner_text() == f"{wanted}.{ms % 1000 // 10:02}"  # marks of 10 ms
        opened.go("#/threads?clock=day&from=3456789&to=23456789")
        chip = opened.page.locator(".mini .chip").inner_text()
        assert chip == f"✕ {wanted}.{ms % 1000 + 3:03}4 + 20.0 ms"
        # Round times of day, though the view begins at none
        shown = opened.page.evaluate(LABELS)
        assert [text.rpartition(":")[2] for text in shown] == [
            f"{ms // 1000 % 60:02}.{(ms % 1000 + n):03}" for n in (5, 10, 15, 20)
        ]
        assert "clock=day" in opened.page.url
        opened.page.keyboard.press("t")
        opened.settle()
        assert first.inner_text() == "0"
        assert opened.complaints == []


def test_lanes_of_tasks_come_first(tmp_path: Path) -> None:
    """On Tasks, on a coroutine's page and on a task's: loops, then tasks, above all tables."""
    with open_page(trace_file(tmp_path, blocked_loop())) as opened:
        opened.go("#/tasks")
        for title in ("loop @MainThread", "ticker", "handler #3"):
            assert pieces(opened, title)
        for link in ("", "?coro=tick&site=%2Fapp%2Fblocked_loop.py%3A9%20tick"):
            opened.go(f"#/tasks{link}")
            lane, table = (
                opened.page.locator(what).first.bounding_box()
                for what in ("main .timeline", "main table")
            )
            assert lane is not None
            assert table is not None
            assert lane["y"] < table["y"]
        opened.page.locator("tbody tr", has_text="ticker").click()
        opened.page.get_by_text("The life of ticker").wait_for()
        assert opened.complaints == []


def test_finding_leads_to_its_slice(tmp_path: Path) -> None:
    """`Show` of a blocked loop: the step is selected, in view and explained."""
    with open_page(trace_file(tmp_path, Service().blocks(3, 30 * MS))) as opened:
        opened.go("#/overview")
        opened.page.get_by_role("button", name="Show").click()
        opened.page.locator("aside h2", has_text="hog").wait_for()
        opened.settle()
        selected = opened.page.evaluate("() => location.hash").partition("sel=loops%3A")[2]
        (piece,) = (
            one
            for one in pieces(opened, "loop @MainThread")
            if str(one["row"]) == selected.partition("&")[0]
        )
        assert piece["state"] == "blocked"
        assert piece["width"] > 100
        assert "What it did" in opened.page.inner_text("aside")
        assert "computing" in opened.page.inner_text("aside .parts")
        assert opened.complaints == []


def test_histograms_have_axes(tmp_path: Path) -> None:
    """Those of a table have one scale, which its head names; a large one has bounds below."""
    with open_page(trace_file(tmp_path, blocked_loop())) as opened:
        opened.go("#/tasks")
        head = opened.page.locator("th", has_text="Ready").first.inner_text()
        assert head.startswith("Ready: 2")
        assert head.endswith("50.0 ms")
        numbers = opened.page.locator(".histogram").evaluate_all(
            "(all) => all.map((one) => one.children.length)"
        )
        assert len(numbers) == 3
        assert len(set(numbers)) == 1
        opened.page.locator("tbody tr", has_text="tick").first.click()
        opened.page.locator(".histogram.large").wait_for()
        large = opened.page.locator(".histogram.large")
        said = [text for text in large.locator("small").all_inner_texts() if text]
        assert said[0] == "500 µs"
        assert said[1:] == ["1.00 ms", "10.0 ms"]
        assert large.locator("b").first.inner_text() == "1"


def test_like_threads_are_one_row(tmp_path: Path) -> None:
    """Threads that differ only in a number are summed up in one row, which opens."""
    trace = TraceBuilder(signals="threads,locks")
    for n in range(7):
        trace.thread(f"request-{n}").lock_wait(
            n * MS, "Lock", lock=1, site="/app/a.py:1 f", acquired=False
        ).end((n + 1) * MS)
    with open_page(trace_file(tmp_path, trace.ended(8 * MS))) as opened:
        opened.go("#/threads")
        rows = opened.page.locator("main tbody tr")
        assert rows.count() == 1
        assert "request-N×7" in rows.first.inner_text()
        assert "7.00 ms" in rows.first.inner_text()
        rows.first.click()
        assert rows.count() == 8
        rows.nth(1).click()
        opened.settle()
        assert "#/cpu?thread=" in opened.page.url
        opened.turn_to("overview")
        assert "request-N" in opened.page.inner_text("main")
        assert "request-3" not in opened.page.inner_text("main")
        assert opened.complaints == []


def test_library_comes_second(tmp_path: Path) -> None:
    """A wait inside a package has the place in the user's code first."""
    trace = TraceBuilder(signals="io")
    thread = trace.thread("MainThread")
    package = "/usr/lib/python3/site-packages/pool.py"
    stack = f"{package}:5 _read\n{package}:9 Pool.get\n/srv/app/views.py:7 show"
    thread.io(0, "socket.recv", site=f"{package}:5 _read")
    assert thread.state is not None
    thread.state.args["stack"] = stack
    thread.end(2 * MS)
    with open_page(trace_file(tmp_path, trace.ended(3 * MS))) as opened:
        opened.go("#/io")
        cell = opened.page.locator("main tbody td").first
        assert "app/views.py:7, via Pool.get" in cell.inner_text()


def test_names_are_cut_in_the_middle(tmp_path: Path) -> None:
    """Beside the lanes the end of a name stays: it is what distinguishes a worker."""
    with open_page(trace_file(tmp_path, gil_hog())) as opened:
        opened.go("#/threads")
        cut, width = opened.page.evaluate(
            """async () => {
              const { shortened } = await import("./draw.js");
              const { pen } = (await import("./timeline.js")).timelines()[0];
              const text = shortened(pen, "ThreadPoolExecutor-jobs-0_17", 90);
              return [text, pen.measureText(text).width];
            }"""
        )
        assert cut.startswith("Thr")
        assert cut.endswith("0_17")
        assert width <= 90


def test_strips_have_all_loops(tmp_path: Path) -> None:
    """The strip shows what any loop did, also the twentieth."""
    trace = TraceBuilder(signals="tasks")
    for n in range(20):
        loop = trace.loop(trace.thread(f"thread-{n}"))
        loop.callback("f", "/app/a.py:1 f", n * MS // 2, (n + 1) * MS // 2)
    with open_page(trace_file(tmp_path, trace.ended(10 * MS))) as opened:
        opened.go("#/overview")
        opened.page.locator(".mini .share", has_text="100 %").wait_for()
        opened.page.wait_for_function(
            """() => {
              const canvas = document.querySelector(".mini canvas");
              const style = getComputedStyle(document.documentElement);
              const step = style.getPropertyValue("--s-step").match(/[0-9a-f]{2}/g);
              const wanted = step.map((part) => parseInt(part, 16)).join();
              const [x, y] = [canvas.clientWidth - 17 - 100, 22 + 9];
              const [red, green, blue] = canvas.getContext("2d")
                .getImageData(x * devicePixelRatio, y * devicePixelRatio, 1, 1).data;
              return [red, green, blue].join() === wanted;
            }"""
        )


@pytest.mark.parametrize(
    ("kind", "task", "loop"),
    [
        (s.TRACK_LOOP_PREFIX, "task", "loop"),
        (s.TRACK_GREENLETS_PREFIX, "greenlet", "hub"),
        (s.TRACK_TRIO_PREFIX, "trio task", "loop"),
    ],
)
def test_words_are_those_of_the_loops_kind(
    kind: str, task: str, loop: str, tmp_path: Path
) -> None:
    """The page says greenlet and hub, or trio task, as the report does."""
    trace = TraceBuilder()
    made = trace.loop(trace.thread("MainThread"), kind).task("serve", site="app.py:1")
    made.ready(0).running(1000).done(2000)
    with open_page(trace_file(tmp_path, trace.ended(3000))) as opened:
        opened.go("#/tasks")
        page = opened.page
        capital = task.capitalize()
        assert page.locator(f"nav a:text-is('{capital}s')").count() == 1
        page.locator("thead th", has_text=f"{capital}s").wait_for()
        page.get_by_text(f"how long their {task}s were ready").wait_for()
        page.locator("tbody tr", has_text="serve").click()
        page.get_by_text(f"what the {loop} ran while its {task}s were ready").wait_for()
        assert page.get_by_text(f"{task} step").count() >= 1
        assert opened.complaints == []
