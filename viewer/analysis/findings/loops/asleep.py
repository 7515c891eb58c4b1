"""Loops that sleep though a task is ready: another thread made it so and did not wake them."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import name_of, place_in
from viewer.analysis.findings.basis.words import at
from viewer.trace.columns import READY, SELECT
from viewer.trace.sites import innermost
from viewer.words import code, stem

# A loop is in select until it is told; a fifth of a second in it while a task is ready, for
# nine tenths of that time, half a second in all.
_LATE_NS = 200 * MS
_MOSTLY = 9, 10


def sleeping_loop(facts: Facts) -> Iterator[Finding]:
    """Tasks that are ready while their loop waits in select for something else."""
    model, trace, slices = facts.model, facts.model.trace, facts.model.trace.slices
    ready = trace.engine.longer(
        slices.start_ns, slices.end_ns, facts.kinds((READY,)), _LATE_NS
    )
    if not len(ready):
        return
    polls: dict[int, list[int]] = defaultdict(list)
    for i in trace.engine.longer(
        slices.start_ns, slices.end_ns, facts.kinds((SELECT,)), _LATE_NS
    ):
        polls[model.lane[i]].append(i)
    names = defaultdict[tuple[int, str, str], set[str]](set)
    # Each time it may be another thread of the same name.
    found: dict[tuple[int, str, str], list[int]] = defaultdict(list)
    for i in ready:
        args = trace.args(slices.event[i])
        tid = args.get(s.ARG_WAKER_THREAD)
        if isinstance(tid, int) and _slept(facts, i, polls.get(model.lane[i], [])):
            frames = facts.stack(i).split("\n")
            site = innermost(frames)
            process = model.owners.task_process[model.owners.owner[i]]
            thread = facts.ledger.thread(process, tid)
            name = model.thread_names[thread] if thread >= 0 else ""
            names[process, stem(name), site].add(name)
            found[process, stem(name), site].append(i)
    for (process, name, site), rows in found.items():
        lost = facts.slices_ns(rows)
        if lost >= LOST_NS:
            one = names[process, name, site]
            yield _finding(facts, min(one) if len(one) == 1 else name, site, rows, lost)


def _slept(facts: Facts, i: int, polls: list[int]) -> bool:
    """Whether the loop was in one select for most of the time."""
    slices = facts.model.trace.slices
    start, end = slices.start_ns[i], slices.end_ns[i]
    at_start = bisect_right(polls, start, key=slices.start_ns.__getitem__) - 1
    if at_start < 0:
        return False
    met = min(end, slices.end_ns[polls[at_start]]) - start
    return met * _MOSTLY[1] >= (end - start) * _MOSTLY[0]


def _finding(facts: Facts, name: str, site: str, rows: list[int], lost: int) -> Finding:
    model, slices = facts.model, facts.model.trace.slices
    worst = facts.longest_slice(rows)
    task, ns = model.owners.owner[worst], facts.slice_ns(worst)
    nouns = model.nouns_for([task])
    waker = code(name) if name else "another thread"
    text = (
        f"Missed wake-up: {code(name_of(model, ('task', task)))} was ready for {duration(ns)} "
        f"({at(facts, slices.start_ns[worst])}), but its {nouns.loop} slept on in `select`: "
        f"{waker}{place_in(site)} made it ready from another thread, which does not wake the "
        f"loop. {plural(len(rows), 'time')}, {duration(lost)} in total. Call "
        f"`loop.call_soon_threadsafe(...)`, or `asyncio.run_coroutine_threadsafe(...)`."
    )
    evidence = facts.evidence(("task", task), slices.start_ns[worst], ns, site)
    return Finding("missed wake-up", lost, text, evidence)
