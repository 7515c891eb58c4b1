"""Our own page of one trace, in headless Chromium."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests.browser.perfetto_ui import CHROMIUM, FLAGS
from viewer.model import build_model
from viewer.reader import read_trace
from viewer.server.answers import Answers
from viewer.server.http import Server
from viewer.server.later import Later
from viewer.server.site import make_site

PAGES = ("overview", "tasks", "threads", "locks", "io", "gc", "cpu", "why")
_READY = "html[data-ready]"
# All tiles that were asked for have come, and what they show has been drawn.
_SETTLED = """() => new Promise((done) => {
  let last = 0, same = 0;
  const look = () => {
    const now = performance.getEntriesByType("resource").length;
    same = now === last ? same + 1 : 0;
    last = now;
    same > 8 ? done() : requestAnimationFrame(look);
  };
  look();
})"""
_INK = """(canvas) => {
  const { width, height } = canvas;
  const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  const colours = new Set();
  for (let i = 0; i < data.length; i += 4) {
    colours.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
  }
  return colours.size;
}"""


@dataclass
class Opened:
    """The page, and every complaint of the browser so far."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)

    def go(self, link: str) -> None:
        """Opens a link (`#/threads?from=…`) as a new visitor would."""
        self.page.goto("about:blank")
        self.page.goto(self.address + link)
        self.page.locator(_READY).wait_for(state="attached")
        self.settle()

    def turn_to(self, page: str) -> None:
        """Goes to another page as its tab does."""
        self.page.locator(f"nav a[data-page={page}]").click()
        self.settle()

    def settle(self) -> None:
        self.page.evaluate(_SETTLED)

    def colours(self, selector: str = ".timeline canvas") -> int:
        """How many different colours a canvas has; an empty one has few."""
        number: int = self.page.locator(selector).first.evaluate(_INK)
        return number


@lru_cache(maxsize=1)
def _browser() -> tuple[Playwright, Browser]:
    playwright = sync_playwright().start()
    return playwright, playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


def close_browser() -> None:
    """Ends the browser that the tests of a module shared."""
    if _browser.cache_info().currsize:
        playwright, browser = _browser()
        browser.close()
        playwright.stop()
        _browser.cache_clear()


@contextmanager
def open_page(trace: Path, ui: Path | None = None, scheme: str = "light") -> Iterator[Opened]:
    """Serves the page of a trace and looks at it."""
    server = Server(
        make_site(trace, Later(lambda: Answers(build_model(read_trace(trace)))).get, ui)
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="page")
    thread.start()
    try:
        with look_at(server.address, scheme) as opened:
            yield opened
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def look_at(address: str, scheme: str = "light") -> Iterator[Opened]:
    """A visitor who was never here before."""
    visitor = _browser()[1].new_context(
        viewport={"width": 1440, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = visitor.new_page()
    opened = Opened(page, address)
    page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    page.on(
        "console",
        lambda m: opened.complaints.append(m.text) if m.type != "log" else None,
    )
    try:
        yield opened
    finally:
        visitor.close()
