"""Processes of the program's own that have nothing to do, since one process makes all their
work and computes meanwhile."""

from collections import Counter
from collections.abc import Iterator

from tracer.units import MS, duration
from viewer.analysis.causes.elsewhere import Elsewhere
from viewer.analysis.findings.basis.doing import doing
from viewer.analysis.findings.basis.facts import COMPUTING, NOT_ITS_FAULT, Facts, Finding
from viewer.analysis.ledger.resource import all_at_once, windows_of, within
from viewer.analysis.processes.family import Family, Member
from viewer.analysis.processes.jobs import Jobs
from viewer.analysis.states import having
from viewer.trace.columns import IO, STATE_MASK
from viewer.words import code

# None of two workers or more had anything to do for half a second in all, and for three tenths
# of the time; and the process that makes all their work computed for three fifths of that.
# What the kernel took from it does not count.
_IDLE_NS, _IDLE, _COMPUTED = 500 * MS, 30, 60
# What they get is their main work: it takes a fifth of the time that making it takes. Less is
# what somebody logs or counts aside. And it comes in pieces.
_WORKED, _PIECES = 20, 4
_LOCK = "SemLock"  # of a queue, which the reader holds that waits for the next message

type _Times = list[tuple[int, int]]


def starved_workers(facts: Facts) -> Iterator[Finding]:
    """Workers that wait for the next item of a queue or pipe, all at once."""
    family, elsewhere = Family.of(facts.model), Elsewhere.of(facts.model)
    if not elsewhere.messages:
        return
    ran = Jobs.of(facts.model).workers
    for alike in family.alike:
        workers = [i for i in alike if family.main[i] >= 0]
        is_pool = any(i in ran for i in workers)  # its jobs tell more
        if len(workers) > 1 and not is_pool:
            yield from _starved(facts, elsewhere, [*map(family.members.__getitem__, workers)])


def _starved(facts: Facts, elsewhere: Elsewhere, members: list[Member]) -> Iterator[Finding]:
    table, writers, pieces = facts.model.states, Counter[int](), 0
    sites = dict[int, str]()
    idle: list[_Times] = [[] for _ in members]
    which = {member.main: n for n, member in enumerate(members)}
    for row, number in elsewhere.message_of_row.items():
        message = elsewhere.messages[number]
        if message.receiver in which:
            start, until = table.start_ns[row], min(table.end_ns[row], message.sent_ns)
            by = elsewhere.written(number)
            idle[which[message.receiver]].append((start, until))
            writers[by.thread] += max(until - start, 0)
            pieces += 1
            if by.site:
                sites[by.thread] = by.site
    if pieces < _PIECES:
        return
    ((maker, _),) = writers.most_common(1)
    if len(writers) > 1 or facts.model.thread_process[maker] in {m.process for m in members}:
        return
    for member, times in zip(members, idle, strict=True):
        times += _behind_the_reader(facts, elsewhere, member.main)
    if not all(idle):
        return
    since = max(min(start for start, _ in times) for times in idle)
    until = min(max(end for _, end in times) for times in idle)
    together = all_at_once(
        [[(max(a, since), min(b, until)) for a, b in times] for times in idle]
    )
    lost, span = sum(end - start for start, end in together), until - since
    did = facts.split(maker, windows_of(together))
    computed, own = did.of(COMPUTING), lost - did.of(NOT_ITS_FAULT)
    waited = sum(within(times, since, until) for times in idle)
    if (
        own < _IDLE_NS
        or lost * 100 < span * _IDLE
        or computed * 100 < own * _COMPUTED
        or (span * len(members) - waited) * 100 < computed * _WORKED
    ):
        return
    yield _finding(facts, members, maker, sites.get(maker, ""), together, span)


def _behind_the_reader(facts: Facts, elsewhere: Elsewhere, thread: int) -> _Times:
    """The thread's waits for the lock of a queue that another process reads."""
    table, rows = facts.model.states, facts.ledger.rows_of_threads
    names = having(facts.model, table.call_name, lambda name: _LOCK in name, (_LOCK,))
    return [
        (table.start_ns[row], table.end_ns[row])
        for place in rows.places(thread)
        if table.state[row := rows.row[place]] & STATE_MASK == IO
        and names[table.row[row]]
        and elsewhere.is_get(row)
    ]


def _finding(
    facts: Facts, members: list[Member], maker: int, site: str, together: _Times, span: int
) -> Finding:
    process = Family.of(facts.model).name(facts.model.thread_process[maker])
    lost = sum(end - start for start, end in together)
    did = doing(facts, [(("thread", maker), start, end) for start, end in together])
    text = (
        f"Idle workers: none of {len(members)} processes like {code(members[0].name)} had "
        f"anything to do for {duration(lost)} of {duration(span)}. {code(process, site)} "
        f"makes all that they get, {did}. Let the workers make it themselves, from less (a "
        "name, a range), or use fewer of them."
    )
    start, end = max(together, key=lambda time: time[1] - time[0])
    return Finding(
        "idle workers",
        lost,
        text,
        facts.evidence(("thread", maker), start, end - start, site),
    )
