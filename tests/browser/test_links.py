"""What the page says about links, searches and servers that lead nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip(
    "playwright",
    reason="needs playwright: python3 -m uv run --all-groups pytest tests/browser",
)

from tests.browser.page import open_page
from tests.browser.perfetto_ui import NEEDS_CHROMIUM
from tests.support.builder.trace import TraceBuilder
from tests.support.models import trace_file
from tests.support.stories.waits import MS, gil_hog, lock_convoy

pytestmark = NEEDS_CHROMIUM

# Whether a lane is inside the part of the first timeline that is on screen.
SEEN = """async (title) => {
  const { timelines } = await import("./timeline.js");
  const one = timelines()[0];
  const row = one.rows.find((row) => row.title.startsWith(title));
  const top = row.top - one.node.scrollTop;
  return top >= 0 && top + row.height <= one.node.clientHeight - 24;
}"""


def test_search_without_a_hit(tmp_path: Path) -> None:
    """It says so, and what it knows."""
    with open_page(trace_file(tmp_path, gil_hog())) as opened:
        opened.go("")
        opened.page.keyboard.press("/")
        opened.page.locator("dialog input").fill("no such thing")
        said = opened.page.locator("dialog li").all_inner_texts()
        assert len(said) == 1
        assert "Nothing is called “no such thing”" in said[0]
        opened.page.locator("dialog input").fill("compress")
        assert "compress" in opened.page.locator("dialog li").first.inner_text()


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("#/nowhere", "There is no page “nowhere”"),
        ("#/threads?from=abc", "“from=abc” means nothing here"),
        ("#/threads?colour=red", "“colour=red” means nothing here"),
        ("#/cpu?thread=1:2", "This recording has no thread 1:2"),
        ("#/threads?sel=threads%3A9999", "this recording has no slice threads:9999"),
        ("#/threads?sel=nonsense", "this recording has no slices called 'nonsense'"),
        ("#/tasks?coro=gone", "No task of gone"),
        ("#/cpu?function=gone&file=x", "No CPU sample is in this function"),
    ],
)
def test_links_that_mean_nothing(tmp_path: Path, link: str, said: str) -> None:
    """The page says which part of the link this recording does not have."""
    with open_page(trace_file(tmp_path, gil_hog())) as opened:
        opened.go(link)
        opened.page.get_by_text(said).first.wait_for()
        assert opened.page.locator("nav a[aria-current]").count() == 1
        opened.page.keyboard.press("Escape")
        opened.turn_to("io")
        assert opened.page.locator(".note:visible").count() == 0


def test_server_that_has_ended(tmp_path: Path) -> None:
    """The page says that the server has ended and how to get it back, once."""
    with open_page(trace_file(tmp_path, gil_hog())) as opened:
        opened.go("#/why")
        opened.page.locator(".findings li").first.wait_for()
        opened.page.route("**/api/**", lambda route: route.abort("connectionrefused"))
        opened.turn_to("cpu")
        opened.page.get_by_text("The server has ended").first.wait_for()
        assert "tracer view x.pftrace" in opened.page.locator(".note:visible").inner_text()
        assert opened.page.locator(".error").count() == 0
        # Keys that would ask
        opened.page.evaluate("() => { location.hash = '#/threads?sel=threads%3A4'; }")
        opened.settle()
        for key in ("f", "ArrowRight"):
            opened.page.keyboard.press(key)
        opened.page.keyboard.press("/")
        opened.page.locator("dialog li", has_text="The server has ended").wait_for()
        opened.page.keyboard.press("Escape")
        opened.settle()
        known = ("Failed to load resource", "no tile")  # the browser's own, and ours
        assert [text for text in opened.complaints if not text.startswith(known)] == []
        opened.page.unroute("**/api/**")
        opened.turn_to("locks")
        assert opened.page.locator(".note:visible").count() == 0


def test_empty_pages_say_why(tmp_path: Path) -> None:
    """A signal that was off, or a program in which nothing of the kind happened."""
    trace = TraceBuilder(signals="tasks,locks")
    trace.thread("MainThread").lock_wait(0, "Lock", lock=1, site="/a.py:1 f").end(MS)
    said = {
        "tasks": "No task ran.",
        "io": "Not recorded: the signal io was off.",
        "gc": "Not recorded: the signal gc was off.",
        "cpu": "Not recorded: the signal cpu was off.",
    }
    with open_page(trace_file(tmp_path, trace)) as opened:
        opened.go("")
        for page, text in said.items():
            opened.turn_to(page)
            assert text in opened.page.inner_text("main")
            assert opened.page.locator("main > div > section, main > section").count()
            beside = "(main) => [...main.childNodes].flatMap((part) => [...part.childNodes])"
            texts = opened.page.locator("main").evaluate(
                f"(main) => ({beside})(main).filter((one) => one.nodeType === 3).length"
            )
            assert texts == 0  # nothing but panels


def test_arrow_keys(tmp_path: Path) -> None:
    """Along a lane from slice to slice, up and down between lanes; the view follows."""
    with open_page(trace_file(tmp_path, lock_convoy())) as opened:
        page = opened.page
        opened.go("#/threads")
        opened.click("worker-1", 20 * MS)
        selected = "() => location.hash"
        here = page.evaluate(selected)
        title = page.inner_text("aside h2")
        assert title.startswith("lock wait")

        page.keyboard.press("ArrowRight")
        page.wait_for_function("(before) => location.hash !== before", arg=here)
        opened.settle()
        assert page.inner_text("aside h2") != title
        assert "worker-1" in page.inner_text("aside .whose")
        there = page.evaluate(selected)
        page.keyboard.press("ArrowLeft")
        page.wait_for_function("(before) => location.hash !== before", arg=there)
        opened.settle()
        assert page.evaluate(selected) == here
        assert page.inner_text("aside h2") == title

        page.keyboard.press("ArrowDown")
        page.wait_for_function("(before) => location.hash !== before", arg=here)
        opened.settle()
        assert "worker-2" in page.inner_text("aside .whose")

        # A slice outside the view comes into it
        opened.go("#/threads?from=1000000&to=1400000")
        opened.click("worker-1", 1_200_000)
        here = page.evaluate(selected)
        page.keyboard.press("ArrowRight")
        page.wait_for_function("(before) => location.hash !== before", arg=here)
        opened.settle()
        start, end = opened.view()
        assert (end - start, start > 1_400_000) == (400_000, True)
        assert opened.complaints == []


def many_threads() -> TraceBuilder:
    """So many that most lanes are outside the view; each waits for a lock of its own."""
    trace = TraceBuilder(signals="threads,locks")
    for n in range(60):
        site = f"/app/a.py:{n + 1} f"
        trace.thread(f"request-{n}").lock_wait(
            n * MS, "Lock", lock=n + 1, site=site, acquired=False
        ).end((n + 1) * MS)
    return trace.ended(61 * MS)


def test_what_was_searched_is_seen(tmp_path: Path) -> None:
    """A thread or lock that was found is on screen, and its row in the table is marked."""
    with open_page(trace_file(tmp_path, many_threads())) as opened:
        page = opened.page
        opened.go("")
        for text, title in (
            ("request-57", "request-57"),
            ("Lock /app/a.py:33", "Lock app/a.py:33"),
        ):
            page.keyboard.press("/")
            page.locator("dialog input").fill(text)
            page.locator("dialog li").first.click()
            opened.settle()
            assert page.evaluate(SEEN, title)
            assert page.locator("tr.chosen").count() == 1
        assert opened.complaints == []


def test_selected_slice_is_seen(tmp_path: Path) -> None:
    """A link to a slice scrolls to its lane."""
    with open_page(trace_file(tmp_path, many_threads())) as opened:
        opened.go("#/threads")
        assert not opened.page.evaluate(SEEN, "request-50")
        opened.go("#/threads?sel=threads%3A50")
        opened.page.locator("aside .whose", has_text="request-50").wait_for()
        opened.page.wait_for_function(f"() => ({SEEN})('request-50')")


def test_highlight_without_a_hit(tmp_path: Path) -> None:
    """A text that no slice has is said not to be there; one that is there is not."""
    with open_page(trace_file(tmp_path, gil_hog())) as opened:
        opened.go("#/io")
        said = opened.page.locator(".timeline .missed")
        opened.page.locator("main input").fill("no such call")
        opened.page.get_by_text("Nothing on screen is called “no such call”").wait_for()
        opened.page.locator("main input").fill("epoll")
        said.wait_for(state="hidden")
        opened.page.locator("main input").fill("")
        opened.settle()
        assert not said.is_visible()
        assert opened.complaints == []
