"""The real speedscope, out of its npm package, showing one profile in headless Chromium."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import override

from playwright.sync_api import Page, sync_playwright

from tests.browser.perfetto_ui import CHROMIUM, FLAGS, START_TIMEOUT_MS

VERSION = "1.25.0"  # .ci/run fetches it
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tracer-tests"
PACKAGE = CACHE / f"speedscope-{VERSION}" / "package"
PROFILE_URL = "/opened.profile"


class Handler(SimpleHTTPRequestHandler):
    """speedscope's static files, and the profile beside them."""

    def __init__(self, *args: object, profile: Path, **kwargs: object) -> None:
        self.profile = profile
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    @override
    def translate_path(self, path: str) -> str:
        opened = path.split("?")[0] == PROFILE_URL
        return str(self.profile) if opened else super().translate_path(path)

    @override
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def open_in_speedscope(profile: Path) -> Iterator[tuple[Page, list[str]]]:
    """The page with the profile loaded, and the exceptions of its scripts."""
    errors: list[str] = []
    handler = partial(Handler, profile=profile, directory=str(PACKAGE / "dist" / "release"))
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        sync_playwright() as playwright,
    ):
        thread = threading.Thread(target=server.serve_forever, name="speedscope server")
        thread.start()
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=FLAGS, timeout=START_TIMEOUT_MS
        )
        try:
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.set_default_timeout(START_TIMEOUT_MS)
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
            address = f"http://127.0.0.1:{server.server_port}"
            page.goto(f"{address}/index.html#profileURL={address}{PROFILE_URL}")
            yield page, errors
            browser.close()
        finally:
            server.shutdown()
            thread.join()
