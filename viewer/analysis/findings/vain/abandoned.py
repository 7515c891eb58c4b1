"""Waits for those who have ended, or were told to go and stayed; and those that a cancellation
ended which was meant for another one."""

import struct
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.causes.part import GIVEN_UP, Kind
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, users
from viewer.analysis.findings.basis.words import at, in_total
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.enders import Enders
from viewer.analysis.resources.waits import CHANNELS, GETS, Wait
from viewer.analysis.waited import FOR_TASKS, For, waited_for
from viewer.trace.columns import AWAIT, FAILED, READY, Column
from viewer.words import code

# Half a second was lost after all who ever made room had ended.
_IDLE_NS = 1_000 * MS  # consumers may be idle for a while
# A task that cleans up after its cancellation ends; one that waits again, at the line at which
# it was cancelled, for half a second in all has swallowed it.
_AGAIN = 2
_JUST_NS = 5 * MS
_TOGETHER_NS = 50 * MS
_MOST = 200  # awaits of other tasks that are looked at, the longest ones
_HOW = {s.CANCELLED: "cancelled", s.DONE: "done"}
_LAST = (
    "Send a last item to each consumer, or cancel them when the producers have ended.",
    "Close all clones of its sending end, also the one that the others were made from.",
)
_AWAIT = s.AWAIT_PREFIX
_NURSERY = f"{_AWAIT}nursery"
_TASK = s.AWAIT_TASK_PREFIX.removeprefix(_AWAIT)
_NOT_BY_TASKS = (For.CLOCK, For.OUTSIDE, For.CHILD)  # another task ends such waits by force


def no_producer(facts: Facts) -> Iterator[Finding]:
    """A task waits in vain for consumers of a queue whose producers have all ended."""
    model, slices = facts.model, facts.model.trace.slices
    owned = model.owners
    long = model.trace.engine.longer(
        slices.start_ns, slices.end_ns, facts.kinds((AWAIT,)), _IDLE_NS
    )
    asked = {owned.owner[i]: i for i in for_tasks(facts, long)}
    if not asked:
        return
    waits = LongWaits.of(facts)
    known = Enders.of(waits)
    by_queue: dict[tuple[int, int], list[Wait]] = defaultdict(list)
    for wait in waits.all:
        if wait.who[0] != "task" or wait.name not in GETS or not wait.failed or wait.lock < 0:
            continue
        task = wait.who[1]
        parent = facts.ledger.parent_of(task)
        i = asked.get(parent, -1)
        if i >= 0 and abs(wait.end_ns - slices.end_ns[i]) <= _TOGETHER_NS:
            by_queue[i, wait.lock].append(wait)
    for (i, lock), found in by_queue.items():
        enders, parent = known.of_queue(lock), owned.owner[i]
        gone_ns = max(map(waits.ends_ns, enders), default=0)
        since = max(gone_ns, *(wait.start_ns for wait in found))
        # A nursery of trio is over when its last task is, which a time-out has cancelled.
        ends = {waits.tree.ended_by(wait.who[1], wait.slice).kind for wait in found}
        is_over = facts.awaited(i)[0] == _NURSERY and ends == {Kind.TIMEOUT}
        is_given_up = is_over or waits.tree.ended_by(parent, i).kind in GIVEN_UP
        if not enders or not is_given_up or slices.end_ns[i] - since < _IDLE_NS:
            continue
        lost = slices.end_ns[i] - since
        what, site = facts.awaited(i)
        text = (
            f"Waited in vain: {code(name_of(model, ('task', parent)))}{place_in(site)} waited "
            f"{duration(facts.slice_ns(i))} in "
            f"`{what.removeprefix(_AWAIT)}` ({at(facts, slices.start_ns[i])}) for "
            f"{users(model, (wait.who for wait in found))}{place_in(found[0].site)}, idle in "
            f"`{found[0].name}` for the last {duration(lost)}: whoever had put something into "
            f"that queue, {users(model, enders)}, had "
            f"ended{how_they_ended(facts, set(enders))}. {_LAST[found[0].name in CHANNELS]}"
        )
        yield Finding("wait in vain", lost, text, facts.evidence_of_await(i))


def how_they_ended(facts: Facts, who: set[Who]) -> str:
    ends = {facts.ledger.how_it_ended(which) if kind == "task" else "" for kind, which in who}
    how = _HOW.get(ends.pop()) if len(ends) == 1 else None
    return f" ({how})" if how else ""


def swallowed_cancel(facts: Facts) -> Iterator[Finding]:
    """A task cancels another one and awaits its end, and that one goes on as before."""
    model, slices = facts.model, facts.model.trace.slices
    owned, told = model.owners, set[int]()
    long = model.trace.engine.longer(
        slices.start_ns, slices.end_ns, facts.kinds((AWAIT,)), LOST_NS
    )
    asked = for_tasks(facts, long)
    asked.sort(key=lambda i: slices.start_ns[i] - slices.end_ns[i])
    waits = LongWaits.of(facts)
    for i in asked[:_MOST]:
        for task, cancelled in cancelled_before(facts, waits, i):
            what, where = facts.awaited(cancelled)
            rows = facts.ledger.rows_of_tasks.of(task)
            again = [
                j for j in rows[bisect_right(rows, cancelled) :]
                if owned.kind[j] == AWAIT and slices.start_ns[j] < slices.end_ns[i]
                and facts.awaited(j) == (what, where)
            ]  # fmt: skip
            since = slices.start_ns[again[0]] if again else 0
            lost = slices.end_ns[again[-1]] - since if again else 0
            if task in told or len(again) < _AGAIN or lost < LOST_NS:
                continue
            told.add(task)
            canceller, site = owned.owner[i], facts.awaited(i)[1]
            whole = facts.slice_ns(i)
            name = what.removeprefix(_AWAIT)
            who, by = (code(name_of(model, ("task", one))) for one in (task, canceller))
            text = (
                f"Waited in vain: {by}{place_in(site)} cancelled {who} and waited "
                f"{duration(whole)} for its end ({at(facts, slices.start_ns[i])}), but {who} "
                f"swallowed the cancellation{place_in(where)} and awaited `{name}` "
                f"there {plural(len(again), 'time')} more. Catch `Exception`, not "
                f"`BaseException`, or raise `CancelledError` again."
            )
            evidence = facts.evidence(("task", canceller), slices.start_ns[i], lost, site)
            yield Finding("wait in vain", lost, text, evidence)


def for_tasks(facts: Facts, awaits: Iterable[int]) -> list[int]:
    """Those of these awaits that are for tasks."""
    trace, owned = facts.model.trace, facts.model.owners
    names = {
        name
        for name in trace.await_names
        if trace.text(name).removeprefix(_AWAIT).startswith(FOR_TASKS)
    }
    if not names:
        return []
    return [i for i in awaits if owned.code[i] in names and owned.owner[i] >= 0]


def cancelled_before(facts: Facts, waits: LongWaits, i: int) -> Iterator[tuple[int, int]]:
    """Tasks that the owner of an await (slice i) cancelled just before, and at which await."""
    model, slices, owned = facts.model, facts.model.trace.slices, facts.model.owners
    canceller = owned.owner[i]
    since, until = slices.start_ns[i] - _JUST_NS, slices.start_ns[i] + _JUST_NS
    low, high = (bisect_left(slices.start_ns, at_ns) for at_ns in (since, until))
    for ready in _equal(facts.waker_ids, owned.task_id[canceller], low, high):
        task = owned.owner[ready] if owned.kind[ready] == READY else -1
        if task < 0 or task == canceller:
            continue
        rows = facts.ledger.rows_of_tasks.of(task)
        before = bisect_left(rows, ready) - 1
        if before < 0 or owned.kind[rows[before]] != AWAIT:
            continue
        row = waits.tree.lanes.task_waits.get(rows[before], -1)
        name = facts.awaited(rows[before])[0].removeprefix(_AWAIT)
        failed = row >= 0 and bool(model.states.state[row] & FAILED)
        # The end of a task wakes those who await it; somebody else who does cancels them.
        failed |= name.startswith(_TASK) and name != _TASK + model.task_name(canceller)
        if failed or waited_for(name) in _NOT_BY_TASKS:
            yield task, rows[before]


def _equal(column: Column, value: int, low: int, high: int) -> Iterator[int]:
    """The places with that value: very many are looked at."""
    texts, wanted = bytes(column[low:high]), struct.pack("<q", value)
    place = texts.find(wanted)
    while place >= 0:
        if place % 8 == 0:
            yield low + place // 8
        place = texts.find(wanted, place + 1)


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
