"""The page's memory: what is live over time, the four measures of a flame graph, ranges."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip(
    "playwright",
    reason="needs playwright: python3 -m uv run --all-groups pytest tests/browser",
)

from tests.browser.page import keep_picture, look_at, open_page
from tests.browser.perfetto_ui import NEEDS_CHROMIUM
from tests.support.models import trace_file
from tests.support.stories.memory import memory_and_heap
from tests.support.stories.waits import MS, blocked_loop
from viewer.commands.profiles import export

pytestmark = NEEDS_CHROMIUM

# The middle of the counter's lane at a moment.
SPOT = """async (at) => {
  const [one] = (await import("./timeline.js")).timelines();
  const box = one.canvas.getBoundingClientRect();
  return [box.left + one.left + (at - one.view.from) * one.scale,
          box.top + 24 + (one.rows[0].top + one.rows[0].bottom) / 2];
}"""


def written(tmp_path: Path) -> Path:
    trace, heap = memory_and_heap()
    for at, size in ((10, 150_000), (11, 250_000), (15, 150_000), (60, 300_000)):
        heap.live(at * MS, size)
    return trace_file(tmp_path, trace)


def test_memory(tmp_path: Path) -> None:
    """Each number is where it belongs; all that is chosen is in the link."""
    with open_page(written(tmp_path)) as opened:
        page = opened.page
        opened.go("#/memory")
        header = page.locator(".panel > header", has_text="By stack")
        assert "300.0 kB live at the end, sampled" in header.inner_text()
        assert opened.colours(".flame canvas") > 5
        assert opened.colours(".timeline canvas") > 5
        page.mouse.move(*page.evaluate(SPOT, 12 * MS))
        page.locator(".tip", has_text="250.0 kB at 12").wait_for()
        for title, told in (
            ("Live blocks", "2 blocks live"),
            ("Allocated bytes", "460.0 kB allocated"),
            ("Allocated blocks", "5 blocks allocated"),
        ):
            page.get_by_role("button", name=title, exact=True).first.focus()
            page.keyboard.press("Enter")
            opened.settle()
            assert told in header.inner_text()
        keep_picture(page, "memory")
        opened.go("#/memory?from=20000000&to=65000000&measure=allocated&shape=icicle")
        assert "200.0 kB allocated" in header.inner_text()
        row = page.locator("tbody tr", has_text="Cache.fill").first
        assert row.locator("td").all_inner_texts()[1:] == [
            "300.0 kB", "0 B", "150.0 kB", "2", "150.0 kB", "2",
        ]  # fmt: skip
        opened.go("#/memory?function=cache.Cache.fill&file=/app/cache.py")
        assert "300.0 kB" in page.inner_text(".source")
        assert opened.complaints == []


def test_without_allocations(tmp_path: Path) -> None:
    """The page says how to record them."""
    with open_page(trace_file(tmp_path, blocked_loop())) as opened:
        opened.go("#/memory")
        assert "tracer run --heap" in opened.page.inner_text("main")
        assert opened.complaints == []


def test_shared_memory_page(tmp_path: Path) -> None:
    """A file without a server has the page; its numbers are those of the whole recording."""
    file = Path(export(written(tmp_path), "html", "cpu", None, force=False))
    with look_at(file.as_uri()) as opened:
        opened.go("#/memory?measure=allocated")
        assert "460.0 kB allocated" in opened.page.inner_text("main")
        opened.go("#/memory?from=20000000&to=55000000")
        assert "300.0 kB live at the end" in opened.page.inner_text("main")
        assert opened.complaints == []
