"""The slow moment that a snapshot of a flight recording was taken for: it may still last, so
what it costs others is not known yet."""

from collections.abc import Iterator, Mapping

from tracer import schema as s
from viewer.analysis.findings.basis.doing import doing
from viewer.analysis.findings.basis.facts import Evidence, Facts, Finding
from viewer.analysis.ledger.circles import Who
from viewer.trace.processes import Arg, number_of
from viewer.trace.sites import place_of
from viewer.words import code

SLOW_MOMENT = "slow moment"


def slow_moment(facts: Facts) -> Iterator[Finding]:
    """A wait or step was long enough for the recording's condition (`--on`)."""
    processes = facts.model.trace.processes
    for i in processes.snapshots:
        said = processes[i].snapshot or {}
        start_ns, end_ns = number_of(said, s.ARG_SINCE), number_of(said, s.ARG_UNTIL)
        if s.ARG_TRIGGER in said and start_ns < end_ns:
            evidence = _evidence(facts, i, said)
            did = doing(facts, ((who, start_ns, end_ns) for who in _who(facts, i, said)))
            text = f"{_text(said)}{f'; {did}' if did else ''}."
            yield Finding(SLOW_MOMENT, evidence.duration_ns, text, evidence)


def _who(facts: Facts, process: int, said: Mapping[str, Arg]) -> list[Who]:
    """Whose moment it was: of a loop its thread, else the task or the thread."""
    thread = facts.ledger.thread(process, number_of(said, s.ARG_TID))
    task = facts.ledger.task_of(process, number_of(said, s.ARG_TASK))
    if thread >= 0:
        return [("thread", thread)]
    return [("task", task)] if task >= 0 else []


def _text(said: Mapping[str, Arg]) -> str:
    trigger, site = str(said[s.ARG_TRIGGER]), str(said.get(s.ARG_SITE, ""))
    what = str(said.get(s.ARG_REASON, "")).removeprefix(trigger).strip()
    what = what.removeprefix("(").removesuffix(")")
    if site:
        what = what.replace(site, code(place_of(site).function, site))
    return f"A slow moment, for which the snapshot was taken ({trigger}): {what}"


def _evidence(facts: Facts, process: int, said: Mapping[str, Arg]) -> Evidence:
    tid, start_ns = number_of(said, s.ARG_TID), number_of(said, s.ARG_SINCE)
    thread = facts.ledger.thread(process, tid)
    return Evidence(
        start_ns,
        number_of(said, s.ARG_UNTIL) - start_ns,
        facts.model.thread_names[thread] if thread >= 0 else "",
        number_of(said, s.ARG_TASK) or -1,
        tid or -1,
        str(said.get(s.ARG_SITE, "")),
        pid=facts.model.pid(process),
    )
