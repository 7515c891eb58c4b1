"""Tasks that several others await, and that one of these cancels for all when it gives up."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator

from tracer import schema as s
from tracer.units import MS, plural
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, users
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.waits import Wait
from viewer.analysis.waited import FOR_TASKS
from viewer.words import code

# Half a second of waiting was thrown away. Who awaited the task goes on, or ends, at once.
_THEN_NS = 5 * MS
_FOR_ONE = FOR_TASKS[0]


def cancelled_for_all(facts: Facts) -> Iterator[Finding]:
    """A task is cancelled as one that awaits it gives up; the others begin again, or fail."""
    trace = facts.model.trace
    if not len(trace.instants(trace.events.name, s.CANCELLED)):
        return
    waits, awaited = LongWaits.of(facts), _Awaited(facts)
    by_task: dict[int, list[Wait]] = defaultdict(list)
    for wait in waits.for_tasks:
        task = awaited.by(wait)
        if task >= 0 and facts.ledger.how_it_ended(task) == s.CANCELLED:
            by_task[task].append(wait)
    found: dict[tuple[int, str], list[Wait]] = defaultdict(list)
    times: Counter[tuple[int, str]] = Counter()
    for task, alike in by_task.items():
        if len(alike) < 2:
            continue
        ended = [wait for wait in alike if waits.ends_ns(wait.who) <= wait.end_ns + _THEN_NS]
        cancelled = [wait for wait in ended if _is_cancelled(facts, wait)]
        victims = [wait for wait in alike if awaited.again(wait)]
        if len(cancelled) < len(ended):  # one of them gave up, and they did not
            victims += cancelled
        if ended and victims:
            key = facts.model.owners.task_group[task], victims[0].site
            found[key] += victims
            times[key] += 1
    for key, victims in found.items():
        if sum(wait.ns for wait in victims) >= LOST_NS:
            yield _finding(facts, awaited, victims, times[key])


def _is_cancelled(facts: Facts, wait: Wait) -> bool:
    return facts.ledger.how_it_ended(wait.who[1]) == s.CANCELLED


class _Awaited:
    """Finds which task a wait for one was for, and whether its waiter then awaits another."""

    def __init__(self, facts: Facts) -> None:
        self.waits, self.model = LongWaits.of(facts), facts.model
        self._next: dict[tuple[int, str], list[Wait]] = defaultdict(list)
        for wait in self.waits.for_tasks:
            self._next[wait.who[1], wait.site].append(wait)

    def by(self, wait: Wait) -> int:
        """The task that ended as the wait did; -1 none."""
        if not wait.name.startswith(_FOR_ONE):
            return -1
        ledger, name = self.waits.reading.ledger, wait.name.removeprefix(_FOR_ONE)
        for task in ledger.named_beside(wait.who[1], name):
            if abs(self.waits.ends_ns(("task", task)) - wait.end_ns) <= _THEN_NS:
                return task
        return -1

    def again(self, wait: Wait) -> bool:
        """Whether it awaits another task of the same function at once."""
        group, task = self.model.owners.task_group, self.by(wait)
        later = self._next[wait.who[1], wait.site]
        at = bisect_left(later, wait.end_ns, key=lambda other: other.start_ns)
        if at == len(later) or later[at].start_ns > wait.end_ns + _THEN_NS:
            return False
        then = self.by(later[at])
        return then not in (-1, task) and group[then] == group[task]


def _finding(facts: Facts, awaited: _Awaited, victims: list[Wait], times: int) -> Finding:
    waits, worst = LongWaits.of(facts), max(victims, key=lambda wait: wait.ns)
    lost = sum(wait.ns for wait in victims)
    task: Who = ("task", awaited.by(worst))
    often = f"{plural(times, 'time')}, each time" if times > 1 else "once,"
    text = (
        f"Waited in vain: {users(facts.model, (wait.who for wait in victims))} awaited "
        f"{code(name_of(facts.model, task))}{place_in(worst.site)}, which was cancelled "
        f"{often} as another one that awaited it gave up: {plural(len(victims), 'wait')}, "
        f"{in_total(facts, lost, worst.ns, worst.start_ns)}. A time-out cancels the task that "
        f"one awaits, for all who do: `await asyncio.shield(task)`."
    )
    return Finding("wait in vain", lost, text, waits.evidence(worst))
