"""`tracer why`: reads a trace, explains its worst waits."""

from typing import TextIO

from tracer.errors import NotInTraceError
from tracer.units import duration
from viewer.analysis.report import heading
from viewer.analysis.why.asked import Asked
from viewer.analysis.why.worst import worst_waits
from viewer.commands.moment import parse_time, since_start
from viewer.render.json.why import render_json
from viewer.render.text.overview import when as from_to
from viewer.render.text.tables import Style
from viewer.render.text.why import render_text
from viewer.trace.files import Given
from viewer.trace.model import Model, build_model
from viewer.trace.reader import read_trace
from viewer.trace.sites import Names


def why(
    trace: Given,
    *,
    task: str | None,
    thread: str | None,
    at: str | None,
    region: str | None,
    process: str | None = None,
    most: int,
    as_json: bool,
    out: TextIO,
    names: str = Names.USER,
) -> None:
    """Writes why the worst waits took so long, at most that many of them.

    Raises TraceFileError when the trace cannot be read, UsageError when `at` is not a
    time, NotInTraceError when the trace has nothing that matches.
    """
    when = parse_time(at) if at is not None else None
    model = build_model(read_trace(trace), names)
    at_ns = None
    if when is not None:
        at_ns = model.start_ns + since_start(when, model)
        if not model.start_ns <= at_ns <= model.end_ns:
            raise NotInTraceError(f"--at {at}: the trace is {_from_to(model)}.")
    answer = worst_waits(
        model, most, Asked(task or "", thread or "", at_ns, region or "", process or "")
    )
    if as_json:
        out.write(render_json(str(model.trace.path), answer))
        return
    if not answer.problems:
        there = (f" at {at}" if at else "") + (f" within {region!r}" if region else "")
        out.write(
            f"No waits were recorded{there}.\n"
            if there or task or thread or process
            else "The program lost less than 1 ms to waits.\n"
        )
        return
    out.write(render_text(answer, Style.of(out)))


def _from_to(model: Model) -> str:
    length = duration(model.end_ns - model.start_ns)
    of = heading(model)
    return f"{length} long, {from_to(of)}" if of.start_unix_ns else f"{length} long"
