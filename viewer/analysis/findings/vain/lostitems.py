"""Tasks that get an item, a permit or a lock when nobody awaits them any more."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.dump.alive import created_at
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.resources.waits import GETS, Wait
from viewer.words import code

# Three were lost. Who had made them awaited something that ended without them, made another
# one, and did nothing when they got what they waited for.
_LOST = 3
_NOTICED_NS = 5 * MS
_THEN_NS = 50 * MS
_TAKES = (*GETS, "Lock", "Semaphore", "BoundedSemaphore")
_ONCE = ("wait", "future", "task ")  # with a time-out, or for the first of several


def lost_items(facts: Facts) -> Iterator[Finding]:
    """`wait` returns before a `get` that it was given, which then takes an item unseen."""
    waits, owned = LongWaits.of(facts), facts.model.owners
    found: dict[tuple[int, int], list[Wait]] = defaultdict(list)
    for wait in waits.all:
        is_lone = wait.who[0] == "task" and not wait.site and wait.name in _TAKES
        if is_lone and not wait.failed and wait.ender not in (None, wait.who):
            task = wait.who[1]
            parent = facts.ledger.parent_of(task)
            if parent >= 0 and facts.ledger.how_it_ended(task) == s.DONE:
                found[parent, owned.task_group[task]].append(wait)
    if not any(len(gets) >= _LOST for gets in found.values()):
        return
    born: dict[tuple[int, int], list[int]] = defaultdict(list)
    starts = facts.model.trace.slices.start_ns
    for maker in {parent for parent, _ in found}:
        for task in facts.ledger.children_of(maker):
            born[maker, owned.task_group[task]].append(starts[owned.task_head[task]])
    for (parent, group), gets in found.items():
        awaits = facts.awaits({parent}).get(parent, [])
        times = sorted(born[parent, group])
        lost = [get for get in gets if _is_forgotten(facts, get, times, awaits)]
        if len(lost) >= _LOST:
            yield _finding(facts, lost, parent)


def _is_forgotten(facts: Facts, get: Wait, times: list[int], awaits: list[int]) -> bool:
    slices = facts.model.trace.slices
    begun_ns = LongWaits.of(facts).begins_ns(get.who)
    newer = bisect_left(times, begun_ns + 1)
    if newer == len(times) or times[newer] >= get.end_ns:
        return False
    first = bisect_left(awaits, begun_ns, key=slices.start_ns.__getitem__)
    if first == len(awaits) or slices.end_ns[awaits[first]] >= get.start_ns + get.ns:
        return False  # it awaited this one, until it had an item
    what = facts.what(awaits[first])
    now = bisect_left(awaits, get.end_ns, key=slices.start_ns.__getitem__) - 1
    ends = slices.end_ns[awaits[now]] if now >= 0 else 0
    return what.startswith(_ONCE) and not 0 <= ends - get.end_ns <= _NOTICED_NS


def _finding(facts: Facts, lost: list[Wait], parent: int) -> Finding:
    model, waits = facts.model, LongWaits.of(facts)
    first, task = lost[0], lost[0].who[1]
    name, site = model.coroutine(model.owners.task_group[task])
    made = code(name_of(model, ("task", parent)), created_at(model, task))
    begun = {get.ender: get.end_ns for get in lost}
    vain = [
        wait
        for wait in waits.all
        if wait.failed
        and wait.who in begun
        and abs(wait.start_ns - begun[wait.who]) <= _THEN_NS
    ]
    orphans = plural(len(lost), f"orphaned {model.nouns.task}")
    text = (
        f"{code(name, site)}: at least {orphans}, made by {made}, that took what they "
        f"waited for ({first.name}) when nobody awaited them any more, so that it was lost: "
        f"each time the await that they were made for had ended without them, and another "
        f"one was made ({at(facts, first.end_ns)})"
    )
    cost = sum(wait.ns for wait in vain)
    if vain:
        worst = max(vain, key=lambda wait: wait.ns)
        waits.told.update(wait.slice for wait in vain)
        text += (
            f". {users(model, (wait.who for wait in vain))}, who had given it, then waited "
            f"{duration(cost)} in vain{place_in(worst.site)}"
        )
    text += ". Await the same task again in the next round, or cancel it before the next one."
    evidence = facts.evidence(first.who, first.start_ns, first.ns, site)
    return Finding("orphaned task", cost, text, evidence)
