"""Tasks for which somebody waits until he gives up: they wait for what nobody does."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import takewhile

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.causes.part import GIVEN_UP
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, users
from viewer.analysis.findings.basis.words import at, names
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.enders import Enders
from viewer.analysis.resources.takers import cancelled_before
from viewer.analysis.resources.waits import Wait
from viewer.analysis.states import mentioned
from viewer.trace.sites import is_library
from viewer.words import code

# A second was lost. The tasks wait for one thing at one line, where nobody was ever woken;
# one that waits alone may be there for that: to be told when to stop.
_LOST_NS = 1_000 * MS
_NAMED = 2  # who was cancelled is told if they are no more
_SEVERAL = 2
_WOKEN = ("Event", "Condition", "future")
_STARTS = (" Nursery.start", " TaskGroup.start")
_THEN_NS = 50 * MS
# Half a second for a start, whatever the task does instead of saying that it has begun.
_START_NS = 500 * MS


def stuck_children(facts: Facts) -> Iterator[Finding]:
    """A `wait` or `gather` with a time-out, whose tasks all wait for one thing in vain."""
    waits = LongWaits.of(facts)
    given_up = [
        wait for wait in waits.for_tasks if wait.ns >= _LOST_NS and _is_given_up(waits, wait)
    ]
    if not given_up:
        return
    enders = Enders.of(LongWaits.of(facts))
    last: dict[Who, list[Wait]] = defaultdict(list)
    ended = set[tuple[str, str]]()
    for wait in waits.all:
        if wait.name in _WOKEN:
            last[wait.who].append(wait)
            if not wait.failed:
                ended.add((wait.name, wait.site))
    for wait in given_up:
        blocked = enders.whom(wait)
        by = blocked.by if blocked is not None else ()
        stuck = [one for who in by if (one := _stands_in(last[who], wait)) is not None]
        places = {(one.name, one.site, one.lock) for one in stuck}
        is_one = len(stuck) == len(by) >= _SEVERAL and len(places) == 1 and stuck[0].lock >= 0
        if is_one and (stuck[0].name, stuck[0].site) not in ended:
            if any(one.slice in waits.told for one in stuck):
                continue
            waits.told.update(one.slice for one in stuck)
            yield _finding(facts, wait, stuck)


def _is_given_up(waits: LongWaits, wait: Wait) -> bool:
    """Whether a time-out ended it: a wait of `asyncio.wait` is then over as any other one."""
    ended = waits.tree.ended_by(wait.who[1], wait.slice)
    return wait.failed or ended.kind in GIVEN_UP


def _stands_in(waits: list[Wait], outer: Wait) -> Wait | None:
    """The wait of a child that covers most of another one, and is in vain."""
    for wait in reversed(waits):
        if wait.covers(outer):
            return wait if wait.failed else None
    return None


def _finding(facts: Facts, wait: Wait, stuck: list[Wait]) -> Finding:
    lost, worst = sum(one.ns for one in stuck), max(stuck, key=lambda one: one.ns)
    text = (
        f"Waited in vain: {users(facts.model, (one.who for one in stuck))}"
        f"{place_in(worst.site)} waited for one `{worst.name}` that nobody ever ended: "
        f"{plural(len(stuck), 'wait')}, {duration(lost)} in total "
        f"({at(facts, worst.start_ns)}), until {code(name_of(facts.model, wait.who))}"
        f"{place_in(wait.site)}, which waited for them, gave up after {duration(wait.ns)}"
    )
    waits = LongWaits.of(facts)
    named = {name_of(facts.model, one) for one in cancelled_before(waits, stuck)}
    if 0 < len(named) <= _NAMED:
        text += (
            f". {names(named)} was cancelled before: what it should have ended belongs in a "
            f"`finally`"
        )
    text += ". Look at what should have ended it, and whether it was ever started."
    return Finding("wait in vain", lost, text, waits.evidence(worst))


def no_start(facts: Facts) -> Iterator[Finding]:
    """`start` of a task that never says that it has started, in trio and anyio."""
    waits = LongWaits.of(facts)
    if not mentioned(facts.model, *_STARTS):
        return
    for wait in (*waits.for_tasks, *waits.all):
        is_start = any(frame.endswith(_STARTS) for frame in takewhile(is_library, wait.stack))
        child = _started(facts, wait) if is_start and wait.ns >= _START_NS else -1
        if child < 0:
            continue
        who: Who = ("task", child)
        did = mostly(facts, [(who, wait.start_ns, wait.end_ns)])
        waits.told.update(one.slice for one in waits.all if one.who == who and one.failed)
        text = (
            f"Waited in vain: {code(name_of(facts.model, wait.who))}{place_in(wait.site)} "
            f"waited {duration(wait.ns)} in `start` ({at(facts, wait.start_ns)}) until it "
            f"gave up: {code(name_of(facts.model, who))} never called `task_status.started()`"
            f"{f'; it spent {did.text}' if did.text else ''}. Call it as soon as others may "
            f"go on, before anything that waits for them."
        )
        yield Finding("wait in vain", wait.ns, text, waits.evidence(wait))


def _started(facts: Facts, wait: Wait) -> int:
    """The task that was made as the wait began, and was cancelled as it ended; -1 none."""
    waits, ledger = LongWaits.of(facts), facts.ledger
    kind, maker = wait.who
    for task in ledger.children_of(maker) if kind == "task" else ():
        who: Who = ("task", task)
        if ledger.how_it_ended(task) != s.CANCELLED:
            continue
        begun, ended = waits.begins_ns(who), waits.ends_ns(who)
        if abs(begun - wait.start_ns) <= _THEN_NS and abs(ended - wait.end_ns) <= _THEN_NS:
            return task
    return -1


# All others of the group have ended a second ago, and the last one is cancelled as it waits.
_ALONE_NS = 1_000 * MS


def forgotten_task(facts: Facts) -> Iterator[Finding]:
    """A task waits for the last one of those it began, which is cancelled in its wait."""
    waits = LongWaits.of(facts)
    alone = [
        wait
        for wait in waits.all
        if wait.who[0] == "task" and wait.name in _WOKEN and wait.failed and not wait.is_open
        if wait.ns >= _ALONE_NS and wait.slice not in waits.told
        if _is_its_end(facts, waits, wait)
    ]
    for wait in alone:
        maker = facts.ledger.parent_of(wait.who[1])
        group = facts.ledger.children_of(maker) if maker >= 0 else ()
        others: list[Who] = [("task", one) for one in group if one != wait.who[1]]
        ended_ns = max(map(waits.ends_ns, others), default=0)
        since_ns = max(wait.start_ns, ended_ns)
        parent = _waits_for(waits, maker, since_ns, wait.end_ns)
        if not others or parent is None or wait.end_ns - since_ns < _ALONE_NS:
            continue
        waits.told.add(wait.slice)
        text = (
            f"Waited in vain: {code(name_of(facts.model, parent.who))}{place_in(parent.site)} "
            f"waited for {code(name_of(facts.model, wait.who))}, which waited "
            f"{duration(wait.ns)} in `{wait.name}`{place_in(wait.site)} until it was "
            f"cancelled ({at(facts, wait.start_ns)}): nobody ended that. The others in that "
            f"`{parent.name}`, {users(facts.model, others)}, had ended "
            f"{duration(wait.end_ns - since_ns)} before. Cancel it when they have ended, or "
            f"end its wait."
        )
        yield Finding("wait in vain", wait.end_ns - since_ns, text, waits.evidence(wait))


def _is_its_end(facts: Facts, waits: LongWaits, wait: Wait) -> bool:
    """Whether a task ends as cancelled in this wait."""
    ends_soon = waits.ends_ns(wait.who) - wait.end_ns <= _THEN_NS
    return ends_soon and facts.ledger.how_it_ended(wait.who[1]) == s.CANCELLED


def _waits_for(waits: LongWaits, task: int, since_ns: int, until_ns: int) -> Wait | None:
    """The wait of a task for those it began, in all of that time."""
    return next(
        (
            wait
            for wait in waits.for_tasks
            if wait.who == ("task", task)
            and wait.start_ns <= since_ns
            and wait.end_ns >= until_ns - _THEN_NS
        ),
        None,
    )
