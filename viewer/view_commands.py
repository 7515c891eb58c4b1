"""What the command line calls to show a trace in a browser."""

import os
import sys
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from tracer.errors import TraceFileError
from viewer.commands import announce
from viewer.model import build_model
from viewer.reader import read_trace
from viewer.server.http import Server, Site, serve
from viewer.server.perfetto import find_ui
from viewer.server.site import make_site

_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")


def view(trace: Path, *, port: int, browser: bool, ui_dir: Path | None, out: TextIO) -> None:
    """Serves the page of a trace until interrupted. Raises TraceFileError, UsageError."""
    ui = find_ui(ui_dir)
    announce(trace)
    model = build_model(read_trace(trace))
    _show(make_site(trace, model, ui), port, browser=browser, out=out)


def open_ui(
    trace: Path, *, port: int, browser: bool, ui_dir: Path | None, out: TextIO
) -> None:
    """Serves a trace to the Perfetto UI until interrupted. Raises as `view` does."""
    ui = find_ui(ui_dir)
    try:
        with trace.open("rb"):
            pass
    except OSError as error:
        raise TraceFileError(f"cannot read '{trace}': {error.strerror}.") from None
    _show(make_site(trace, None, ui), port, browser=browser, out=out)


def _show(site: Site, port: int, *, browser: bool, out: TextIO) -> None:
    try:
        server = Server(site, port)
    except OSError as error:
        raise TraceFileError(f"cannot serve on port {port}: {error.strerror}.") from None
    # Without a display, webbrowser would start one that takes over the terminal.
    has_display = sys.platform == "darwin" or any(map(os.environ.get, _DISPLAYS))
    if browser and has_display and webbrowser.open(server.address):
        print(f"tracer: {server.address} (Ctrl-C ends it)", file=sys.stderr, flush=True)
    else:
        print(server.address, file=out, flush=True)
    with suppress(KeyboardInterrupt):  # how it is meant to end
        serve(server)
