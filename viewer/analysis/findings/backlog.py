"""Queues that grow: items come faster than they are taken, and nobody waits."""

from collections.abc import Iterator

from tracer import schema as s
from tracer.units import duration
from viewer.analysis.findings.blockers import Blockers
from viewer.analysis.findings.doing import doing
from viewer.analysis.findings.facts import Evidence, Facts, Finding
from viewer.analysis.findings.growth import Counts, counts_of, growing
from viewer.analysis.findings.waits import place_in, users
from viewer.analysis.findings.words import at
from viewer.analysis.ledger.circles import Who
from viewer.trace.columns import STATE_MASK, TASK_WAIT

# Fifty items, which must have come evenly: a burst that waits for its turn is no fault. Its
# cost is the time for which the consumers did not keep up.
_MANY = 50


def queue_grows(facts: Facts) -> Iterator[Finding]:
    """The length of a queue grows to the end of the recording."""
    for (process, lock, site), every in counts_of(facts, _queues(facts)).items():
        if counts := growing(every, _MANY):
            yield _finding(facts, process, lock, site, counts)


def _queues(facts: Facts) -> dict[int, tuple[int, int, str]]:
    """By track of a queue its process, the id of the waits for its items, and their line."""
    trace, found = facts.model.trace, dict[int, tuple[int, int, str]]()
    for n in trace.tracks.below(s.TRACK_QUEUES):
        name = trace.tracks[trace.events.uuids[n]].name
        number, _, site = name.removeprefix(s.QUEUE_PREFIX).partition(" ")
        if number.isdecimal():
            found[n] = trace.track_process[n], int(number), site
    return found


def _finding(facts: Facts, process: int, lock: int, site: str, counts: Counts) -> Finding:
    model, (since, first), (until, last) = facts.model, counts[0], counts[-1]
    takers, putters = _users(facts, process, lock)
    did = doing(facts, [(who, since, until) for who in takers])
    takes = ""
    if takers or site:
        who = f" by {users(model, takers)}" if takers else ""
        takes = f" They are taken{who}{place_in(site)}{f', {did}' if did else ''}."
    puts = f" {users(model, putters)} put some of them in." if putters else ""
    text = (
        f"A queue grows: {first:,} items waited in it {at(facts, since)}, {last:,} after "
        f"{duration(until - since)}, and the number rose all the time.{takes}{puts} Give the "
        "queue a `maxsize`, so that who puts into it waits, or drop what has no room; or "
        "take items faster: several at once, or with more consumers."
    )
    evidence = Evidence(since, until - since, "", site=site, lock=lock, pid=model.pid(process))
    return Finding("queue grows", until - since, text, evidence)


def _users(facts: Facts, process: int, lock: int) -> tuple[set[Who], frozenset[Who]]:
    """Who waited for items of the queue, and who ended these waits."""
    table = facts.model.states
    waits, blockers, takers = facts.ledger.waits_of_locks, Blockers(facts), set[Who]()
    putters = frozenset[Who]()
    for row_of_lock, id_ in enumerate(table.lock_id):
        if id_ != lock or table.lock_process[row_of_lock] != process:
            continue
        low, high = waits.offset[row_of_lock], waits.offset[row_of_lock + 1]
        for row in waits.row[low:high]:
            is_task = table.state[row] & STATE_MASK == TASK_WAIT
            takers.add(("task" if is_task else "thread", table.who[row]))
        putters |= blockers.enders(row_of_lock)
    return takers, putters - takers
