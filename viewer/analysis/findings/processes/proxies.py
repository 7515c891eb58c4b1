"""Objects of a `multiprocessing` manager, of which each access is a message to its process."""

from collections import defaultdict
from collections.abc import Iterator

from tracer.units import MS, duration, share
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.findings.locks.betweenprocesses import waiting_for
from viewer.analysis.states import mentioned, stack_of
from viewer.trace.sites import innermost

# As advice: half a second must be lost at one line, in short calls which are at least half of
# the time from the first to the last. Longer calls wait for something that the object keeps.
_TIMES = 200
_EACH_NS = 5 * MS
_PART = 2
_READ = "os.read"
_CALLS = " BaseProxy._callmethod"


def manager_asked(facts: Facts) -> Iterator[Finding]:
    """A line asks a manager's process again and again, one short call after the other."""
    model, table = facts.model, facts.model.states
    if not mentioned(model, _CALLS):
        return
    alike = defaultdict[tuple[int, int], list[int]](list)
    for row in facts.calls_named((_READ,)):
        alike[table.who[row], table.row[row]].append(row)
    by_line = defaultdict[str, dict[int, list[int]]](dict)
    for (thread, _), rows in alike.items():
        if len(rows) >= _TIMES and (line := _asked_at(stack_of(model, rows[0]))):
            by_line[line].setdefault(thread, []).extend(rows)
    for line, threads in by_line.items():
        mostly = [rows for rows in threads.values() if _is_most(facts, rows)]
        if mostly and sum(facts.total_ns(rows) for rows in mostly) >= LOST_NS:
            yield _finding(facts, line, mostly)


def _asked_at(stack: str) -> str:
    """The user's line that calls a method of a proxy; "" where it is a library's call. The
    method itself is made from a text, so it is in no file."""
    outside = stack.partition(f"{_CALLS}\n")[2].split("\n")
    return innermost(outside[1:])


def _whole(facts: Facts, rows: list[int]) -> int:
    table = facts.model.states
    return max(table.end_ns[row] for row in rows) - min(table.start_ns[row] for row in rows)


def _is_most(facts: Facts, rows: list[int]) -> bool:
    ns = facts.total_ns(rows)
    return ns <= _EACH_NS * len(rows) and ns * _PART >= _whole(facts, rows)


def _finding(facts: Facts, line: str, threads: list[list[int]]) -> Finding:
    table = facts.model.states
    rows = [row for one in threads for row in one]
    lost, whole = facts.total_ns(rows), sum(_whole(facts, one) for one in threads)
    first = min(rows, key=table.start_ns.__getitem__)
    start, verb = table.start_ns[first], "asks" if len(threads) == 1 else "ask"
    text = (
        f"Awaits in turn: {waiting_for(facts, rows)}{place_in(line)} {verb} a manager's "
        f"process at least {len(rows):,} times, one call after the other "
        f"({at(facts, start)}): {duration(lost)} of waiting, {share(lost, whole)} of the "
        f"time from the first to the last, {duration(lost // len(rows))} each. Each access to "
        f"an object of a `multiprocessing.Manager` is a round trip: copy what you "
        f"need once (`dict(proxy)`), work on that, and hand the result over in one "
        f"call (`update`)."
    )
    evidence = facts.evidence(("thread", table.who[first]), start, whole, line)
    processes = len({facts.model.thread_process[table.who[row]] for row in rows})
    return Finding("awaits in turn", lost, text, evidence, processes=processes)
