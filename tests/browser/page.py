"""Our own page of one trace, in headless Chromium."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests.browser.perfetto_ui import CHROMIUM, FLAGS
from viewer.server.answers import Answers
from viewer.server.http import Server
from viewer.server.later import Later
from viewer.server.site import make_site
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

# Where the pictures of the last run are kept, when set
SCREENSHOTS = os.environ.get("TRACER_SCREENSHOTS")
PAGES = ("overview", "tasks", "threads", "locks", "io", "gc", "memory", "cpu", "why")
TIMEOUT_MS = 120_000  # what is never there fails its test; nothing waits this long otherwise
_READY = "html[data-ready]"
# Every answer has arrived and has been drawn.
_SETTLED = """() => new Promise((done) => {
  let idle = 0;
  const look = () => {
    idle = document.documentElement.ariaBusy === "true" ? 0 : idle + 1;
    idle > 3 ? done() : requestAnimationFrame(look);
  };
  look();
})"""
_VIEW = "async () => (await import('./timeline.js')).timelines()[0].view"
_MOVED = """async (before) => {
  const { from, to } = (await import("./timeline.js")).timelines()[0].view;
  return WANTED;
}"""
_SPOT = """async ([title, at, nth]) => {
  const { timelines } = await import("./timeline.js");
  const one = timelines()[0];
  const exact = one.rows.filter((row) => row.title === title); // "f #1" is not "f #12"
  const found = one.rows.filter((row) => row.title.startsWith(title));
  const row = (exact.length ? exact : found)[nth];
  one.node.scrollTop = Math.max(row.top - 40, 0);
  one.node.scrollIntoView({ block: "center" });
  await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  const box = one.canvas.getBoundingClientRect();
  return [box.left + one.left + (at - one.view.from) * one.scale,
          box.top + row.top + 24 + row.height / 2 - one.node.scrollTop];
}"""
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
    """The page, and every error of the browser so far."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)  # every address that the browser requested

    def outside(self) -> list[str]:
        """Requests to any server but the page's own."""
        own = (self.address, "about:", "data:", "blob:")
        return [url for url in self.asked if not url.startswith(own)]

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

    def click(self, title: str, at_ns: float, nth: int = 0) -> None:
        """Clicks the first timeline's nth lane of a title, at the place of a moment."""
        spot = [title, at_ns, nth]
        self.page.evaluate(_SPOT, spot)  # scrolls to it, which may request new lanes
        self.settle()
        self.page.mouse.click(*self.page.evaluate(_SPOT, spot))
        self.settle()  # until then the explanation of the previous slice stays

    def view(self) -> tuple[float, float]:
        """The range that the first timeline shows, in ns."""
        shown = self.page.evaluate(_VIEW)
        return shown["from"], shown["to"]

    def hold(self, key: str, until: str) -> None:
        """Holds a key until the view, `[from, to]`, is as wanted compared with `before`."""
        before = [*self.view()]
        self.page.keyboard.down(key)
        self.page.wait_for_function(_MOVED.replace("WANTED", until), arg=before)
        self.page.keyboard.up(key)
        self.settle()

    def colours(self, selector: str = ".timeline canvas") -> int:
        """How many different colours a canvas has; an empty one has few."""
        number: int = self.page.locator(selector).first.evaluate(_INK)
        return number


def keep_picture(page: Page, name: str) -> None:
    """Takes a picture of the page as it is, if pictures are wanted."""
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(SCREENSHOTS) / f"page_{name}.png")


@lru_cache(maxsize=1)
def _browser() -> tuple[Playwright, Browser]:
    playwright = sync_playwright().start()
    return playwright, playwright.chromium.launch(
        executable_path=CHROMIUM, args=FLAGS, timeout=TIMEOUT_MS
    )


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
    """A visitor who was never on the page before."""
    visitor = _browser()[1].new_context(
        viewport={"width": 1440, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    visitor.set_default_timeout(TIMEOUT_MS)
    page = visitor.new_page()
    opened = Opened(page, address)
    page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    visitor.on("request", lambda request: opened.asked.append(request.url))
    page.on(
        "console",
        lambda m: opened.complaints.append(m.text) if m.type != "log" else None,
    )
    try:
        yield opened
    finally:
        visitor.close()
