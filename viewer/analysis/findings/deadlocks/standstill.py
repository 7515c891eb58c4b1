"""Tasks, or processes, that all wait for room in queues, so that nobody takes anything out."""

from collections import defaultdict
from collections.abc import Iterator

from tracer.units import duration
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.processes.family import Family
from viewer.analysis.resources.waits import PUTS, Wait
from viewer.analysis.states import stack_of
from viewer.trace.columns import IO
from viewer.trace.sites import place_of
from viewer.words import code

# A consumer may be slow; that all tasks stand still for half a second is no slowness.
_QUEUES = 2  # of one, the consumers may not have begun
_MOST = 64  # tasks that live at the same time: more are not searched


def standstill(facts: Facts) -> Iterator[Finding]:
    """All tasks of a process wait in vain for room in several queues, but for those that await
    the end of others: whoever could take something out waits, too."""
    waits = LongWaits.of(facts)
    vain = [
        wait
        for wait in waits.all
        if wait.name in PUTS and wait.failed and wait.ns >= LOST_NS and wait.who[0] == "task"
    ]
    if len({wait.lock for wait in vain}) < _QUEUES:
        return
    for wait in sorted(vain, key=lambda wait: -wait.ns):
        if wait.slice in waits.told:
            continue
        stuck = _stuck_meanwhile(waits, vain, wait)
        living = waits.living(wait)
        others = living - stuck.keys()
        is_all = len(living) <= _MOST and others <= waits.waiting_for_ends(wait)
        if is_all and len({one.lock for one in stuck.values()}) >= _QUEUES:
            waits.told.update(one.slice for one in stuck.values())
            yield _finding(facts, waits, list(stuck.values()), bool(others))
            return


def _stuck_meanwhile(waits: LongWaits, vain: list[Wait], wait: Wait) -> dict[Who, Wait]:
    """By task those of the waits that last for four fifths of one, in the same process."""
    fifth, process = wait.ns // 5, waits.process(wait.who)
    return {
        one.who: one
        for one in vain
        if one.start_ns <= wait.start_ns + fifth
        and one.end_ns >= wait.end_ns - fifth
        and waits.process(one.who) == process
    }


def _finding(facts: Facts, waits: LongWaits, stuck: list[Wait], others: bool) -> Finding:
    worst = max(stuck, key=lambda wait: wait.ns)
    alike = defaultdict[tuple[str, int, str], list[Who]](list)
    for wait in stuck:
        alike[wait.name, wait.lock, wait.site].append(wait.who)
    parts = [
        f"{users(facts.model, whos)}{place_in(site)} in `{name}`"
        for (name, _, site), whos in alike.items()
    ]
    start = max(wait.start_ns for wait in stuck)
    end = min(wait.end_ns for wait in stuck)
    lasts = "until the end of the trace" if worst.is_open else f"for {duration(end - start)}"
    rest = "all others wait for their end" if others else "there are no others"
    text = (
        f"Deadlock {at(facts, start)}, {lasts}: all wait for room in queues, so nobody takes "
        f"anything out of one: {', '.join(parts[:-1])} and {parts[-1]}; {rest}. Take results "
        f"out while you put work in (a task for each), or give one of the queues no bound."
    )
    return Finding("deadlock", sum(w.ns for w in stuck), text, waits.evidence(worst))


# A consumer may be slow; that all processes stand still for half a second is no slowness.
_ACQUIRES = "SemLock.acquire"
_PUT = ("multiprocessing/queues.py", "Queue.put")


def full_queues(facts: Facts) -> Iterator[Finding]:
    """A process waits for room in a queue while all others wait in the same way."""
    model, table = facts.model, facts.model.states
    if len(model.trace.processes) < 2:
        return
    waits: dict[int, list[int]] = defaultdict(list)  # by process, in order of time
    for row in facts.rows_of((IO,), LOST_NS):
        if facts.call(table.row[row])[0].endswith(_ACQUIRES):
            waits[model.thread_process[table.who[row]]].append(row)
    told = set[str]()
    for process, rows in waits.items():
        for row in rows:
            site = facts.call(table.row[row])[1]
            if not _puts(facts, row) or site in told:
                continue
            others = _all_others(facts, waits, process, row)
            if others:
                told.add(site)
                yield _of_processes(facts, row, others)


def _puts(facts: Facts, row: int) -> bool:
    stack = stack_of(facts.model, row)
    frame = place_of(stack.split("\n", 1)[0])
    return frame.path.endswith(_PUT[0]) and frame.function == _PUT[1]


def _all_others(
    facts: Facts, waits: dict[int, list[int]], process: int, row: int
) -> list[int]:
    """The waits of all other processes that live meanwhile; none if one of them works."""
    model, table = facts.model, facts.model.states
    since, until = table.start_ns[row], table.end_ns[row]
    living = {
        model.thread_process[thread]
        for thread in range(len(model.threads))
        if table.first_ns[thread] <= since and table.last_ns[thread] > since + LOST_NS
    }
    found = list[int]()
    for other in living - {process}:
        meanwhile = [
            one
            for one in waits.get(other, [])
            if min(until, table.end_ns[one]) - max(since, table.start_ns[one]) >= LOST_NS
        ]
        if not meanwhile:
            return []
        found += meanwhile
    together = min([table.end_ns[one] for one in (row, *found)]) - max(
        [table.start_ns[one] for one in (row, *found)]
    )
    return found if together >= LOST_NS else []


def _of_processes(facts: Facts, row: int, others: list[int]) -> Finding:
    model, table = facts.model, facts.model.states
    start, ns = table.start_ns[row], facts.row_ns(row)
    thread, site = table.who[row], facts.call(table.row[row])[1]
    where = sorted({place_in(facts.call(table.row[one])[1]) for one in others} - {""})
    family = Family.of(model)
    members = {family.name(model.thread_process[table.who[one]]) for one in others}
    named = " and ".join(map(code, sorted(members)[:3]))
    who = named if len(members) <= 3 else f"{named} and {len(members) - 3} more processes"
    text = (
        f"Deadlock {at(facts, start)}, for {duration(ns)}: "
        f"{code(model.thread_names[thread])}{place_in(site)} waits for room in a queue "
        f"between processes, while {who} wait{'s' if len(members) == 1 else ''} for room in "
        f"theirs{where[0] if where else ''}: nobody takes anything out. Take results out "
        f"while you put work in (a thread can do one of both), or give one of the queues no "
        f"bound."
    )
    lost = ns + facts.total_ns(others)
    return Finding("deadlock", lost, text, facts.evidence_of(row))
