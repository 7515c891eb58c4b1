"""`tracer why`: reads a trace, explains its worst waits."""

from dataclasses import replace
from typing import NamedTuple, TextIO

from tracer.errors import FinderError
from viewer.analysis.ended import raised, text_of
from viewer.analysis.findings import Failed, find
from viewer.analysis.findings.basis.facts import Facts
from viewer.analysis.findings.basis.moment import slow_moment
from viewer.analysis.flight import Flight, flight_of
from viewer.analysis.why.asked import Asked
from viewer.analysis.why.told import finding_of_each
from viewer.analysis.why.worst import Answer, worst_waits
from viewer.commands.garbage import keep, uncollected
from viewer.commands.moment import moment_in, parse_time
from viewer.render.json.why import render_json
from viewer.render.text.tables import Style, wrap
from viewer.render.text.why import render_text
from viewer.trace.files import Given
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace
from viewer.trace.sites import Names


@uncollected()
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
    time, NotInTraceError when the trace has nothing that matches, FinderError after the rest
    when a part of the findings could not be looked for.
    """
    if at is not None:
        parse_time(at)  # a mistake is told before the trace is read
    model = keep(build_model(read_trace(trace), names))
    at_ns = moment_in(model, at) if at is not None else None
    asked = Asked(task or "", thread or "", at_ns, region or "", process or "")
    is_open = not (task or thread or at or region or process)
    taken = flight_of(model) if is_open else None
    answer, said, lead = Answer((), 0), "", ""
    facts = Facts(model)
    moment = _moment(facts, taken, Style.of(out)) if taken is not None else None
    if taken is not None and moment is not None:
        at_ns = min(moment.until_ns, model.end_ns) - 1
        answer = worst_waits(
            model, most, replace(asked, at_ns=at_ns, since_ns=moment.since_ns)
        )
        said = "" if as_json else moment.said
        lead = (
            "The waits of that time:"
            if said
            else f"The waits at the moment of {taken.reason}:"
        )
    if not answer.problems:
        answer = worst_waits(model, most, asked)
        lead = "Nobody waited at that moment. The worst waits at other times:" if said else ""
    waits = [problem.worst for problem in answer.problems]
    failed: list[Failed] = []
    found = find(facts, failed) if waits else ()
    if said:  # it stands above
        found = tuple(one for one in found if one.finding != "slow moment")
    told = finding_of_each(model, waits, found)
    if as_json:
        out.write(render_json(str(model.trace.path), answer, told))
    elif answer.problems:
        lead = lead and f"{lead}\n\n"
        out.write(said + lead + render_text(answer, told, Style.of(out)))
    else:
        there = (f" at {at}" if at else "") + (f" within {region!r}" if region else "")
        none = (
            f"No waits were recorded{there}."
            if there or task or thread or process
            else "The program lost less than 1 ms to waits."
        )
        out.write(f"{said}{none}\n")
    if failed:
        from viewer.render.text.failed import failed_text

        raise FinderError(failed_text(failed))


class _Moment(NamedTuple):
    """What a snapshot was taken for, in words; "": it took no time. What others wait for is
    not all of it, and perhaps nobody waits yet."""

    since_ns: int
    until_ns: int
    said: str


def _moment(facts: Facts, taken: Flight, style: Style) -> _Moment | None:
    """None: the snapshot was taken for none."""
    exception = raised(facts, taken)
    if exception is not None:
        said = _wrapped(text_of(facts, exception), style)
        return _Moment(exception.at_ns - 1, exception.at_ns, said)
    if not taken.trigger:
        return None
    texts = [finding.text for finding in slow_moment(facts)]
    return _Moment(*taken.moment_ns, _wrapped(texts[0], style) if texts else "")


def _wrapped(text: str, style: Style) -> str:
    return "\n".join(line.strip() for line in wrap(text, style.width)) + "\n\n"
