"""`tracer report`: reads a trace, writes the report."""

import sys
from typing import TextIO

from tracer.errors import FinderError, UsageError
from tracer.units import size
from viewer.analysis.findings import KINDS, Failed
from viewer.analysis.report import SECTIONS, build_report
from viewer.analysis.tasks import By
from viewer.commands.garbage import keep, uncollected
from viewer.render.text.tables import Style
from viewer.trace.engine import HAS_NATIVE
from viewer.trace.files import Given, paths_of, size_bytes_of
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace
from viewer.trace.sites import Names

# Reading this much takes about two seconds: say so before going silent.
_LARGE_BYTES = 250_000_000 if HAS_NATIVE else 5_000_000
# Shown even to say that they were not recorded; latency only on request.
_ALWAYS = ("findings", "tasks", "gc", "cpu", "health")
EVERY_SECTION = "all"


@uncollected()
def report(
    trace: Given,
    *,
    as_json: bool,
    section: str | None,
    top: int,
    by: str,
    out: TextIO,
    names: str = Names.USER,
    fail_on: str = "",
) -> bool:
    """Writes the report of a trace; returns whether it has a finding of `fail_on`.

    Raises TraceFileError when the trace cannot be read, FinderError after the report when a
    part of the findings could not be looked for. `fail_on` are names of findings with
    commas between them, or `any`.

    `section` is one of SECTIONS or EVERY_SECTION. Without one the text is the first screen,
    and JSON has all. `by` is "coro" or "task"; `top` is how many rows of each table the text
    shows.
    """
    wanted = _wanted(fail_on)
    announce(trace)
    sections = (section,) if section not in (None, EVERY_SECTION) else SECTIONS
    needed = sections if "findings" in sections or not wanted else ("findings", *sections)
    model = build_model(read_trace(trace), names)
    failed: list[Failed] = []
    result, _ = keep((build_report(model, By(by), needed, failed), model))
    # Each form is imported only where it is asked for.
    if as_json:
        from viewer.render.json.report import render_json

        out.write(render_json(result, sections))
    elif section is None:
        from viewer.render.text.overview import overview

        out.write(overview(result, Style.of(out)))
    else:
        from viewer.render.text.report import render_text

        present = {*_ALWAYS, *result.recorded} - {"latency"}
        shown = tuple(name for name in sections if len(sections) == 1 or name in present)
        out.write(render_text(result, shown, top, Style.of(out)))
    if failed:
        from viewer.render.text.failed import failed_text

        raise FinderError(failed_text(failed))
    return any(finding.finding in wanted for finding in result.findings)


def _wanted(fail_on: str) -> frozenset[str]:
    """The findings that `--fail-on` names. Raises UsageError."""
    names = [name.strip() for name in fail_on.split(",") if name.strip()]
    if "any" in names:
        return frozenset(KINDS)
    known = {kind.lower(): kind for kind in KINDS}
    for name in names:
        if name.lower() not in known:
            from difflib import get_close_matches  # only a mistake needs it

            near = get_close_matches(name.lower(), known, n=1)
            hint = (
                f"did you mean {known[near[0]]!r}?"
                if near
                else f"there are {', '.join(KINDS)}"
            )
            raise UsageError(f"--fail-on: no finding is called {name!r}; {hint}")
    return frozenset(known[name.lower()] for name in names)


def announce(trace: Given) -> None:
    """One line on stderr before reading a trace that takes a while."""
    bytes_ = size_bytes_of(trace)
    if bytes_ > _LARGE_BYTES:
        named = ", ".join(map(str, paths_of(trace)))
        print(f"tracer: reading {named} ({size(bytes_)}) …", file=sys.stderr, flush=True)
