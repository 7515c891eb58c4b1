"""Collections in which finalisers wait: `__del__` methods that sleep, ask others or lock."""

from bisect import bisect_left
from collections.abc import Iterator

from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.facts import BLOCKED, Evidence, Facts, Finding
from viewer.analysis.findings.basis.words import at, did
from viewer.analysis.ledger.resource import windows_of
from viewer.analysis.states import stack_of
from viewer.trace.columns import IO, LOCK_WAIT, SLEEP, STATE_MASK
from viewer.trace.garbage import Collection
from viewer.trace.sites import place_of
from viewer.words import code

# A collection computes. Where its finalisers wait, a fifth of a second in all is worth a word.
_LONG_NS = 10 * MS
_LOST_NS = 200 * MS
_LOOKED_AT = 100  # states
_MOST = 200  # collections of a thread that are looked at, the longest ones


def slow_finalisers(facts: Facts) -> Iterator[Finding]:
    """Finalisers wait within collections, so whoever happens to collect waits for them."""
    model, every = facts.model, facts.model.collections
    is_any = memoryview(bytes(b"\1" * len(every)))
    longest = {*model.trace.engine.longer(every.start_ns, every.end_ns, is_any, _LONG_NS)}
    for (process, tid), rows in facts.collections.items() if longest else ():
        long = [every[row] for row in rows if row in longest]
        if sum(run.end_ns - run.start_ns for run in long) < _LOST_NS:
            continue
        thread = facts.ledger.thread(process, tid)
        if thread < 0:
            continue
        long = sorted(long, key=lambda run: run.start_ns - run.end_ns)[:_MOST]
        long.sort(key=lambda run: run.start_ns)
        times = [(run.start_ns, run.end_ns) for run in long]
        split = facts.split(thread, windows_of(times))
        lost = split.of(BLOCKED)
        if lost < _LOST_NS:
            continue
        worst = max(long, key=lambda run: run.end_ns - run.start_ns)
        name = model.thread_names[thread]
        finaliser = _finaliser(facts, thread, worst)
        by = f" (such as {code(place_of(finaliser).function, finaliser)})" if finaliser else ""
        how = f", {said}" if (said := did(facts, split)) else ""
        text = (
            f"GC in the hot path: finalisers{by} wait in {plural(len(long), 'collection')} on "
            f"{code(name)}, {duration(lost)} in total, the longest collection "
            f"{duration(worst.end_ns - worst.start_ns)} ({at(facts, worst.start_ns)})"
            f"{how}. Whatever runs when a collection is due waits for them. Close such "
            f"objects by hand (`with`, `close()`), and leave nothing that waits to `__del__`."
        )
        evidence = Evidence(
            worst.start_ns, worst.end_ns - worst.start_ns, name, tid=tid,
            site=finaliser, pid=model.pid(process),
        )  # fmt: skip
        about = frozenset((finaliser,) if finaliser else ())
        yield Finding("GC in the hot path", lost, text, evidence, about=about)


def _finaliser(facts: Facts, thread: int, run: Collection) -> str:
    """The frame of a `__del__` that waits in a collection; "" where no stack has one."""
    table, rows = facts.model.states, facts.ledger.rows_of_threads
    first = bisect_left(
        rows.start_ns, run.start_ns, rows.offset[thread], rows.offset[thread + 1]
    )
    for n in range(first, min(first + _LOOKED_AT, rows.offset[thread + 1])):
        row = rows.row[n]
        if rows.start_ns[n] < run.end_ns and table.state[row] & STATE_MASK in (
            SLEEP,
            IO,
            LOCK_WAIT,
        ):
            stack = stack_of(facts.model, row)
            found = next((f for f in stack.split("\n") if f.endswith("__del__")), "")
            if found:
                return found
    return ""
