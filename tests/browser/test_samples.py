"""A visitor goes through the page of every sample: each page, an explanation, zoom, a link."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip(
    "playwright",
    reason="needs playwright: python3 -m uv run --all-groups pytest tests/browser",
)

from tests.browser.page import PAGES, keep_picture, open_page
from tests.browser.perfetto_ui import NEEDS_CHROMIUM
from tests.conftest import SAMPLES

CAUSES = "aside .parts"
# Of the slice that is selected; beside the recording's end it is not that of the view.
MIDDLE = """async () => {
  const selected = new URLSearchParams(location.hash.split("?")[1]).get("sel").split(":");
  const query = `group=${selected[0]}&row=${selected[1]}`;
  const { start_ns, ns } = await fetch(`api/slice?${query}`).then((answer) => answer.json());
  return start_ns + ns / 2;
}"""

pytestmark = NEEDS_CHROMIUM


@pytest.mark.parametrize("sample", sorted(path.stem for path in SAMPLES.glob("*.py")))
def test_visit(recorded: Callable[[str], Path], sample: str) -> None:
    """Every page; from the slowest wait to its causes; closer; and back there by its link."""
    with open_page(recorded(sample)) as opened:
        page = opened.page
        opened.go("")
        for name in PAGES:
            opened.turn_to(name)
            assert page.locator("main > *").count() > 0
            assert page.locator(".error").count() == 0
            keep_picture(opened.page, f"{sample}_{name}")

        # Why: the worst wait, its causes and its place
        page.locator("main .findings button").first.click()
        page.locator("main .parts").wait_for()
        worst = page.inner_text("main .why h2")
        page.get_by_role("button", name="Show on the timeline").click()
        opened.settle()
        assert page.inner_text("aside h2") == worst
        assert page.locator(".timeline canvas").is_visible()
        page.keyboard.press("0")
        opened.turn_to("why")

        # The longest in the table: a click on its slice shows its causes
        row = page.locator("main tbody tr").first
        who = row.locator("td").first.evaluate("(cell) => cell.firstChild.textContent")
        row.click()
        opened.settle()
        start, end = opened.view()
        opened.click(who, page.evaluate(MIDDLE))
        page.locator(CAUSES).wait_for()
        title = page.inner_text("aside h2")
        assert who in page.inner_text("aside .whose")
        keep_picture(opened.page, f"{sample}_explained")

        # Zoom in with the keyboard
        opened.hold("w", "to - from < (before[1] - before[0]) / 2")
        assert opened.colours() > 5
        view = opened.view()
        assert start < view[0] < view[1] < end

        # A link to this state, for another visitor
        state = page.evaluate("() => location.hash")
        assert "from=" in state
        assert "sel=" in state
        opened.go(state)
        page.locator(CAUSES).wait_for()
        assert page.inner_text("aside h2") == title
        assert opened.view() == tuple(map(round, view))

        # What had to happen first lies a moment before
        page.locator("aside ul.steps a").last.click()
        opened.settle()
        assert page.evaluate("() => location.hash") != state
        assert opened.complaints == []
        assert opened.outside() == []
