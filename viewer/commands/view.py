"""`tracer view` and `tracer open`: show a trace in a browser."""

import os
import sys
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from tracer.errors import TraceFileError
from viewer.server.http import Server, Site, served
from viewer.server.later import Later
from viewer.server.perfetto import find_ui
from viewer.server.site import make_site
from viewer.trace.files import Given, files_of, paths_of
from viewer.trace.reader import begins_as_trace, read_trace
from viewer.trace.sites import Names

if TYPE_CHECKING:
    from viewer.server.answers import Answers

_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")


def view(
    trace: Given,
    *,
    port: int,
    browser: bool,
    ui_dir: Path | None,
    out: TextIO,
    names: str = Names.USER,
) -> None:
    """Serves the page of a trace until interrupted. Raises TraceFileError, UsageError."""
    ui = find_ui(ui_dir)
    # The trace is read while the browser starts and fetches the page.
    answers = Later(lambda: _load(trace, names))
    if not begins_as_trace(trace):
        answers.get()  # raises the error before there is an address
    _show(trace, make_site(trace, answers.get, ui), port, browser, out, answers.get)


def _load(trace: Given, names: str) -> "Answers":
    # Importing these takes longer than reading most traces.
    from viewer.commands.report import announce
    from viewer.server.answers import Answers
    from viewer.trace.model import build_model

    announce(trace)
    answers = Answers(build_model(read_trace(trace), names))
    Later(lambda: answers.report({}))  # the first page asks for this; the answer is kept
    return answers


def open_ui(
    trace: Given, *, port: int, browser: bool, ui_dir: Path | None, out: TextIO
) -> None:
    """Serves a trace to the Perfetto UI until interrupted. Raises like `view`."""
    ui = find_ui(ui_dir)
    for path in files_of(trace):
        try:
            with path.open("rb"):
                pass
        except OSError as error:
            raise TraceFileError(f"cannot read '{path}': {error.strerror}.") from None
    if not begins_as_trace(trace):
        read_trace(trace)  # raises what is wrong with it
    _show(trace, make_site(trace, None, ui), port, browser, out, lambda: None)


def _show(
    trace: Given,
    site: Site,
    port: int,
    browser: bool,
    out: TextIO,
    opened: Callable[[], object],
) -> None:
    """Serves until Ctrl-C; `opened` is called once there is an address."""
    try:
        server = Server(site, port)
    except OSError as error:
        raise TraceFileError(f"cannot serve on port {port}: {error.strerror}.") from None
    # Without a display, webbrowser would start one that takes over the terminal.
    has_display = sys.platform == "darwin" or any(map(os.environ.get, _DISPLAYS))
    with suppress(KeyboardInterrupt), served(server) as wait:  # the normal end
        named = ", ".join(map(str, paths_of(trace)))
        said = f"tracer: serving {named}; Ctrl-C ends it"
        if browser and has_display and webbrowser.open(server.address):
            print(f"{said}. {server.address}", file=sys.stderr, flush=True)
        else:
            print(f"{said}.", file=sys.stderr, flush=True)
            print(server.address, file=out, flush=True)
        opened()
        wait()
