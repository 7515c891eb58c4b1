"""`tracer dump`: all threads and tasks of a moment, with their stacks."""

from enum import StrEnum
from typing import TextIO

from viewer.analysis.dump.entry import What
from viewer.analysis.dump.moment import dump
from viewer.commands.moment import moment_in, parse_time
from viewer.commands.profiles import derive
from viewer.commands.report import announce
from viewer.render.formats.go_text import render_goroutines, render_profile
from viewer.render.json.dump import render_json
from viewer.render.text.dump import render_text
from viewer.render.text.tables import Style
from viewer.trace.files import Given
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace
from viewer.trace.sites import Names


class Form(StrEnum):
    """How a dump is written."""

    TEXT = "text"  # counted by identical stack
    COMPACT = "compact"  # the same as Go prints it with debug=1
    FULL = "full"  # one by one, as Go prints goroutines with debug=2
    JSON = "json"


def dump_trace(
    trace: Given,
    *,
    at: str | None,
    only: str | None,
    form: str,
    out: TextIO,
    names: str = Names.USER,
) -> None:
    """Writes what the threads and tasks of a trace did at a moment, by default its last one.

    `only` is one of What, or None for both. Raises TraceFileError when the trace cannot be
    read, UsageError or NotInTraceError when it has no such moment.
    """
    if at is not None:
        parse_time(at)  # a mistake is told before the trace is read
    announce(trace)
    model = build_model(read_trace(trace), names)
    if form == Form.COMPACT:
        out.write(render_profile("goroutine", derive(model, "goroutine", at=at)))
        return
    found = dump(model, moment_in(model, at) if at is not None else model.end_ns)
    wanted = frozenset(What) if only is None else {What(only)}
    entries = tuple(entry for entry in found.entries if entry.what in wanted)
    if form == Form.JSON:
        pids = [process.pid for process in model.trace.processes]
        out.write(render_json(found, entries, str(model.trace.path), pids))
    elif form == Form.FULL:
        out.write(render_goroutines(found, entries))
    else:
        out.write(render_text(found, entries, model.trace.name, Style.of(out)))
