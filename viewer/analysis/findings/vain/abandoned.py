"""Waits for those who are gone or have ended, or who were told to go and stayed."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import compress
from operator import eq

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.causes.part import GIVEN_UP, Kind
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, users
from viewer.analysis.findings.basis.words import at, in_total
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.enders import Enders
from viewer.analysis.resources.queues import fed_by
from viewer.analysis.resources.waits import CHANNELS, GETS, PUTS, Wait
from viewer.analysis.states import stack_of
from viewer.analysis.waited import FOR_TASKS, For, waited_for
from viewer.trace.columns import AWAIT, FAILED, READY
from viewer.trace.sites import own_frames, place_of
from viewer.words import code

_LONG_NS = 500_000_000
_SOON = 10  # a tenth of a wait
_LOOKED = 100  # states of a thread in which its function is looked for
_MOST_ENDED = 1_000  # threads
_PLAIN = "<locals>"
_DONE = "Queue.join"


def ended_before(facts: Facts, wait: Wait) -> str:
    """`; `worker`, which it created, had ended long before`; "" where that is unknown."""
    return _getters(facts, wait) or _worker(facts, wait) or _receivers(facts, wait)


def _getters(facts: Facts, wait: Wait) -> str:
    """`; `worker`, which it created, ended before`: whose work Queue.join waits for."""
    waits, (kind, task) = LongWaits.of(facts), wait.who
    if wait.name != _DONE or kind != "task":
        return ""
    children: list[Who] = [("task", child) for child in facts.ledger.children_of(task)]
    found = {child for child in children if waits.ends_ns(child) < wait.end_ns - _LONG_NS}
    if not found:
        return ""
    return f"; {users(facts.model, found)}, created by it, had ended long before"


def _receivers(facts: Facts, wait: Wait) -> str:
    """`; `pump`, which had got what it sent, was cancelled (at 1.20 s)`: all who waited for
    items of whoever waits for room now, or until all are done, if they had ended as its wait
    began."""
    if wait.name not in (*PUTS, _DONE):
        return ""
    waits = LongWaits.of(facts)
    found = fed_by(waits, wait.who)
    ends_ns = [waits.ends_ns(who) for who in found]
    if not ends_ns or max(ends_ns) > wait.start_ns + wait.ns // _SOON:
        return ""
    hows = {facts.ledger.how_it_ended(which) for kind, which in found if kind == "task"}
    verb = "was" if len(found) == 1 else "were"
    how = f"{verb} cancelled" if hows == {s.CANCELLED} else "had ended"
    when = at(facts, max(ends_ns))
    return f"; {users(facts.model, found)}, which had got what it sent, {how} ({when})"


def _worker(facts: Facts, wait: Wait) -> str:
    """`; `exporter` had ended (at 12 ms), the last thread in `Exporter.run``: threads of the
    class whose method waits, none of which was there any more."""
    of = _class_of(wait.site)
    if wait.who[0] != "thread" or not of[1]:
        return ""
    waits, model, found = LongWaits.of(facts), facts.model, dict[int, str]()
    process = waits.process(wait.who)
    for thread in range(min(len(model.threads), _MOST_ENDED)):
        is_other = model.thread_process[thread] == process and ("thread", thread) != wait.who
        if is_other and _class_of(frame := _runs(facts, thread)) == of:
            found[thread] = frame
    until_ns = wait.end_ns - _LONG_NS
    if not found or any(waits.ends_ns(("thread", one)) > until_ns for one in found):
        return ""
    last = max(found, key=lambda thread: waits.ends_ns(("thread", thread)))
    name, end_ns = model.thread_names[last], waits.ends_ns(("thread", last))
    return (
        f"; {code(name)} had ended ({at(facts, end_ns)}), the last thread in "
        f"{code(place_of(found[last]).function, found[last])}"
    )


def _class_of(site: str) -> tuple[str, str]:
    """The file and the class of a method; empty of another function."""
    place = place_of(site)
    name = place.function.rpartition(".")[0]
    return (place.path, name) if name and not name.endswith(_PLAIN) else ("", "")


def _runs(facts: Facts, thread: int) -> str:
    """The user's function that a thread was started with, by the stacks of what it did."""
    for row in facts.ledger.rows_of_threads.of(thread)[:_LOOKED]:
        if own := own_frames(stack_of(facts.model, row).split("\n")):
            return own[-1]
    return ""


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


def no_consumer(facts: Facts, waits: LongWaits) -> Iterator[Finding]:
    """Producers wait for room in a queue whose consumers have all ended."""
    by_queue: dict[int, list[Wait]] = defaultdict(list)
    for wait in waits.all:
        if wait.name in PUTS and wait.lock >= 0 and wait.slice not in waits.told:
            by_queue[wait.lock].append(wait)
    known = Enders.of(waits)
    for queue, found in by_queue.items():
        enders = {wait.ender for wait in found if wait.ender is not None and not wait.failed}
        if not enders:  # those waits were short
            enders = {*known.of_queue(queue)} - {wait.who for wait in found}
        gone_ns = max(map(waits.ends_ns, enders), default=0)
        vain = [wait for wait in found if wait.failed and wait.end_ns > gone_ns]
        lost = sum(wait.end_ns - max(wait.start_ns, gone_ns) for wait in vain)
        if not enders or lost < LOST_NS or enders & {wait.who for wait in vain}:
            continue
        waits.told.update(wait.slice for wait in vain)
        worst = max(vain, key=lambda wait: wait.ns)
        text = (
            f"Waited in vain: "
            f"{users(facts.model, (wait.who for wait in vain))}{place_in(worst.site)} waited "
            f"for room in a queue: {plural(len(vain), 'wait')} in `{worst.name}`, "
            f"{in_total(facts, lost, worst.ns, worst.start_ns)}. Whoever had emptied it, "
            f"{users(facts.model, enders)}, had ended{_how(facts, enders)} "
            f"{at(facts, gone_ns)}. End the producers with their consumers: keep both in one "
            f"group, or give `put` a time-out."
        )
        yield Finding("wait in vain", lost, text, waits.evidence(worst))


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
            f"that queue, {users(model, enders)}, had ended{_how(facts, set(enders))}. "
            f"{_LAST[found[0].name in CHANNELS]}"
        )
        whole = facts.slice_ns(i)
        evidence = facts.evidence(("task", parent), slices.start_ns[i], whole, site)
        yield Finding("wait in vain", lost, text, evidence)


def _how(facts: Facts, who: set[Who]) -> str:
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
    is_by = map(partial(eq, owned.task_id[canceller]), facts.waker_ids[low:high])
    for ready in compress(range(low, high), is_by):
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
