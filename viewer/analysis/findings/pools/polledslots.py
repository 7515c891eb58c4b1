"""Slots for which tasks and threads ask again and again, with a pause in between."""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer import schema as s
from tracer.units import duration, plural
from viewer.analysis.findings.basis.databases import awaits_of
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.findings.locks.ownlocks import own_lock_of
from viewer.analysis.ledger.circles import Who
from viewer.analysis.states import stack_of
from viewer.trace.columns import SLEEP
from viewer.trace.sites import is_library, place_of
from viewer.words import stem

_MS = 1_000_000
# Three or more sleep three times or more in one helper, at a line at which nobody does
# anything else, half a second in all: they ask for something.
_LOST_NS = 500 * _MS
_WHO, _TIMES = 3, 3
# It is a slot where most of them get it in the pause in which another one that asked there had
# ended or asked anew, and as many have one for most of the time: a rate has idle times.
_HANDED = _FULL = 7, 10
_NEXT_NS = 5 * _MS  # from one pause to the next: a question is quick
_MOST = 20_000
_SLEEP = f"{s.AWAIT_PREFIX}{s.SLEEP}"


class _Run(NamedTuple):
    """Pauses of one, one after the other; the last one began at `last_ns`."""

    who: Who
    start_ns: int
    last_ns: int
    end_ns: int
    times: int

    @property
    def ns(self) -> int:
        return self.end_ns - self.start_ns


class _Times(NamedTuple):
    """When somebody had a slot."""

    who: Who
    start_ns: int
    end_ns: int


def polled_slots(facts: Facts) -> Iterator[Finding]:
    """A pool, or a flag, of one's own that is polled."""
    for site, runs in _runs(facts).items():
        asked = {run.who for run in runs}
        lost = sum(run.ns for run in runs)
        if lost < _LOST_NS or len(asked) < _WHO:
            continue
        holds = _holds(facts, runs)
        if _are_handed(runs, holds) and (size := _size(runs, holds)):
            yield _finding(facts, site, runs, holds, size)


def _runs(facts: Facts) -> dict[str, list[_Run]]:
    """By line, in order of begin."""
    pauses: dict[tuple[str, Who], list[tuple[int, int]]] = defaultdict(list)
    for who, site, start_ns, end_ns in (*_of_tasks(facts), *_of_threads(facts)):
        pauses[site, who].append((start_ns, end_ns))
    found: dict[str, list[_Run]] = defaultdict(list)
    for (site, who), times in pauses.items():
        since = 0
        for n, (_, end_ns) in enumerate(times):
            is_last = n + 1 == len(times) or times[n + 1][0] - end_ns > _NEXT_NS
            if is_last:
                run = _Run(who, times[since][0], times[n][0], end_ns, n + 1 - since)
                if run.times >= _TIMES:
                    found[site].append(run)
                since = n + 1
    for runs in found.values():
        runs.sort(key=lambda run: run.start_ns)
    return found


def _of_tasks(facts: Facts) -> Iterator[tuple[Who, str, int, int]]:
    slices, owner = facts.model.trace.slices, facts.model.owners.owner
    rows = awaits_of(facts, _SLEEP) if facts.model.trace.awaiting(_SLEEP.__eq__) else []
    for i in rows if len(rows) <= _MOST else ():
        stack = facts.model.trace.text_of_slice(i, s.ARG_STACK)
        if site := _helper(stack):
            yield ("task", owner[i]), site, slices.start_ns[i], slices.end_ns[i]


def _of_threads(facts: Facts) -> Iterator[tuple[Who, str, int, int]]:
    table = facts.model.states
    rows = facts.rows_of((SLEEP,), 0)
    for row in rows if len(rows) <= _MOST else ():
        if site := _helper(stack_of(facts.model, row)):
            yield ("thread", table.who[row]), site, table.start_ns[row], table.end_ns[row]


def _helper(stack: str) -> str:
    """The innermost line of the program, if another function of it called that; "" in a lock
    of the program's own, whose polling is told as such."""
    own = [frame for frame in stack.split("\n") if frame and not is_library(frame)]
    if len(own) < 2 or place_of(own[1]).function == "<module>":
        return ""
    return "" if own_lock_of(tuple(stack.split("\n"))) else own[0]


def _holds(facts: Facts, runs: list[_Run]) -> list[_Times]:
    """The times of all that are like those who ask, in which they do not: from the end of
    their questions, or their begin, to the next question, or their end."""
    model, waits = facts.model, LongWaits.of(facts)
    groups = {_kind(facts, run.who) for run in runs}
    process = {waits.process(run.who) for run in runs}
    asked: dict[Who, list[_Run]] = defaultdict(list)
    for run in runs:
        asked[run.who].append(run)
    every: list[Who] = [("task", task) for task in range(len(model.owners.task_id))]
    every += [("thread", thread) for thread in range(len(model.threads))]
    found = []
    for who in every:
        if waits.process(who) not in process or _kind(facts, who) not in groups:
            continue
        since = waits.begins_ns(who)
        for run in asked[who]:
            found.append(_Times(who, since, run.start_ns))
            since = run.end_ns
        found.append(_Times(who, since, waits.ends_ns(who)))
    return [times for times in found if times.end_ns - times.start_ns > _MS]


def _kind(facts: Facts, who: Who) -> tuple[str, str | int]:
    """The same for the tasks of a coroutine, and for the threads of a name."""
    if who[0] == "task":
        return "task", LongWaits.of(facts).group(who)
    return "thread", stem(name_of(facts.model, who))


def _are_handed(runs: list[_Run], holds: list[_Times]) -> bool:
    ends = sorted((hold.end_ns, hold.who) for hold in holds)
    handed = 0
    for run in runs:
        low = bisect_left(ends, (run.last_ns, ("", 0)))
        high = bisect_right(ends, (run.end_ns, ("~", 0)))
        handed += any(who != run.who for _, who in ends[low:high])
    return handed * _HANDED[1] >= len(runs) * _HANDED[0]


def _size(runs: list[_Run], holds: list[_Times]) -> int:
    """How many have one for most of the time in which somebody asks; 0 where that changes."""
    changes = [(hold.start_ns, 1, 0) for hold in holds] + [(h.end_ns, -1, 0) for h in holds]
    changes += [(run.start_ns, 0, 1) for run in runs] + [(run.end_ns, 0, -1) for run in runs]
    had, asking, before = 0, 0, 0
    spent: Counter[int] = Counter()
    for time_ns, more, ask in sorted(changes):
        if asking > 0:
            spent[had] += time_ns - before
        had, asking, before = had + more, asking + ask, time_ns
    (size, ns), *_ = spent.most_common(1) or [(0, 0)]
    return size if ns * _FULL[1] >= spent.total() * _FULL[0] else 0


def _finding(
    facts: Facts, site: str, runs: list[_Run], holds: list[_Times], size: int
) -> Finding:
    worst = max(runs, key=lambda run: run.ns)
    lost, pauses = sum(run.ns for run in runs), sum(run.times for run in runs)
    had = [hold for hold in holds if hold.start_ns <= runs[-1].end_ns]
    mean = sum(hold.end_ns - hold.start_ns for hold in had) // len(had)
    did = mostly(facts, [(hold.who, hold.start_ns, hold.end_ns) for hold in had])
    text = (
        f"Pool exhausted: {users(facts.model, (run.who for run in runs))} ask again and "
        f"again{place_in(site)} until one of those before them has ended: "
        f"{plural(pauses, 'pause')} lost {duration(lost)} in total, the longest wait "
        f"{duration(worst.ns)} ({at(facts, worst.start_ns)}). It lets {size} through at a "
        f"time, and each makes room for the next after {duration(mean)} on average"
        f"{f', {did.text}' if did.text else ''}. Keep it for less time, or raise their "
        f"number; a semaphore or a queue would wake the next one at once."
    )
    evidence = facts.evidence(worst.who, worst.start_ns, worst.ns, site)
    return Finding("pool exhausted", lost, text, evidence, behind=did.behind)
