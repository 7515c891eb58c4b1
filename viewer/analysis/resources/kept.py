"""Slots that others wait for in vain: who has them, how that is known, and what for."""

from collections import defaultdict
from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple, Self

from tracer import schema as s
from tracer.units import MS
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import covers
from viewer.analysis.resources import takers, talks
from viewer.analysis.resources.cuts import Cuts
from viewer.analysis.resources.enders import Enders, How
from viewer.analysis.resources.lent import kept_since, users_before
from viewer.analysis.resources.requests import askers
from viewer.analysis.resources.slots import OWN_SLOT, Group, groups, holds_of
from viewer.analysis.resources.waits import Wait, Waits
from viewer.analysis.waited import package_of

_AT_ONCE_NS = 50 * MS
# Who waits for one who waits for a slot does so for nearly all of that time. A short time-out
# is how some ask whether there is a slot.
_GAVE_UP_NS = 200 * MS
_TOKEN = "token"
_SAID = 8  # tasks that have slots: a trace says no more
_IDLE = "executor idle"  # a worker without a job
_OWED = ("Future.result", "Thread.join", "as_completed", "wait", "executor")


class Has(Enum):
    """What those who have the slots do meanwhile."""

    WAITS = "they wait for another one, or for those who do"
    CALLS = "their threads wait for what the loop of the waiters would do"
    LOOP = "they are tasks of the loop that the waiter blocks"
    AWAITS = "they wait for the end of one who waits for a slot"
    USES = "they use it all the while"
    STAYS = "they are further on in the function in which they took it"
    HAD = "they got one last, and nobody knows of a return"
    UNKNOWN = "the trace does not show who has them"


class Kept(NamedTuple):
    """Who has the slots; at which line they took it, "" unknown; in which waits they stand."""

    has: Has
    by: set[Who]
    taken_at: str = ""
    stuck: tuple[Wait, ...] = ()


def kept(waits: Waits, group: Group, vain: list[Wait], served: list[Wait]) -> Kept:
    """Who has the slots while these waits, after those that got one, are in vain."""
    worst = max(vain, key=lambda wait: wait.ns)
    told = takers.said(waits, vain)
    have = takers.said(waits, [worst]) if group.pool.slot == _TOKEN else set()
    stuck = _for_coroutines(waits, worst) if have else ()
    if stuck and len({wait.who for wait in stuck}) >= len(have):
        return Kept(Has.CALLS, have, stuck=stuck)
    if blocked := takers.on_its_loop(waits, worst):
        return Kept(Has.LOOP, blocked)
    all_told = set() if _others_too(waits, vain) else told
    circle = all_told | takers.parents(waits, vain) or takers.nobody_else(waits, vain)
    deeper, passed_at = takers.further_in(vain)
    if circle and circle <= _all_wait(waits, vain, circle):
        return Kept(Has.WAITS, circle, passed_at if circle == deeper else "")
    if not served and (around := takers.nested(waits, vain)):
        return Kept(Has.WAITS, {*around}, min(around.values()))
    own = {wait.who for wait in vain}
    if deeper and not waits.free_meanwhile(worst, own):  # so nobody else has one
        return Kept(Has.WAITS, deeper, passed_at)
    size = takers.size(waits, worst)
    until, sites = max(wait.end_ns for wait in vain), {wait.site for wait in vain}
    uses = talks.uses(waits, package_of(worst.name), until, sites)
    asked_by = askers(waits, uses, vain)
    if asked_by and len(asked_by) >= size > 0:
        return Kept(Has.AWAITS, asked_by)
    users = takers.in_use(waits, worst) - own
    if users and len(users) >= size:
        return Kept(Has.USES, users)
    asking = tuple(wait for wait in _for_its_end(waits, worst) if wait.ender == worst.who)
    if asking and len({wait.who for wait in asking}) == size:
        return Kept(Has.AWAITS, {wait.who for wait in asking}, stuck=asking)
    gave_ns = {wait.ender: wait.end_ns for wait in sorted(served, key=lambda w: w.end_ns)}
    had = {w.who for w in served if gave_ns.get(w.who, -1) < w.end_ns} or circle or told
    if served and group.pool.slot == OWN_SLOT:
        had = kept_since(waits, group.waits) or had
    if not had and (listen := takers.listeners(waits, vain)):
        return Kept(Has.HAD, {*listen}, _one_of(listen.values()))
    if len(had) < max(size, 1):  # others did not wait for theirs, or for moments only
        last = takers.used_last(waits, vain)
        had = last if had <= last else had
    taken_at = "" if served else takers.used_at(waits, vain, had)
    if not served and not had and group.pool.slot == OWN_SLOT:
        had, taken_at = _users(waits, vain[0]), vain[0].site
    inside = takers.inside(waits, worst, taken_at or worst.site) - own
    if inside and (not had or had <= inside):
        return Kept(Has.STAYS, inside, taken_at)
    if deeper and not had:
        return Kept(Has.HAD, deeper, passed_at)
    return Kept(Has.HAD if had else Has.UNKNOWN, had, taken_at)


def _others_too(waits: Waits, vain: list[Wait]) -> bool:
    """Whether the trace says that others have slots, too, whom it does not know. Of many it
    says the first."""
    trace = waits.model.trace
    told = (trace.args(trace.slices.event[wait.slice]).get(s.ARG_HOLDERS, "") for wait in vain)
    return any(text.endswith(", …") and text.count(" (") < _SAID for text in map(str, told))


def _users(waits: Waits, wait: Wait) -> set[Who]:
    """Those who used what one waits for before, of whom tasks that were cut short in that may
    not have given it back."""
    used = users_before(waits, wait)
    cut: set[Who] = {("task", cut.task) for cut in Cuts.of(waits).all} if used else set()
    return used & cut or used


class InVain(NamedTuple):
    """Waits for slots of one pool that nobody ended, after those in which somebody got one."""

    vain: list[Wait]
    served: list[Wait]

    @classmethod
    def of(cls, group: Group) -> Self:
        served = [wait for wait in group.waits if not wait.failed]
        last_ns = max((wait.end_ns for wait in served), default=0)
        vain = [wait for wait in group.waits if wait.failed and wait.end_ns > last_ns]
        return cls(vain, served)


class SlotsInVain(dict[int, Kept]):
    """By slice of a wait in vain for a slot, who has the slots meanwhile."""

    @classmethod
    def of(cls, waits: Waits) -> Self:
        """Those of a model, found once."""
        return waits.model.derive(cls, lambda: cls(waits))

    def __init__(self, waits: Waits) -> None:
        super().__init__()
        for group in groups(waits):
            vain, served = InVain.of(group)
            if vain:
                found = kept(waits, group, vain, served)
                self.update((wait.slice, found) for wait in vain)


def owed(waits: Waits, worst: Wait) -> Wait | None:
    """The wait of somebody for the end of one who waits for a slot: whoever has a slot and
    waits so never gives it back."""
    asked, _ = talks.askers(waits, package_of(worst.name), worst.start_ns, [worst.site])
    for other in _for_its_end(waits, worst):
        # The main thread waits for all others in the end.
        is_other = other.name != _IDLE and not waits.is_main(other.who)
        if is_other and (not asked or other.who in asked):
            return other
    return None


def freed_too_late(group: Group) -> tuple[list[Wait], set[Who]]:
    """Whoever waits for a slot in vain, and gives one back as soon as it gave up, had one."""
    gave_up = {wait.who: wait for wait in group.waits if wait.failed}
    freed = [
        wait
        for wait in group.waits
        if not wait.failed
        and wait.ender in gave_up
        and 0 <= wait.end_ns - gave_up[wait.ender].end_ns <= _AT_ONCE_NS
    ]
    circle = {wait.ender for wait in freed if wait.ender is not None}
    return [*freed, *(gave_up[who] for who in circle)], circle


def holder_that_awaits(waits: Waits, group: Group) -> tuple[Wait, Wait] | None:
    """The wait of somebody who has a slot for one who gave up waiting for one; and his."""
    gave_up = defaultdict[Who, list[Wait]](list)
    for wait in group.waits:
        if wait.failed and not wait.is_open and wait.ns >= _GAVE_UP_NS:
            gave_up[wait.who].append(wait)
    if not gave_up:
        return None
    of_holders = defaultdict[Who, list[Wait]](list)
    holds = holds_of(group.waits, waits, group.pool.slot).holds
    holders = {hold.who for hold in holds}
    for wait in (*waits.all, *waits.for_tasks):
        if wait.who in holders and wait.ender in gave_up:
            of_holders[wait.who].append(wait)
    for hold in holds:
        for outer in of_holders[hold.who]:
            for wait in gave_up[outer.ender] if outer.ender is not None else ():
                until = min(outer.end_ns, hold.end_ns, wait.end_ns)
                met = until - max(outer.start_ns, hold.start_ns, wait.start_ns)
                if covers(met, wait.ns):
                    return outer, wait
    return None


def _for_its_end(waits: Waits, worst: Wait) -> list[Wait]:
    """The waits of others for whoever waits for a slot, which last for most of its wait: it
    ended them when it had given up, or would have to."""
    whom, found = Enders.of(waits).whom, list[Wait]()
    for other in waits.overlapping(worst):
        if other.who == worst.who or not other.covers(worst):
            continue
        ended_ns = other.end_ns - worst.end_ns
        if other.ender == worst.who and not other.failed and 0 <= ended_ns <= _AT_ONCE_NS:
            found.append(other)
            continue
        blocked = whom(other) if other.name in _OWED else None
        if blocked is not None and worst.who in blocked.by:
            found.append(other)
    return found


def _for_coroutines(waits: Waits, worst: Wait) -> tuple[Wait, ...]:
    """The waits of threads, for most of another one, for coroutines that they gave a loop."""
    whom = Enders.of(waits).whom
    return tuple(
        other
        for other in waits.overlapping(worst)
        if other.name == "Future.result"
        and other.covers(worst)
        and (blocked := whom(other)) is not None
        and blocked.how in (How.GIVEN, How.LOOP)
    )


def _one_of(sites: Iterable[str]) -> str:
    """The only line of these; "" if they are several."""
    first, *others = {*sites}
    return "" if others else first


def _all_wait(waits: Waits, vain: list[Wait], circle: set[Who]) -> set[Who]:
    """Those of the circle that wait for a slot, or for a task that does."""
    waiting, parent_of = {wait.who for wait in vain}, waits.reading.ledger.parent_of
    created = {parent_of(which) for kind, which in waiting if kind == "task"}
    return {who for who in circle if who in waiting or who[1] in created}
