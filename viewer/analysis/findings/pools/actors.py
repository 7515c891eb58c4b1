"""Tasks that answer requests from a queue in turn: a pool of as many as there are tasks."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tracer import schema as s
from tracer.units import duration, plural
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.groups import sites
from viewer.analysis.findings.basis.waits import LongWaits, users
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.findings.pools.slots import come_over_time
from viewer.analysis.findings.servers.overdue import mostly_blocked
from viewer.analysis.resources.waits import GETS, Wait
from viewer.trace.columns import AWAIT

_MS = 1_000_000
# In what one waits for an answer.
_ANSWERS = ("future", "Event", "Event.wait", *GETS)
# As with other pools, half a second must be lost, and a tenth of the lives of those who ask:
# one slow request now and then is no small pool. They must wait one and a half times as long
# for their turn as their requests then take, as behind two others; and the task that serves
# must itself wait for most of that time, or it is the loop that has too much to do.
_LOST_NS = 500 * _MS
_PART = 10
_NOTICED_NS = 5 * _MS
_AWAITS = 8, 10
_IDLE = 10  # whoever serves was idle for a tenth of a wait: then that was for something else
_LEAST = 8  # requests
# Answers that come together are of one piece of work: nobody waits for a turn.
_TOGETHER_NS = _MS


class _Request(NamedTuple):
    """A caller's wait; the task worked on it from `began_ns` until the wait was over."""

    task: int
    wait: Wait
    began_ns: int

    @property
    def queued_ns(self) -> int:
        return self.began_ns - self.wait.start_ns

    @property
    def served_ns(self) -> int:
        return self.wait.end_ns - self.began_ns


def serves_in_turn(facts: Facts) -> Iterator[Finding]:
    """Callers wait for their turn with a task that awaits something else for each request."""
    waits = LongWaits.of(facts)
    answered = _answered(waits)
    awaits = {task: _awaits(facts, task) for task in answered}
    alike: dict[tuple[int, int], list[int]] = defaultdict(list)
    owned = facts.model.owners
    for task in answered:
        alike[owned.task_process[task], owned.task_group[task]].append(task)
    for tasks in alike.values():
        idle = {task: _idle(facts, awaits.get(task, [])) for task in tasks}
        found = [
            request
            for task in tasks
            if idle[task] is not None
            for request in _requests(task, answered[task], idle[task] or [])
        ]
        those = [times for times in idle.values() if times is not None]
        queued = [
            one
            for one in found
            if one.queued_ns >= _NOTICED_NS
            and all(_met(times, one) * _IDLE < one.queued_ns for times in those)
        ]
        if _is_fault(facts, found, queued, awaits):
            yield _finding(facts, waits, found, queued)


def _answered(waits: LongWaits) -> dict[int, list[Wait]]:
    """By task the waits of other tasks that it ended with an answer, where much was lost."""
    found = {
        task: [wait for wait in ended if wait.who[0] == "task"]
        for task, ended in waits.answered_by("task", _ANSWERS).items()
    }
    return {
        task: ended
        for task, ended in found.items()
        if len(ended) >= _LEAST and sum(wait.ns for wait in ended) >= _LOST_NS
    }


def _awaits(facts: Facts, task: int) -> list[int]:
    """The slices of its awaits, in order of time."""
    rows, kinds = facts.ledger.rows_of_tasks, facts.model.owners.kind
    low, high = rows.offset[task], rows.offset[task + 1]
    return [i for i in rows.row[low:high] if kinds[i] == AWAIT]


def _idle(facts: Facts, awaits: list[int]) -> list[tuple[int, int]] | None:
    """When a task waited for requests; None where it never does."""
    slices = facts.model.trace.slices
    found = [
        (slices.start_ns[i], slices.end_ns[i])
        for i in awaits
        if facts.awaited(i)[0].removeprefix(s.AWAIT_PREFIX) in GETS
    ]
    return found or None


def _requests(task: int, ended: list[Wait], idle: list[tuple[int, int]]) -> Iterator[_Request]:
    """Work begins when the request before is answered, or when the task gets one."""
    before = 0
    for wait in ended:
        at = bisect_left(idle, (wait.end_ns, 0)) - 1
        got_ns = idle[at][1] if at >= 0 else 0
        if got_ns > wait.end_ns:  # it waits again before its caller runs
            got_ns = idle[at - 1][1] if at > 0 else 0
        if wait.end_ns - before > _TOGETHER_NS:
            yield _Request(task, wait, max(wait.start_ns, before, got_ns))
        before = wait.end_ns


def _met(times: list[tuple[int, int]], one: _Request) -> int:
    """How much of these times lies before the request had its turn."""
    low = bisect_right(times, one.wait.start_ns, key=lambda time: time[1])
    met = 0
    for start_ns, end_ns in times[low:]:
        if start_ns >= one.began_ns:
            break
        met += min(end_ns, one.began_ns) - max(start_ns, one.wait.start_ns)
    return met


def _is_fault(
    facts: Facts, found: list[_Request], queued: list[_Request], awaits: dict[int, list[int]]
) -> bool:
    lost, served = sum(one.queued_ns for one in queued), sum(one.served_ns for one in queued)
    if len(queued) < _LEAST or lost < _LOST_NS or lost * 2 < served * 3:
        return False
    callers = {one.wait.who[1] for one in queued}
    lives = sum(map(_life_ns(facts), callers))
    if len(callers) < 2 or lost * _PART < lives or _is_batch(facts, queued):
        return False
    met, slices = 0, facts.model.trace.slices
    for one in queued:
        rows = awaits.get(one.task, [])
        low = bisect_right(rows, one.began_ns, key=slices.end_ns.__getitem__)
        for i in rows[
            low : bisect_left(rows, one.wait.end_ns, key=slices.start_ns.__getitem__)
        ]:
            met += min(slices.end_ns[i], one.wait.end_ns) - max(
                slices.start_ns[i], one.began_ns
            )
    kept = [(one.task, one.began_ns, one.wait.end_ns) for one in found]
    return met * _AWAITS[1] >= served * _AWAITS[0] and not mostly_blocked(facts, kept)


def _life_ns(facts: Facts) -> Callable[[int], int]:
    ends_ns, head = LongWaits.of(facts).ends_ns, facts.model.owners.task_head
    start_ns = facts.model.trace.slices.start_ns
    return lambda task: ends_ns(("task", task)) - start_ns[head[task]]


def _is_batch(facts: Facts, queued: list[_Request]) -> bool:
    """Whether each caller asked once, and one task made all of them at once."""
    owned, tasks = facts.model.owners, [one.wait.who[1] for one in queued]
    is_once = len(set(tasks)) == len(tasks)
    is_of_one = len({owned.task_parent[task] for task in tasks}) == 1
    return is_once and is_of_one and not come_over_time(facts, [one.wait for one in queued])


def _finding(
    facts: Facts, waits: LongWaits, found: list[_Request], queued: list[_Request]
) -> Finding:
    model, served = facts.model, {("task", one.task) for one in found}
    lost, worst = sum(one.queued_ns for one in queued), max(queued, key=lambda o: o.queued_ns)
    mean = sum(one.served_ns for one in queued) // len(queued)
    did = mostly(
        facts, [(("task", one.task), one.began_ns, one.wait.end_ns) for one in queued]
    )
    is_one = len(served) == 1
    text = (
        f"Pool exhausted: {users(model, served)} {'serves' if is_one else 'serve'} "
        f"{users(model, (one.wait.who for one in queued))} in turn, as a pool of "
        f"{'one' if is_one else len(served)}. {plural(len(queued), 'call')} in "
        f"{sites([one.wait for one in queued])} waited for their turn: "
        f"{in_total(facts, lost, worst.queued_ns, worst.wait.start_ns)}. Each request takes "
        f"{duration(mean)}{f', {did.text}' if did.text else ''}. Let several such tasks take "
        f"from the queue, or do less for each request before its answer."
    )
    return Finding("pool exhausted", lost, text, waits.evidence(worst.wait), behind=did.behind)
