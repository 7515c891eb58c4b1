"""How soon the page shows a large trace: `tracer view`, asked by headless Chromium."""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

# Looks once per frame; drawn is when the overview's numbers are there and the minimap has ink.
WATCH = """(() => {
  const hasInk = (canvas) => { // the first strip, of the loop, has more than its background
    const { data } = canvas.getContext("2d").getImageData(220, 8, canvas.width - 250, 18);
    return new Set(new Uint32Array(data.buffer)).size > 1;
  };
  const look = () => {
    const canvas = document.querySelector(".mini canvas");
    const isThere = document.querySelector(".numbers .value") && canvas.width > 350;
    if (isThere && hasInk(canvas)) {
      requestAnimationFrame(() => (globalThis.drawnMs = performance.now()));
    } else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})()"""


@dataclass(frozen=True)
class FirstPaint:
    """Medians. A browser that is already running asks as soon as it gets the address."""

    events: int
    address_s: float  # from the command to its address
    drawn_s: float  # from the browser's asking for the page to the overview on screen
    both_s: float


def first_paint(events: int, rounds: int) -> FirstPaint | str:
    """Shows a trace of so many events, again and again; a text says why it cannot."""
    try:
        from playwright.sync_api import sync_playwright

        from tests.browser.perfetto_ui import CHROMIUM, FLAGS
    except ImportError:
        return "playwright is not installed (uv sync --group browser)"
    if not CHROMIUM.exists():
        return f"there is no {CHROMIUM}"
    from tests.support.stories.large import write_large

    taken: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        trace = Path(directory) / "large.pftrace"
        write_large(trace, events)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for _ in range(rounds + 1):  # the first warms the browser and the files
            began = time.perf_counter()
            command = [sys.executable, "-m", "tracer", "view", "--no-browser", str(trace)]
            server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            address_s = time.perf_counter() - began
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.add_init_script(WATCH)
            page.goto(url, wait_until="commit")
            page.wait_for_function("() => globalThis.drawnMs")
            taken.append((address_s, page.evaluate("() => globalThis.drawnMs") / 1e3))
            page.close()
            server.send_signal(signal.SIGINT)
            server.communicate()
        browser.close()
    median = statistics.median
    addresses, drawns = zip(*taken[1:], strict=True)
    return FirstPaint(events, median(addresses), median(drawns), median(map(sum, taken[1:])))
