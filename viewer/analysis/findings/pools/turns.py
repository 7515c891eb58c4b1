"""Tasks that answer requests from a queue in turn: a pool of as many as there are tasks."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from tracer.units import MS, plural
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, sites, users
from viewer.analysis.findings.pools.exhausted import Said, exhausted
from viewer.analysis.findings.servers.overdue import mostly_blocked
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.answers import Answers, Idle
from viewer.analysis.resources.pacing import come_over_time
from viewer.analysis.resources.resource import Claim, Hold, Known, Resource
from viewer.analysis.resources.servers import Serving, Turn, serving_tasks
from viewer.analysis.resources.waits import GETS, Wait

# A tenth of the lives of those who ask was lost: one slow request now and then is no small
# pool. They must wait one and a half times as long for their turn as their requests then take,
# as behind two others; and the task that serves must itself wait for most of that time, or it
# is the loop that has too much to do.
_PART = 10
_NOTICED_NS = 5 * MS
_AWAITS = 8, 10
_MORE = (
    "Let several such tasks take from the queue, or do less for each request before its "
    "answer."
)
_SPREAD = "Let all of them take from one queue, or give the requests to them more evenly."
# Whoever serves answered many; of those who had to wait for their turn three are enough.
_SOME = 3
_IDLE = 10  # whoever serves was idle for a tenth of a wait: then that was for something else


def serves_in_turn(facts: Facts) -> Iterator[Finding]:
    """Callers wait for their turn with a task that awaits something else for each request."""
    for serving in serving_tasks(LongWaits.of(facts), LOST_NS):
        queued = [
            turn
            for turn in serving.turns
            if turn.queued_ns >= _NOTICED_NS
            and all(_met(idle, turn) * _IDLE < turn.queued_ns for idle in serving.idle)
        ]
        if _is_fault(facts, serving, queued):
            yield _finding(facts, serving, queued)


def _met(idle: Idle, turn: Turn) -> int:
    """How much of these times lies before the request had its turn."""
    low = bisect_right(idle, turn.wait.start_ns, key=lambda time: time[1])
    met = 0
    for start_ns, end_ns in idle[low:]:
        if start_ns >= turn.began_ns:
            break
        met += min(end_ns, turn.began_ns) - max(start_ns, turn.wait.start_ns)
    return met


def _is_fault(facts: Facts, serving: Serving, queued: list[Turn]) -> bool:
    lost = sum(turn.queued_ns for turn in queued)
    served = sum(turn.served_ns for turn in queued)
    if len(queued) < _SOME or lost < LOST_NS or lost * 2 < served * 3:
        return False
    waits, callers = LongWaits.of(facts), {turn.wait.who for turn in queued}
    lives = sum(waits.ends_ns(who) - waits.begins_ns(who) for who in callers)
    if len(callers) < 2 or lost * _PART < lives:
        return False
    if _is_batch(facts, serving, queued) and not _idle_peers(facts, queued):
        return False
    met = sum(_awaited_ns(facts, serving.awaits[turn.by[1]], turn) for turn in queued)
    kept = [(turn.by[1], turn.began_ns, turn.ended_ns) for turn in serving.turns]
    return met * _AWAITS[1] >= served * _AWAITS[0] and not mostly_blocked(facts, kept)


def _awaited_ns(facts: Facts, awaits: list[int], turn: Turn) -> int:
    """How long the one who served awaited something in a turn."""
    slices = facts.model.trace.slices
    low = bisect_right(awaits, turn.began_ns, key=slices.end_ns.__getitem__)
    high = bisect_left(awaits, turn.ended_ns, key=slices.start_ns.__getitem__)
    return sum(
        min(slices.end_ns[i], turn.ended_ns) - max(slices.start_ns[i], turn.began_ns)
        for i in awaits[low:high]
    )


def _is_batch(facts: Facts, serving: Serving, queued: list[Turn]) -> bool:
    """Whether each caller asked once, and one task made all of them at once; those who had
    their turn before them, too, tell whether requests come over time."""
    owned, callers = facts.model.owners, [turn.wait.who for turn in queued]
    if len(set(callers)) < len(callers):
        return False
    if any(kind == "thread" for kind, _ in callers):
        return True  # they may be
    is_of_one = len({owned.task_parent[task] for _, task in callers}) == 1
    return is_of_one and not come_over_time(
        LongWaits.of(facts), [turn.wait for turn in serving.turns]
    )


def _idle_peers(facts: Facts, queued: list[Turn]) -> set[Who]:
    """Tasks of the same function as those that serve, which wait for what is in their own
    queues for most of the longest wait for a turn, if one of them answers there, too: who has
    a device of its own each cannot stand in for another one."""
    waits, servers = LongWaits.of(facts), {turn.by for turn in queued}
    worst, group = max(queued, key=lambda turn: turn.queued_ns), waits.group(queued[0].by)
    idle = {
        other.who
        for other in waits.overlapping(worst.wait)
        if other.name in GETS
        and other.who not in servers
        and waits.group(other.who) == group
        and _covers(other, worst)
    }
    of_idle = (wait for who in idle for wait in Answers.of(waits).get(who, ()))
    return idle if any(wait.site == worst.wait.site for wait in of_idle) else set()


def _covers(other: Wait, turn: Turn) -> bool:
    met = min(other.end_ns, turn.began_ns) - max(other.start_ns, turn.wait.start_ns)
    return met * _AWAITS[1] >= turn.queued_ns * _AWAITS[0]


def _finding(facts: Facts, serving: Serving, queued: list[Turn]) -> Finding:
    model, servers = facts.model, {turn.by for turn in serving.turns}
    claims = [
        Claim(turn.wait.who, turn.wait.start_ns, turn.began_ns, turn.wait.site, turn.began_ns)
        for turn in queued
    ]
    holds = [Hold(turn.by, turn.began_ns, turn.ended_ns) for turn in queued]
    found, is_one = Resource(Known.ANSWERED, claims, holds, len(servers)), len(servers) == 1
    idle = _idle_peers(facts, queued)
    beside = f", while {users(model, idle)} had nothing to do" if idle else ""
    served = users(model, (turn.wait.who for turn in serving.turns))
    groups = LongWaits.of(facts).group
    are_some = {groups(c.who) for c in claims} < {groups(t.wait.who) for t in serving.turns}
    of = f" of {users(model, (claim.who for claim in claims))}" if are_some else ""
    said = Said(
        f"{users(model, servers)} {'serves' if is_one else 'serve'} "
        f"{served} in turn, as a pool of {'one' if is_one else len(servers)}{beside}. "
        f"{plural(len(claims), 'call')}{of} in "
        f"{sites(claims)} waited for their turn:",
        "Each request takes",
        _SPREAD if idle else _MORE,
    )
    return exhausted(facts, found, said)
