"""Several processes on the page: their own page, and lanes that fold by process."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip(
    "playwright",
    reason="needs playwright: python3 -m uv run --all-groups pytest tests/browser",
)

from tests.browser.page import PAGES, open_page
from tests.browser.perfetto_ui import NEEDS_CHROMIUM
from tests.support.stories.processes import service

pytestmark = NEEDS_CHROMIUM

ROWS = """async () => (await import('./timeline.js')).timelines()[0].rows
  .map((row) => `${row.group} ${row.title}`)"""


def test_pages_of_a_family(tmp_path: Path) -> None:
    """The tree with lives and ends; a click says who started a process; lanes fold."""
    with open_page(service().write(tmp_path)) as opened:
        opened.go("")
        for page in (*PAGES, "processes"):
            opened.turn_to(page)
            assert opened.page.locator(".error").count() == 0
        rows = opened.page.locator("table").first.locator("tbody tr").all_inner_texts()
        assert [row.split("\t")[:2] for row in rows] == [
            ["serve.py100", "ended"],
            ["worker 1101", "SIGKILL"],
            ["child 1102", "exit 0"],
            ["job.py103", "exit 3"],
        ]
        opened.click("child 1", 60_000_000)
        opened.page.locator("aside h2").wait_for()
        assert opened.page.inner_text("aside h2") == "child 1"
        opened.page.locator("aside a", has_text="job.py").click()
        opened.settle()
        assert opened.page.inner_text("aside h2") == "job.py"
        opened.go("#/threads")
        # Of more than three processes the first is open, of the others the GIL is shown.
        assert opened.page.evaluate(ROWS) == [
            "processes serve.py", "gc GC", "threads MainThread",
            "processes worker 1", "gil GIL", "processes child 1", "gil GIL",
            "processes job.py", "gil GIL",
        ]  # fmt: skip
        opened.page.locator(".folds button", has_text="child 1").click()
        opened.page.locator(".folds button", has_text="serve.py").click()
        opened.settle()
        assert opened.page.evaluate(ROWS)[:7] == [
            "processes serve.py", "gil GIL", "processes worker 1", "gil GIL",
            "processes child 1", "gc GC", "threads MainThread",
        ]  # fmt: skip
        assert opened.complaints == []
