"""Waits for the output of a child that had printed long before, into a buffer of its own."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer import schema as s
from tracer.units import duration
from viewer.analysis.causes.elsewhere import Elsewhere
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.states import stack_of
from viewer.trace.columns import IO
from viewer.words import code

# Half a second from the first text that a child printed to the moment when its parent got it.
# Reads that end with the first piece, and those that end with the output itself.
_READS = ("readline", "read1", "readinto", "os.read", "peek")
_TO_THE_END = (" Popen._communicate", " Popen.communicate", " check_output", " run")
_SUBPROCESS = "/subprocess.py:"


class _Late(NamedTuple):
    row: int  # of States: the read
    child: str
    printed_ns: int
    site: str  # where it printed
    ns: int


def late_output(facts: Facts) -> Iterator[Finding]:
    """A line reads what a child prints piece by piece, and gets nothing until much later."""
    printed = _printed(facts)
    if not printed:
        return
    by_site = defaultdict[str, list[_Late]](list)
    children = Elsewhere.of(facts.model).child_of_row
    for row in facts.rows_of((IO,), LOST_NS):
        child = children.get(row)
        if child is None or child.process not in printed or not _is_by_pieces(facts, row):
            continue
        table, (first_ns, site) = facts.model.states, printed[child.process]
        ns = table.end_ns[row] - first_ns
        is_first = first_ns >= table.start_ns[row]  # later ones wait for what comes next
        if is_first and ns >= LOST_NS:
            by_site[facts.call(table.row[row])[1]].append(
                _Late(row, child.name, first_ns, site, ns)
            )
    for site, every in by_site.items():
        yield _finding(facts, site, every)


def _printed(facts: Facts) -> dict[int, tuple[int, str]]:
    """By process when it first printed into a pipe, and at which line."""
    trace, found = facts.model.trace, dict[int, tuple[int, str]]()
    for event in trace.instants(trace.events.name, s.PRINTED):
        process = trace.track_process[trace.events.track[event]]
        site = trace.text_of_event(event, s.ARG_SITE)
        found.setdefault(process, (trace.events.time_ns[event], site))
    return found


def _is_by_pieces(facts: Facts, row: int) -> bool:
    """Whether what is read comes as soon as there is some, not when the output ends."""
    if not facts.call(facts.model.states.row[row])[0].endswith(_READS):
        return False
    frames = stack_of(facts.model, row).split("\n")
    return not any(_SUBPROCESS in f and f.endswith(_TO_THE_END) for f in frames)


def _finding(facts: Facts, site: str, every: list[_Late]) -> Finding:
    table = facts.model.states
    worst, lost = max(every, key=lambda late: late.ns), sum(late.ns for late in every)
    thread, start, end = (
        column[worst.row] for column in (table.who, table.start_ns, table.end_ns)
    )
    LongWaits.of(facts).told.update(table.slice[late.row] for late in every)
    others = f"; {len(every)} such waits lost {duration(lost)} in total"
    text = (
        f"Waited in vain: {code(facts.model.thread_names[thread])}{place_in(site)} waited "
        f"{duration(end - start)} in `{facts.call(table.row[worst.row])[0]}` "
        f"({at(facts, start)}) for output of its child {code(worst.child)}, which printed for "
        f"the first time {duration(worst.ns)} before the wait was over "
        f"({at(facts, worst.printed_ns)}){place_in(worst.site)}"
        f"{others if len(every) > 1 else ''}. Text for a pipe stays in the child's buffer "
        f"until 8 KiB are there, it is flushed, or the child ends"
    )
    step = (
        "Let it flush (`print(…, flush=True)`), or start it unbuffered (`python -u`, "
        "`PYTHONUNBUFFERED=1`)."
    )
    evidence = facts.evidence(("thread", thread), start, end - start, site)
    return Finding("wait in vain", lost, f"{text}.", evidence, step, processes=2)
