"""`tracer diff`: reads two traces, writes the differences."""

from typing import TextIO

from viewer.analysis.diff import diff
from viewer.commands.garbage import keep, uncollected
from viewer.render.text.diff import render_json, render_text
from viewer.render.text.tables import Style
from viewer.trace.files import Given
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace
from viewer.trace.sites import Names


@uncollected()
def compare(
    a: Given, b: Given, *, as_json: bool, top: int, out: TextIO, names: str = Names.USER
) -> None:
    """Writes what got slower from A to B. Raises TraceFileError when one cannot be read."""
    models = keep([build_model(read_trace(path), names) for path in (a, b)])
    found = diff(*models)
    if as_json:
        out.write(render_json(found))
        return
    out.write(render_text(found, top, Style.of(out)))
