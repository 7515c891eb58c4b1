"""The slow moment that a snapshot of a flight recording was taken for: it may still last, so
what it costs others is not known yet."""

from collections.abc import Iterator

from tracer import schema as s
from viewer.analysis.findings.facts import Evidence, Facts, Finding
from viewer.trace.reader import Arg, Process
from viewer.trace.sites import place_of
from viewer.words import code

SLOW_MOMENT = "slow moment"


def slow_moment(facts: Facts) -> Iterator[Finding]:
    """A wait or step was long enough for the recording's condition (`--on`)."""
    for process in facts.model.trace.processes:
        said = process.snapshot or {}
        start_ns, end_ns = _number(said, s.ARG_SINCE), _number(said, s.ARG_UNTIL)
        if s.ARG_TRIGGER in said and start_ns < end_ns:
            yield Finding(
                SLOW_MOMENT, end_ns - start_ns, _text(said), _evidence(facts, process, said)
            )


def _text(said: dict[str, Arg]) -> str:
    trigger, site = str(said[s.ARG_TRIGGER]), str(said.get(s.ARG_SITE, ""))
    what = str(said.get(s.ARG_REASON, "")).removeprefix(trigger).strip()
    what = what.removeprefix("(").removesuffix(")")
    if site:
        what = what.replace(site, code(place_of(site).function, site))
    return f"A slow moment, for which the snapshot was taken ({trigger}): {what}."


def _evidence(facts: Facts, process: Process, said: dict[str, Arg]) -> Evidence:
    tid, start_ns = _number(said, s.ARG_TID), _number(said, s.ARG_SINCE)
    names = (
        facts.model.thread_names[i]
        for i, track in enumerate(facts.model.threads)
        if (track.pid, track.tid) == (process.pid, tid)
    )
    return Evidence(
        start_ns,
        _number(said, s.ARG_UNTIL) - start_ns,
        next(names, ""),
        _number(said, s.ARG_TASK) or -1,
        tid or -1,
        str(said.get(s.ARG_SITE, "")),
        pid=process.pid,
    )


def _number(args: dict[str, Arg], name: str) -> int:
    value = args.get(name, 0)
    return value if isinstance(value, int) else 0
