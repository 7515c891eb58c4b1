"""Slots of pools: the waits for them, by pool; and who had a slot from when to when."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from tracer.units import MS
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.pools import SEMAPHORES, Pool, pool_of
from viewer.analysis.regions import merged
from viewer.analysis.resources.herds import Herds
from viewer.analysis.resources.lent import was_lent
from viewer.analysis.resources.resource import Claim, Hold, most_at_once
from viewer.analysis.resources.waits import GETS, Wait, Waits
from viewer.analysis.waited import For, waited_for
from viewer.trace.sites import is_library, place_of

# Some pools wake all who wait: whoever waits again that soon had got nothing.
_AGAIN_NS = 5 * MS
# What a home-made pool waits in: whoever gets something from it puts it back later, or the
# other way round, where it is full of those who run. Conditions and full queues also make two
# sides wait for each other, or threads take turns: one function waits in a pool.
_HOME_MADE = (*GETS, "Queue.put", "Condition.wait", "Condition")
_LENT = (*GETS, "Condition.wait", "Condition")
# So does each who waits for an object of its own at the same line, six waits of three or more.
_ONE_EACH = ("future", "Event", "Event.wait")
_FEWEST, _WAITERS = 6, 3
_HANDED_ON_NS = MS  # whoever got a slot just now hands on what was there already
_GIVES = 2
_TAKES = 3  # permits one after the other, without giving one back
OWN_SLOT = "slot"  # of a home-made pool
HOME_MADE = Pool(OWN_SLOT, "a home-made pool")
_WORKER = "worker"  # of gevent's pools: it is made by whoever waited, and ends with its slot
# What a greenlet of gevent's own runs that feeds a `map`, whose caller waits for all results
# anyway: no job of it waits for a slot in vain. An `imap`'s is compiled, and has no frame.
_FEEDS = ("GroupMappingMixin.__map", "IMapUnordered._run", "Group.spawn", "ThreadPool.spawn")
_GOES_ROUND = 2, 3  # of the waits are ended by those who waited there themselves


class Held(NamedTuple):
    """`at_least`: of those who got a slot while others waited, how many had one at a time;
    `in_use`: with those who may have given theirs back since, unseen."""

    holds: list[Hold]
    at_least: int
    in_use: int


@dataclass(slots=True)
class Group:
    """The waits for the slots of one pool, in order of begin."""

    pool: Pool
    waits: list[Wait] = field(default_factory=list)

    @property
    def ns(self) -> int:
        return sum(wait.ns for wait in self.waits)

    @property
    def waiters(self) -> set[Who]:
        return {wait.who for wait in self.waits}

    @property
    def enders(self) -> set[Who]:
        """Whose acts let waiters go on, as far as they are known."""
        return {wait.ender for wait in self.waits if wait.ender is not None}


def groups(waits: Waits) -> Iterable[Group]:
    """Known pools by their lock or function; home-made ones by the queue that they are, or by
    the line at which each waits for an object of its own."""
    found: dict[object, Group] = {}
    others: dict[tuple[str, int], list[Wait]] = defaultdict(list)
    by_line: dict[tuple[str, str, int], list[Wait]] = defaultdict(list)
    told = {herd.lock for herd in Herds.of(waits.reading).hurting}
    for wait in waits.all:
        if wait.lock in told:
            continue
        pool = pool_of(wait.name, wait.stack)
        if pool is not None and pool.slot == _WORKER and _feeds_a_map(wait):
            continue
        if pool is not None:
            own = wait.lock if wait.lock >= 0 and pool.slot != "token" else -1
            process = waits.process(wait.who)
            key = process, pool, own if _is_shared(wait) else -1
            found.setdefault(key, Group(pool)).waits.append(wait)
        elif wait.name in _HOME_MADE and wait.lock >= 0:
            others[wait.name, wait.lock].append(wait)
        elif wait.name in _ONE_EACH and not is_library(wait.site) and waits.is_for_one(wait):
            by_line[wait.name, wait.site, waits.process(wait.who)].append(wait)
    bound = {key for key, group in found.items() if _bounds_jobs(waits, group)}
    found = {
        key: group for key, group in found.items() if key in bound or not _hands_on(group)
    }
    for (name, _), alike in others.items():
        if _goes_round(waits, alike):
            if name not in GETS and not _is_pool(waits, alike):
                continue
        elif name not in _LENT or not was_lent(waits, alike):
            continue
        pool = Pool(OWN_SLOT, f"a pool made of a `{name.partition('.')[0]}`")
        found[id(alike)] = Group(pool, alike)
    for alike in by_line.values():
        if _is_one_by_one(alike) and _goes_round(waits, whole(alike)):
            found[id(alike)] = Group(HOME_MADE, alike)
    return [
        group if key in bound else Group(group.pool, whole(group.waits))
        for key, group in found.items()
    ]


def _feeds_a_map(wait: Wait) -> bool:
    return bool(wait.stack) and place_of(wait.stack[-1]).function in _FEEDS


def _is_one_by_one(alike: list[Wait]) -> bool:
    """Whether several mostly wait at the same time, one of whom each end lets go on, who keeps
    it: what ends all at once is an event, those that never wait together take turns, and those
    that hand on at once wait for the one before them."""
    if len(alike) < _FEWEST or len({wait.who for wait in alike}) < _WAITERS:
        return False
    if any(wait.failed for wait in alike):
        return False
    times = merged([(wait.start_ns, wait.end_ns) for wait in alike])
    if sum(wait.ns for wait in alike) * 2 < sum(end - start for start, end in times) * 3:
        return False
    gave, got, kept = dict[Who, int](), dict[Who, int](), 0
    for wait in sorted(alike, key=lambda wait: wait.end_ns):
        if wait.ender is not None:
            last = max(gave.get(wait.ender, 0), got.get(wait.ender, 0))
            kept += wait.end_ns - last >= _HANDED_ON_NS
            gave[wait.ender] = wait.end_ns
        got[wait.who] = wait.end_ns
    return kept * _GOES_ROUND[1] >= len(alike) * _GOES_ROUND[0]


def _hands_on(group: Group) -> bool:
    """Whether one side only takes permits and the other one only gives them, again and again,
    or each side is one thread: a semaphore that counts items or room, of which nobody keeps a
    slot."""
    waiters, enders = group.waiters, group.enders
    if group.pool.slot != "permit" or any(kind == "task" for kind, _ in waiters | enders):
        return False
    is_apart = bool(enders) and not waiters & enders
    if is_apart and len(waiters) == 1 == len(enders):
        return all(wait.ender is not None for wait in group.waits)
    return is_apart and len(group.waits) >= len(whole(group.waits)) * _TAKES


def _bounds_jobs(waits: Waits, group: Group) -> bool:
    """Whether each permit is for a job, whose worker gives it back, of whoever took it; some
    got none."""
    if group.pool.slot != "permit" or not any(wait.failed for wait in group.waits):
        return False
    takers, gave = group.waiters, group.enders
    jobs = [
        waits.reading.jobs.of_thread.get(which, []) for kind, which in gave if kind == "thread"
    ]
    is_worker = bool(gave) and len(jobs) == len(gave) and all(jobs)
    return is_worker and all(job.submitter in takers for own in jobs for job in own)


def claim_of(wait: Wait) -> Claim:
    """A wait whose whole time was lost, since it ended as soon as there was a slot."""
    return Claim(wait.who, wait.start_ns, wait.end_ns, wait.site, wait.end_ns)


def whole(waits: list[Wait]) -> list[Wait]:
    """Waits with those joined between which the waiter was woken and got nothing.

    Some pools wake all who wait; all but one wait again at once.
    """
    return _joined(waits, _gave_up)


def looks(waits: list[Wait]) -> list[Wait]:
    """As `whole`, but who waits again after a time-out looks again: no wait of before; nor
    does who waits at a condition that was made for that wait alone."""
    often = Counter(wait.lock for wait in waits)
    return _joined(waits, lambda wait: wait.failed or often[wait.lock] == 1)


def _joined(waits: list[Wait], ends: Callable[[Wait], bool]) -> list[Wait]:
    """Waits joined with those before them, but for those that `ends` says are over."""
    gave: dict[Who, list[int]] = defaultdict(list)
    for wait in sorted(waits, key=lambda wait: wait.end_ns):
        if wait.ender is not None:
            gave[wait.ender].append(wait.end_ns)
    last: dict[Who, int] = {}
    found = list[Wait]()
    for wait in waits:
        at = last.get(wait.who, -1)
        if at >= 0:
            before = found[at]
            is_soon = wait.start_ns - before.end_ns <= _AGAIN_NS
            is_again = is_soon and not (
                ends(before) or _between(gave[wait.who], before.end_ns, wait.start_ns)
            )
            if is_again:
                found[at] = wait._replace(start_ns=before.start_ns)
                continue
        last[wait.who] = len(found)
        found.append(wait)
    return found


def _gave_up(wait: Wait) -> bool:
    """Whether it was the whole of a call, which ended without a slot."""
    return wait.failed and (waited_for(wait.name) is For.POOL or wait.name in SEMAPHORES)


def _between(times: list[int], from_ns: int, until_ns: int) -> bool:
    """Whether one of the times, which are in order, lies between two."""
    at = bisect_left(times, from_ns)
    return at < len(times) and times[at] <= until_ns


def _is_shared(wait: Wait) -> bool:
    """Whether all who wait for the pool wait at this object; asyncio's events are not."""
    return wait.name not in ("Event", "Event.wait", "future", "Lock", "Condition.notify")


def _is_pool(waits: Waits, alike: list[Wait]) -> bool:
    """Whether all wait for a condition in one function, and several have something at once."""
    inside = {wait.stack[1].rpartition(" ")[2] for wait in alike if len(wait.stack) > 1}
    return len(inside) == 1 and holds_of(whole(alike), waits).in_use > 1


def _goes_round(life: Waits, waits: list[Wait]) -> bool:
    """Whether what one gets there comes from others that got it there before, or, where
    several tasks wait, from tasks of the same function, which may not have had to wait."""
    if any(wait.failed for wait in waits) and not (
        _ran_dry(waits) or _found_it_dry(life, waits)
    ):
        return False
    waiting = {wait.who for wait in waits}
    enders = [wait.ender for wait in waits if wait.ender is not None]
    alike = {life.group(who) for who in waiting} if len(waiting) > 1 else set()
    own = sum(
        ender in waiting or (ender[0] == "task" and life.group(ender) in alike)
        for ender in enders
    )
    is_round = own * _GOES_ROUND[1] >= len(enders) * _GOES_ROUND[0]
    served = sum(not wait.failed for wait in waits)
    return is_round and len(set(enders)) > 1 and len(enders) * 2 > served


def _found_it_dry(life: Waits, waits: list[Wait]) -> bool:
    """Whether, after a time, all waits were in vain, and most of them those of two or more who
    began after it: requests, which never got anything. The others had got something there
    before: requests that are tried again. Workers are there before they have none."""
    served = {wait.who: wait.end_ns for wait in waits if not wait.failed}
    last_ns, vain = max(served.values(), default=0), [wait for wait in waits if wait.failed]
    late = [wait.who for wait in vain if life.begins_ns(wait.who) >= last_ns]
    return (
        last_ns > 0
        and len(set(late)) > 1
        and len(late) * 2 > len(vain)
        and all(wait.end_ns > last_ns for wait in vain)
        and {wait.who for wait in vain} - served.keys() <= set(late)
    )


def _ran_dry(waits: list[Wait]) -> bool:
    """Whether, after a time, all waits were in vain, and two or more of the waiters tried
    again, each after something else: workers that find no more work look again at once, or
    end."""
    last_ns = max((wait.end_ns for wait in waits if not wait.failed), default=0)
    if any(wait.failed and wait.end_ns <= last_ns for wait in waits):
        return False
    again, before = set[Who](), dict[Who, int]()
    for wait in waits:
        if wait.failed:
            if wait.start_ns - before.get(wait.who, wait.start_ns) >= _AGAIN_NS:
                again.add(wait.who)
            before[wait.who] = wait.end_ns
    return len(again) > 1


def holds_of(waits: list[Wait], life: Waits, slot: str = "") -> Held:
    """From each hand-over, how long the giver had its slot at least; and how many slots were
    in use at a time.

    A giver had it since its own wait for it ended, or while those waited who came first.
    Whoever waits again had got nothing; whoever wakes several gives one; who ends has none.
    While nobody waits, slots come and go unseen: who had one before may have none. A slot that
    is a worker is its own from its begin to its end, and not of whoever waited for it.
    """
    moments = [(wait.start_ns, 0, wait) for wait in waits]
    moments += [(wait.end_ns, 1, wait) for wait in waits]
    moments.sort(key=lambda moment: moment[:2])
    got: dict[Who, int] = {}
    known, waiting, since_ns = set[Who](), 0, 0
    found, kept, sure = list[Hold](), list[Hold](), list[Hold]()
    for time_ns, is_end, wait in moments:
        if not is_end:
            since_ns = since_ns if waiting else time_ns
            waiting += 1
            known.add(wait.who)
            got.pop(wait.who, None)
            continue
        waiting -= 1
        ender = wait.ender
        is_own = ender in got and time_ns - got[ender] >= _HANDED_ON_NS
        if ender is not None and ender != wait.who and (is_own or ender not in known):
            hold = Hold(ender, got.pop(ender, wait.start_ns), time_ns)
            if slot == _WORKER:
                hold.start_ns = life.begins_ns(ender)
            found.append(hold)
            seen_ns = hold.start_ns if slot == _WORKER else max(hold.start_ns, since_ns)
            sure.append(replace(hold, start_ns=seen_ns))
            known.add(ender)
        if not wait.failed and slot != _WORKER:
            got[wait.who] = time_ns
        if not waiting:
            still = [
                Hold(who, since, min(time_ns, life.ends_ns(who)) - _AGAIN_NS)
                for who, since in got.items()
            ]
            kept += still
            sure += [hold for hold in still if hold.start_ns >= since_ns]
    gave = Counter(wait.ender for wait in waits)
    served = Counter(wait.who for wait in waits if not wait.failed)
    # Whoever gives again and again and never got one gives what others have, unseen: a worker
    # gives itself once.
    most = 1 if slot == _WORKER else _GIVES
    is_theirs = all(who is None or n <= most or served[who] for who, n in gave.items())
    sure_of = most_at_once(sure) if is_theirs else 0
    return Held(found, sure_of, most_at_once(found + kept))
