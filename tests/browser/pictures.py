"""`python -m tests.browser.pictures [FOLDER]`: retakes the pictures of the README."""

from __future__ import annotations

import sys
import tempfile
from itertools import islice
from pathlib import Path

from playwright.sync_api import ViewportSize

from tests.browser.page import close_browser, open_page
from tests.browser.perfetto_ui import open_in_ui
from tests.conftest import PROJECT, SAMPLES, Recorder
from viewer.analysis.why.asked import Asked
from viewer.analysis.why.worst import worst_waits
from viewer.trace.columns import LOOP_TASK
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

MOST_BYTES = 250_000  # of a picture
DRAWN = "() => new Promise((done) => setTimeout(() => requestAnimationFrame(done), 500))"
SIZE: ViewportSize = {"width": 1280, "height": 720}
OPENED = "^(.*blocked_loop.*|asyncio loop.*|Tasks)$"
BLOCK_NS = 25_000_000  # the least duration of a step of the culprit


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        record = Recorder(Path(directory))
        loop, convoy = (record(SAMPLES / f"{n}.py") for n in ("blocked_loop", "lock_convoy"))
        perfetto(loop, folder / "perfetto.png")
        overview(loop, folder / "page_overview.png")
        threads(convoy, folder / "page_threads.png")
    close_browser()
    for picture in sorted(folder.glob("*.png")):
        size = picture.stat().st_size
        print(f"{picture}: {size:,} bytes{'' if size < MOST_BYTES else ', TOO LARGE'}")


def perfetto(trace: Path, picture: Path) -> None:
    """The third time that the loop is blocked, and the tasks that are ready meanwhile."""
    model = build_model(read_trace(trace))
    slices, kinds = model.trace.slices, model.owners.kind
    blocks = (
        (start, end - start)
        for start, end, kind in zip(slices.start_ns, slices.end_ns, kinds, strict=True)
        if kind == LOOP_TASK and end - start > BLOCK_NS
    )
    start_ns, length_ns = next(islice(blocks, 2, None))
    start_ms, length_ms = (start_ns - model.start_ns) / 1e6, length_ns / 1e6
    with open_in_ui(
        trace,
        expand=OPENED,
        size=(SIZE["width"], 860),
        sidebar=False,
        window_ms=(start_ms - 12, length_ms + 24),
    ) as opened:
        opened.page.keyboard.press("Escape")  # deselects the CPU samples
        opened.page.keyboard.press("q")  # closes the drawer below
        opened.page.evaluate(DRAWN)
        opened.page.screenshot(path=picture)
        assert opened.trouble() == []


def overview(trace: Path, picture: Path) -> None:
    with open_page(trace) as opened:
        opened.page.set_viewport_size({"width": SIZE["width"], "height": 620})
        opened.go("#/overview")
        opened.page.locator(".findings li").first.wait_for()
        opened.settle()
        opened.page.screenshot(path=picture)
        assert opened.complaints == []


def threads(trace: Path, picture: Path) -> None:
    """Workers behind one lock, and the explanation of the longest wait."""
    wait = worst_waits(build_model(read_trace(trace)), 1, Asked()).problems[0].worst.wait
    with open_page(trace) as opened:
        opened.page.set_viewport_size(SIZE)
        opened.go(f"#/threads?sel=threads%3A{wait.row}")
        opened.page.locator("aside .parts").wait_for()
        opened.settle()
        opened.page.screenshot(path=picture)
        assert opened.complaints == []


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT / "docs")
