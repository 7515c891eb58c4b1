"""The page at the widths of small and large screens: nothing is cut, nothing is left empty."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip(
    "playwright",
    reason="needs playwright: python3 -m uv run --all-groups pytest tests/browser",
)

from tests.browser.page import PAGES, open_page
from tests.browser.perfetto_ui import NEEDS_CHROMIUM
from tests.support.builder.trace import TraceBuilder
from tests.support.models import trace_file
from tests.support.stories.waits import MS

pytestmark = NEEDS_CHROMIUM

# Boxes that have more inside than they show, beyond a hair.
CUT = """() => [...document.querySelectorAll("main, main .scroll, aside")]
  .filter((node) => node.scrollWidth > node.clientWidth + 1)
  .map((node) => `${node.tagName} ${node.innerText.slice(0, 40)}`)"""
LONG = "/srv/application/deployments/production/src/company/department/services"


def long_names() -> TraceBuilder:
    """Threads, locks, calls and coroutines with names and paths as frameworks have them."""
    trace = TraceBuilder(signals="tasks,threads,gc,gil,locks,io")
    site = f"{LONG}/administration/request_handlers.py:1234 RequestHandler.dispatch_to_view"
    main = trace.thread("MainThread")
    other = trace.thread("ThreadPoolExecutor-for-background-jobs-0_17")
    lock = trace.lock("BoundedSemaphore", site)
    main.running(0)
    other.gil_wait(0).running(3 * MS).native(4 * MS)
    lock.hold(0, 9 * MS, main, site)
    main.native(3 * MS).lock_wait(
        4 * MS, "BoundedSemaphore", lock=lock, site=site, owner=main, owner_site=site
    )
    other.io(5 * MS, "subprocess.Popen.communicate", site=site, size_bytes=123_456_789)
    main.running(9 * MS).end(10 * MS)
    other.end(10 * MS)
    loop = trace.loop(main)
    for n in range(3):
        coro = f"AdministrationRequestHandler.dispatch_request_to_view_{n}"
        task = loop.task(coro, site=site)
        task.ready(n * MS).running((n + 1) * MS).awaits((n + 2) * MS, "Semaphore", site=site)
    return trace.ended(10 * MS)


@pytest.mark.parametrize("selected", ["", "?sel=threads%3A0"])
def test_no_column_is_cut(tmp_path: Path, selected: str) -> None:
    """At 1280, with the explanation open too; what has no room is named."""
    with open_page(trace_file(tmp_path, long_names())) as opened:
        opened.page.set_viewport_size({"width": 1280, "height": 800})
        for page in PAGES:
            opened.go(f"#/{page}{selected}")
            assert opened.page.evaluate(CUT) == [], page
        opened.go(f"#/tasks{selected}")
        hidden = opened.page.locator("main th:not(:visible)").all_text_contents()
        said = opened.page.locator("main .hint.pad").inner_text() if hidden else ""
        assert all(title in said for title in hidden)
        # There is room again
        opened.page.set_viewport_size({"width": 1920, "height": 800})
        opened.settle()
        assert opened.page.locator("main th:not(:visible)").count() == 0
        assert opened.complaints == []


def test_large_screens_are_used(tmp_path: Path) -> None:
    """At 1920 and beyond the panels reach to the margin on the right."""
    with open_page(trace_file(tmp_path, long_names())) as opened:
        for width in (1920, 2560):
            opened.page.set_viewport_size({"width": width, "height": 900})
            for page in PAGES:
                opened.go(f"#/{page}")
                box = opened.page.locator("main section.panel").first.bounding_box()
                assert box is not None
                assert box["x"] == 16
                assert width - 16 - 15 <= box["x"] + box["width"] <= width - 16, page
