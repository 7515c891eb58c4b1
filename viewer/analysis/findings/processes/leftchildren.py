"""Children that a program starts again and again and never waits for."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer import schema as s
from tracer.units import duration
from viewer.analysis.findings.basis.facts import Evidence, Facts, Finding
from viewer.analysis.findings.basis.waits import place_in
from viewer.analysis.findings.basis.words import at
from viewer.trace.sites import is_library

_MS = 1_000_000
# A program that starts its workers does so at once, and a few helpers may be left to
# themselves: these are sixteen, started over half a second, of which it saw none end.
_MANY = 16
_SPREAD_NS = 500 * _MS


class _Child(NamedTuple):
    pid: int
    start_ns: int
    track: int


def children_pile_up(facts: Facts) -> Iterator[Finding]:
    """Children of one line, of which the program never learns that one has ended."""
    model, trace = facts.model, facts.model.trace
    by_line: dict[tuple[int, str], list[_Child]] = defaultdict(list)
    ended = set[tuple[int, int]]()
    for name in (s.SPAWN, s.FORK):
        for event in trace.instants(trace.events.name, name):
            args, track = trace.args(event), trace.events.track[event]
            pid, site = args.get(s.ARG_CHILD), str(args.get(s.ARG_SITE, ""))
            if isinstance(pid, int) and site and not is_library(site):
                child = _Child(pid, trace.events.time_ns[event], track)
                by_line[trace.track_process[track], site].append(child)
    if not any(len(found) >= _MANY for found in by_line.values()):
        return
    for event in trace.instants(trace.events.name, s.CHILD_ENDED):
        pid, track = trace.args(event).get(s.ARG_CHILD), trace.events.track[event]
        if isinstance(pid, int):
            ended.add((trace.track_process[track], pid))
    for (process, site), found in by_line.items():
        first, last = found[0], found[-1]
        is_left = not any((process, child.pid) in ended for child in found)
        if len(found) < _MANY or not is_left or last.start_ns - first.start_ns < _SPREAD_NS:
            continue
        end_ns = trace.processes[process].end_ns
        lost = sum(end_ns - child.start_ns for child in found)
        thread = model.threads.by_uuid.get(trace.events.uuids[first.track], -1)
        text = (
            f"Processes pile up: {len(found)} children were started{place_in(site)}, from "
            f"{at(facts, first.start_ns).removeprefix('at ')} on, and in "
            f"{duration(end_ns - first.start_ns)} nobody waited for one: each runs on, or has "
            f"ended and stays in the kernel's table of processes. Wait for each child "
            f"(`subprocess.run`, `wait()`, `poll()` now and then), and start no more than a "
            f"few at a time."
        )
        who = model.thread_names[thread] if thread >= 0 else ""
        tid = model.threads[thread].tid if thread >= 0 else -1
        evidence = Evidence(
            first.start_ns, end_ns - first.start_ns, who, tid=tid, site=site,
            pid=model.pid(process),
        )  # fmt: skip
        yield Finding("workers never exit", lost, text, evidence)
