"""Many small hand-overs, one after the other: awaits of a task at one line, of which the way
there and back takes longest, and messages to the process of a manager."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, duration, share
from viewer.analysis.findings.basis.facts import LOST_NS, NOT_ITS_FAULT, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.findings.locks.betweenprocesses import waiting_for
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.jobs import Job
from viewer.analysis.ledger.resource import window, windows_of
from viewer.analysis.resources.connections import is_input
from viewer.analysis.resources.reading import awaits_of
from viewer.analysis.states import mentioned, stack_of
from viewer.trace.sites import innermost, own_frames
from viewer.words import code

# A thousand jobs from one line of a task took half a second in all and less than a millisecond
# each, and half of that or more is not their own work, but the round trip to the thread.
# Of jobs that the trace does not know (anyio's), none takes as long as that way.
_TIMES = 1_000
_TINY_NS = MS
_WAY_NS = MS // 2
_WORK = 5, 10
_MOST = 50_000
_EXECUTOR = f"{s.AWAIT_PREFIX}executor"
# Questions to a server cost the program's own work for each, too. They are asked by a helper,
# below the task's own function, which a client may be; and the task awaits little else, as
# whoever takes messages does.
_ASKS = (f"{s.AWAIT_PREFIX}command (", f"{s.AWAIT_PREFIX}query (")
_QUESTION_NS = 2 * MS
_ELSE = 2, 10
# Ten answers that the main task awaits in turn are most of its life, and a second in all:
# whoever asks in turn in a main task of a client does nothing else.
_ANSWERS, _ANSWERS_TIMES, _ANSWERS_NS = (f"{s.AWAIT_PREFIX}response (",), 10, 1_000 * MS
_LIFE = 2


class _Row(NamedTuple):
    """Equal awaits of a task at one line, and from the first to the last of them."""

    task: int
    what: str
    site: str
    found: list[int]
    start_ns: int
    whole_ns: int
    awaits_ns: int


def tiny_jobs(facts: Facts) -> Iterator[Finding]:
    """Lines of a file, rows or keys, each fetched by a job or command of its own."""
    for row in _rows(facts, _EXECUTOR):
        yield from _of_jobs(facts, row)
    for row in _rows(facts, _ASKS):
        if _is_helper(facts, row) and _own_ns(facts, row) < len(row.found) * _QUESTION_NS:
            yield _asked(facts, row)
    for row in _rows(facts, _ANSWERS, _ANSWERS_TIMES, _ANSWERS_NS):
        if _is_main(facts, row) and _is_helper(facts, row):
            yield _answered(facts, row)


def _rows(
    facts: Facts,
    prefix: str | tuple[str, ...],
    least: int = _TIMES,
    least_ns: int = LOST_NS,
) -> Iterator[_Row]:
    slices, owner = facts.model.trace.slices, facts.model.owners.owner
    every = awaits_of(facts, prefix)[:_MOST]
    many = {task for task, times in Counter(owner[i] for i in every).items() if times >= least}
    by_line: dict[tuple[int, str, str], list[int]] = defaultdict(list)
    for i in every if many else ():
        if owner[i] in many:
            by_line[owner[i], *facts.awaited(i)].append(i)
    for (task, what, site), found in by_line.items():
        start, end = slices.start_ns[found[0]], slices.end_ns[found[-1]]
        awaits = facts.slices_ns(found)
        if len(found) >= least and end - start >= least_ns:
            yield _Row(task, what, site, found, start, end - start, awaits)


def _of_jobs(facts: Facts, row: _Row) -> Iterator[Finding]:
    each = facts.jobs.of_submitter.get(("task", row.task), [])
    many, total = len(row.found), row.awaits_ns
    if not each:
        if _own_ns(facts, row) < many * _WAY_NS and _awaits_little_else(facts, row):
            yield _handed(facts, row, "", row.whole_ns, row.whole_ns)
        return
    work = _worked_ns(facts, each) * many // len(each)
    is_tiny = total < many * _TINY_NS and work * _WORK[1] <= total * _WORK[0]
    if is_tiny and len(each) >= _TIMES and total >= LOST_NS:
        kind = Counter((job.name, job.site) for job in each).most_common(1)[0][0]
        yield _handed(facts, row, f", mostly {code(*kind)}", total, total - work)


def _worked_ns(facts: Facts, jobs: list[Job]) -> int:
    """What jobs took without waiting for the GIL, or for the processor."""
    times = defaultdict[int, list[tuple[int, int]]](list)
    for job in jobs:
        times[job.thread].append((job.began_ns, job.ended_ns))
    lost = sum(
        facts.split(thread, windows_of(sorted(own))).of(NOT_ITS_FAULT)
        for thread, own in times.items()
    )
    return sum(job.ran_ns for job in jobs) - lost


def _is_main(facts: Facts, row: _Row) -> bool:
    """Whether nobody made the task, and it does that for most of its life, to its end, and
    takes no messages meanwhile: what it does for each of these is told by `turns`."""
    waits = LongWaits.of(facts)
    if any(is_input(waits, i) for i in facts.awaits_of_task(row.task)):
        return False
    owned, life = facts.model.owners, facts.life_ns(row.task)
    is_over = facts.ledger.how_it_ended(row.task) == s.DONE
    return owned.task_parent[row.task] <= 0 and is_over and row.awaits_ns * _LIFE >= life


def _own_ns(facts: Facts, row: _Row) -> int:
    """What it took without the time that the kernel took from the loop."""
    thread = facts.ledger.thread_of_task(row.task)
    windows = window(row.start_ns, row.start_ns + row.whole_ns)
    lost = facts.split(thread, windows).of(NOT_ITS_FAULT) if thread >= 0 else 0
    return row.whole_ns - lost


def _is_helper(facts: Facts, row: _Row) -> bool:
    stack = facts.stack(row.found[0]).split("\n")
    return len(own_frames(stack)) > 1 and _awaits_little_else(facts, row)


def _awaits_little_else(facts: Facts, row: _Row) -> bool:
    slices, until = facts.model.trace.slices, row.start_ns + row.whole_ns
    every = sum(
        facts.slice_ns(i)
        for i in facts.awaits_of_task(row.task)
        if row.start_ns <= slices.start_ns[i] < until
    )
    return (every - row.awaits_ns) * _ELSE[1] <= row.whole_ns * _ELSE[0]


def _handed(facts: Facts, row: _Row, mostly: str, total: int, lost: int) -> Finding:
    text = (
        f"Awaits in turn: {_who(facts, row)} awaits "
        f"{len(row.found):,} jobs of a thread pool{mostly}, one after the other: "
        f"{duration(total)} ({at(facts, row.start_ns)}), "
        f"{f'{share(lost, total)} of it' if mostly else 'mostly'} "
        f"the round trip to the thread. Hand over more at once: all of it, or a block, in one "
        f"job "
        f"(`asyncio.to_thread`)."
    )
    return _finding(facts, row, lost, text)


def _asked(facts: Facts, row: _Row) -> Finding:
    what = row.what.removeprefix(s.AWAIT_PREFIX)
    text = (
        f"Awaits in turn: {_who(facts, row)} awaits `{what}` {len(row.found):,} times, one "
        f"after the other: {duration(row.whole_ns)} ({at(facts, row.start_ns)}), "
        f"{duration(row.whole_ns // len(row.found))} each, "
        f"{share(row.awaits_ns, row.whole_ns)} of it waiting. Ask "
        f"for many at once (`mget`, a pipeline, `= any(...)`, `executemany`): each "
        f"saves a round trip."
    )
    return _finding(facts, row, row.whole_ns, text)


def _answered(facts: Facts, row: _Row) -> Finding:
    longest = max(map(facts.slice_ns, row.found))
    text = (
        f"Awaits in turn: {_who(facts, row)} awaits `{row.what.removeprefix(s.AWAIT_PREFIX)}` "
        f"{len(row.found):,} times, one after the other: {duration(row.awaits_ns)} of "
        f"{duration(row.whole_ns)} ({at(facts, row.start_ns)}), the longest "
        f"{duration(longest)}. If none depends on the one before, `await asyncio.gather(...)` "
        f"takes as long as the longest."
    )
    return _finding(facts, row, row.awaits_ns - longest, text)


def _who(facts: Facts, row: _Row) -> str:
    who: Who = ("task", row.task)
    return f"{code(name_of(facts.model, who))}{place_in(row.site)}"


def _finding(facts: Facts, row: _Row, lost: int, text: str) -> Finding:
    evidence = facts.evidence(("task", row.task), row.start_ns, row.whole_ns, row.site)
    return Finding("awaits in turn", lost, text, evidence)


# As advice: half a second must be lost at one line, in short calls which are at least half of
# the time from the first to the last. Longer calls wait for something that the object keeps.
_MESSAGES = 200
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
        if len(rows) >= _MESSAGES and (line := _asked_at(stack_of(model, rows[0]))):
            by_line[line].setdefault(thread, []).extend(rows)
    for line, threads in by_line.items():
        mostly = [rows for rows in threads.values() if _is_most(facts, rows)]
        if mostly and sum(facts.total_ns(rows) for rows in mostly) >= LOST_NS:
            yield _of_manager(facts, line, mostly)


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


def _of_manager(facts: Facts, line: str, threads: list[list[int]]) -> Finding:
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
