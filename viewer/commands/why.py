"""`tracer why`: reads a trace, explains its worst waits."""

import re
from pathlib import Path
from typing import TextIO

from tracer.errors import UsageError
from tracer.units import duration
from viewer.analysis.why.asked import Asked, WhyError
from viewer.analysis.why.worst import worst_waits
from viewer.render.json.why import render_json
from viewer.render.text.tables import Style
from viewer.render.text.why import render_text
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace
from viewer.trace.sites import Names

_UNITS = {"": 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "µs": 10**3, "ns": 1}


def why(
    trace: Path,
    *,
    task: str | None,
    thread: str | None,
    at: str | None,
    region: str | None,
    most: int,
    as_json: bool,
    out: TextIO,
    names: str = Names.USER,
) -> None:
    """Writes why the worst waits took so long, at most so many.

    Raises TraceFileError when the trace cannot be read, UsageError when `at` is no time or no
    region is called so, WhyError when the trace has nothing of what is asked for.
    """
    since_start_ns = parse_time(at) if at is not None else None
    model = build_model(read_trace(trace), names)
    at_ns = None
    if since_start_ns is not None:
        at_ns = model.start_ns + since_start_ns
        if at_ns > model.end_ns:
            raise WhyError(
                f"--at {at}: the trace ends at {duration(model.end_ns - model.start_ns)}."
            )
    answer = worst_waits(model, most, Asked(task or "", thread or "", at_ns, region or ""))
    if as_json:
        out.write(render_json(str(trace), answer))
        return
    if not answer.problems:
        there = (f" at {at}" if at else "") + (f" within {region!r}" if region else "")
        out.write(f"No waits were recorded{there}.\n")
        return
    out.write(render_text(answer, Style.of(out)))


def parse_time(text: str) -> int:
    """`12.3s`, `250ms`, `12.3` (seconds) -> ns. Raises UsageError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?|\.\d+) ?(s|ms|us|µs|ns|)", text.strip())
    if match is None:
        raise UsageError(f"--at '{text}' is not a time such as 12.3s or 250ms.")
    return round(float(match[1]) * _UNITS[match[2]])
