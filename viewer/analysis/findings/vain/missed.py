"""Wake-ups that nobody sent: somebody sleeps until a time-out, and others wait for it."""

from collections import defaultdict
from collections.abc import Iterator

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import (
    LongWaits,
    gave_up,
    name_of,
    place_in,
    users,
)
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.holders import WORKER_IDLE
from viewer.analysis.ledger.pools import pool_of
from viewer.analysis.ledger.resource import covers, within
from viewer.analysis.locks import ENDS
from viewer.analysis.resources.enders import Enders, How
from viewer.analysis.resources.waits import GETS, LOCKS, Wait
from viewer.analysis.waited import FOR_TASKS
from viewer.trace.columns import IDLE_WAIT, LOCK_WAIT, STATE_MASK
from viewer.trace.sites import is_library
from viewer.words import code

# Somebody waited a fifth of a second for one who slept on until a time-out, for four fifths of
# that; in all, half a second was lost. Shorter time-outs are how batches are collected.
_OWED_NS = 200 * MS
_AT_ONCE_NS = 50 * MS  # from the time-out to what ended the other's wait
_BACK = 1_000  # states of a thread in which it was woken before
_LOOKS = 3  # times that somebody gives up and looks again
_SET = ("Event.wait", "Event", "future", "AsyncResult")
_CONDITION = "Condition.wait"
CONDITIONS = (_CONDITION, "Condition")
WAKEABLE = (*GETS, *CONDITIONS, *_SET)
_TIMER = " Timer.run"  # sleeps on purpose
_STOPS = " BaseServer.shutdown"
_HUB = "/gevent/hub.py:"
_RESULTS = ("Future.result", "futures.wait", "AsyncResult.get")
# It had to end first, or nobody owes an idle worker anything: not for a wake-up.
_ENDS = (*FOR_TASKS, WORKER_IDLE.removeprefix(s.LOCK_WAIT_PREFIX))

_ASKS = (*_SET, *_RESULTS)
_JUST_NS = 5 * MS  # whoever wakes one waits for it at once
_LOST = (
    "An event that is set and cleared at once, or a `notify`, is lost while nobody waits: let "
    "the one who waits clear it, before it looks for work, or look for work before it waits; "
    "or use a queue."
)

type _Pairs = dict[tuple[str, str], list[tuple[Wait, Wait]]]


def missed(facts: Facts, waits: LongWaits) -> Iterator[Finding]:
    """Somebody slept until a time-out while others waited for what it then did at once."""
    slept: dict[Who, list[Wait]] = defaultdict(list)
    for wait in waits.all:
        timed_out = wait.failed and not wait.cancelled and not wait.is_open
        is_timer = any(frame.endswith(_TIMER) for frame in wait.stack)
        is_new = timed_out and not is_timer and wait.slice not in waits.told
        if is_new and wait.name in WAKEABLE and pool_of(wait.name, wait.stack) is None:
            slept[wait.who].append(wait)
    found = _pairs(facts, waits, slept) if slept else {}
    # Where others wait for a lock of the sleeper, that is why nobody woke it.
    for pairs in sorted(found.values(), key=lambda pairs: pairs[0][0].name not in LOCKS):
        pairs = [pair for pair in pairs if pair[1].slice not in waits.told]
        lost = sum(wait.ns for wait, _ in pairs)
        if lost < LOST_NS:
            continue
        waits.told.update(one.slice for pair in pairs for one in pair)
        is_lock = pairs[0][0].name in LOCKS
        yield (_kept_asleep if is_lock else _not_woken)(facts, waits, pairs, lost)


def _pairs(facts: Facts, waits: LongWaits, slept: dict[Who, list[Wait]]) -> _Pairs:
    """By the lines of both, who waited for whom that slept."""
    found: _Pairs = defaultdict(list)
    enders = Enders.of(LongWaits.of(facts))
    lines = {(wait.name, wait.site) for wait in waits.all if wait.slice in waits.told}
    for wait in waits.all:
        whom = _whom(enders, wait) if wait.ns >= _OWED_NS else None
        if whom is None or wait.name.startswith(_ENDS):
            continue
        for sleep in slept.get(whom, ()):
            if sleep.lock == wait.lock >= 0 or (sleep.name in _SET and wait.name in GETS):
                continue  # it waits for the same, or pauses between items: `stop.wait(1)`
            is_last = wait.is_open or 0 <= wait.end_ns - sleep.end_ns <= _AT_ONCE_NS
            is_told = (sleep.name, sleep.site) in lines
            if wait.name.startswith(ENDS) and (is_told or not _was_woken(facts, sleep)):
                continue  # it waited for something else, and gave up
            if wait.name.startswith(ENDS) and is_library(wait.site) and is_library(sleep.site):
                continue  # so a library ends its own workers
            if is_last and sleep.covers(wait):
                found[sleep.site, wait.site].append((wait, sleep))
                break
    return found


def looked_in_vain(facts: Facts) -> Iterator[Finding]:
    """A thread looked for data until its time-out, and then did what others waited for."""
    waits = LongWaits.of(facts)
    found = defaultdict[tuple[str, str], list[tuple[Wait, Wait]]](list)
    for wait, sleep in _polled(facts, waits):
        found[sleep.site, wait.site].append((wait, sleep))
    for pairs in found.values():
        lost = sum(wait.ns for wait, _ in pairs)
        if lost >= LOST_NS:
            waits.told.update(one.slice for pair in pairs for one in pair)
            yield _not_woken(facts, waits, pairs, lost)


def _polled(facts: Facts, waits: LongWaits) -> Iterator[tuple[Wait, Wait]]:
    """Who waited for a thread that looked for data at a descriptor until its time-out."""
    table, rows = facts.model.states, facts.ledger.rows_of_threads
    for wait in waits.all:
        kind, thread = wait.ender or ("", -1)
        is_owed = wait.name in _SET or wait.name in _RESULTS
        if not is_owed or wait.ns < _OWED_NS or kind != "thread" or wait.slice in waits.told:
            continue
        if thread in facts.ledger.lane_of_thread or _STOPS in "\n".join(wait.stack):
            continue  # loops have timers of their own, and servers look whether to stop
        own = [
            row
            for row in rows.met(thread, wait.start_ns, wait.end_ns)
            if table.end_ns[row] <= wait.end_ns and gave_up(facts, row)
        ]
        met = within(
            ((table.start_ns[row], table.end_ns[row]) for row in own),
            wait.start_ns,
            wait.end_ns,
        )
        if own and covers(met, wait.ns) and wait.end_ns - table.end_ns[own[-1]] <= _AT_ONCE_NS:
            name, site = facts.call(table.row[own[-1]])
            if _HUB in site:
                continue  # a job of gevent's own pool sleeps: that is a loop, too
            yield (
                wait,
                wait._replace(
                    who=("thread", thread), start_ns=table.start_ns[own[0]],
                    end_ns=table.end_ns[own[-1]], name=name, site=site,
                    slice=table.slice[own[-1]], row=own[-1],
                ),
            )  # fmt: skip


def _was_woken(facts: Facts, sleep: Wait) -> bool:
    """Whether somebody ended earlier waits of the thread for the same: so it gets its work."""
    table, rows = facts.model.states, facts.ledger.rows_of_threads
    before = rows.begun(sleep.who[1], 0, sleep.start_ns)[-_BACK:]
    return any(
        table.state[row] & STATE_MASK in (IDLE_WAIT, LOCK_WAIT)
        and table.row[row] == sleep.lock
        and table.waker[row] >= 0
        for row in map(rows.row.__getitem__, before)
    )


def _whom(enders: Enders, wait: Wait) -> Who | None:
    """Who ended a wait; of one for a lock that is not over, who has it."""
    if not wait.failed:
        return wait.ender
    why = enders.whom(wait) if wait.is_open and wait.name in LOCKS else None
    return why.by[0] if why is not None and why.how is How.LOCK else None


def _not_woken(
    facts: Facts, waits: LongWaits, pairs: list[tuple[Wait, Wait]], lost: int
) -> Finding:
    wait, sleep = max(pairs, key=lambda pair: pair[0].ns)
    is_end = wait.name.startswith(ENDS)
    how = "`notify`, `set`, `put`"
    if sleep.name not in WAKEABLE:
        how = "a byte through a pipe, a `NOTIFY` that is committed"
    text = (
        f"Missed wake-up: {code(name_of(facts.model, sleep.who))} slept in `{sleep.name}`"
        f"{place_in(sleep.site)} until its time-out of {duration(sleep.ns)}, though "
        f"{code(name_of(facts.model, wait.who))}{place_in(wait.site)} waited for "
        f"{'its end' if is_end else 'it'}: {duration(lost)} lost in "
        f"{plural(len(pairs), 'wait')}, the longest {duration(wait.ns)} "
        f"({at(facts, wait.start_ns)}). Wake it ({how}) when "
        f"{'it is to end' if is_end else 'there is something to do'}"
    )
    if wait.name in _RESULTS:
        text += "; whoever waits for its result cannot do that meanwhile"
    return Finding("missed wake-up", lost, f"{text}.", waits.evidence(wait))


def _kept_asleep(
    facts: Facts, waits: LongWaits, pairs: list[tuple[Wait, Wait]], lost: int
) -> Finding:
    """The sleeper had a lock for which others waited, who would have woken it."""
    wait, sleep = max(pairs, key=lambda pair: pair[0].ns)
    text = (
        f"Deadlock {at(facts, wait.start_ns)}, for {duration(wait.ns)}: "
        f"{code(name_of(facts.model, sleep.who))} slept in `{sleep.name}`"
        f"{place_in(sleep.site)} until its time-out of {duration(sleep.ns)} while it had a "
        f"lock for which {users(facts.model, (one.who for one, _ in pairs))}"
        f"{place_in(wait.site)} waited, who could not wake it meanwhile: {duration(lost)} "
        f"lost in {plural(len(pairs), 'wait')}. Release the lock before waiting, or wait in a "
        f"condition of that lock."
    )
    return Finding("deadlock", lost, text, waits.evidence(wait))


def woke_another(facts: Facts, waits: LongWaits) -> Iterator[Finding]:
    """`notify` woke one who waits for something else at the same condition."""
    by_lock: dict[int, list[Wait]] = defaultdict(list)
    for wait in waits.all:
        if wait.name == _CONDITION and wait.lock >= 0:
            by_lock[wait.lock].append(wait)
    for found in by_lock.values():
        late = [w for w in found if w.failed and not w.is_open and w.ns >= LOST_NS]
        for wait in late[: _LOOKS - 1] if len(late) < _LOOKS else ():
            woken = [
                other
                for other in found
                if other.site != wait.site
                and other.ender not in (None, wait.who)
                and wait.start_ns < other.end_ns <= wait.end_ns - _OWED_NS
            ]
            if wait.slice in waits.told or not woken:
                continue
            waits.told.add(wait.slice)
            other, model = woken[0], facts.model
            assert other.ender is not None
            text = (
                f"Missed wake-up: {code(name_of(model, wait.who))} slept in `{wait.name}`"
                f"{place_in(wait.site)} until its time-out of {duration(wait.ns)} "
                f"({at(facts, wait.start_ns)}), though {code(name_of(model, other.ender))} "
                f"notified the condition meanwhile: that woke "
                f"{code(name_of(model, other.who))}{place_in(other.site)}, which waits for "
                f"something else. Call `notify_all`, or have a condition for each."
            )
            yield Finding("missed wake-up", wait.ns, text, waits.evidence(wait))


def woken_while_busy(facts: Facts) -> Iterator[Finding]:
    """Somebody was busy when it was woken, and waited then, though it had been given work."""
    waits = LongWaits.of(facts)
    idle, asked = defaultdict[Who, list[Wait]](list), defaultdict[Who, list[Wait]](list)
    for wait in waits.all:
        if wait.name in _ASKS:
            asked[wait.who].append(wait)
        is_woken = wait.name in (*CONDITIONS, *_SET) and wait.ns >= _OWED_NS
        if is_woken and not wait.failed and wait.ender is not None:
            idle[wait.who].append(wait)
    found: _Pairs = defaultdict(list)
    for wait in waits.all if idle else ():
        is_new = wait.ns >= _OWED_NS and not wait.failed and wait.slice not in waits.told
        if not is_new or wait.name not in _ASKS or wait.ender is None:
            continue
        for rest in idle.get(wait.ender, ()):
            is_within = wait.start_ns < rest.start_ns and rest.end_ns <= wait.end_ns
            if is_within and 2 * rest.ns >= wait.ns and _woke_as(asked, wait, rest):
                found[rest.site, wait.site].append((wait, rest))
                break
    for pairs in found.values():
        lost = sum(rest.ns for _, rest in pairs)
        if lost < LOST_NS:
            continue
        waits.told.update(wait.slice for wait, _ in pairs)
        wait, rest = max(pairs, key=lambda pair: pair[1].ns)
        text = (
            f"Missed wake-up: {code(name_of(facts.model, rest.who))} waited in `{rest.name}`"
            f"{place_in(rest.site)} until the next one woke it, though "
            f"{users(facts.model, (one.who for one, _ in pairs))}{place_in(wait.site)} had "
            f"asked before and waited for it: {duration(lost)} lost in "
            f"{plural(len(pairs), 'wait')}, the longest {duration(rest.ns)} "
            f"({at(facts, rest.start_ns)}). It was busy when they woke it."
        )
        yield Finding("missed wake-up", lost, text, waits.evidence(wait), _LOST)


def _woke_as(asked: dict[Who, list[Wait]], wait: Wait, rest: Wait) -> bool:
    """Whether another one ended a rest as it began to wait as this one does, for the same."""
    return rest.ender not in (None, wait.who) and any(
        (one.name, one.site, one.ender) == (wait.name, wait.site, wait.ender)
        and abs(one.start_ns - rest.end_ns) <= _JUST_NS
        for one in asked.get(rest.ender, ())
    )
