"""Contended locks: convoys, and asyncio locks held while their task awaits something else."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from heapq import nlargest
from operator import sub

from tracer import schema as s
from tracer.units import MS, duration, plural, share
from viewer.analysis.findings.basis.doing import slow_reader_of
from viewer.analysis.findings.basis.facts import (
    COMPUTING,
    LOST_NS,
    NOT_ITS_FAULT,
    Evidence,
    Facts,
    Finding,
    Split,
)
from viewer.analysis.findings.basis.hot import hot
from viewer.analysis.findings.basis.repeated import asks_asleep
from viewer.analysis.findings.basis.waits import LongWaits
from viewer.analysis.findings.basis.words import did, names, sampled
from viewer.analysis.findings.servers.overdue import mostly_blocked
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.handed import is_signal
from viewer.analysis.ledger.resource import covers, window
from viewer.analysis.ledger.rows import longs
from viewer.analysis.locks import LockRow
from viewer.analysis.resources.connections import is_for_room
from viewer.analysis.resources.pacing import is_duty
from viewer.analysis.resources.waits import LOCKS, longest_slices
from viewer.analysis.rows import Rows
from viewer.analysis.states import at_least, numbers
from viewer.trace.columns import FAILED, IO, PREEMPTED, READY, SLEEP, STATE_MASK, TASK_WAIT
from viewer.words import code, place

_OF_TASKS = ("asyncio.Lock", "anyio.Lock", "trio.Lock", "trio.StrictFIFOLock", "gevent.Lock",
             "gevent.RLock", "twisted.DeferredLock")  # fmt: skip
# A convoy forms again and again, or a few waits lose half a second; and it costs its threads a
# tenth of their working time. Less is the normal price of a lock. One thread alone must lose
# half a second, half of its working time, three times, to holders that wait for others.
_WAITS = 10
_AGAIN = 3
_WAITED_NS = 100 * MS
_PART = 10
# … and one in three acquisitions has to wait, and it is held for a tenth of the time between
# the first wait and the last. A lock that is held for moments makes others wait only when its
# holder loses the GIL or its CPU just then; no other lock would do better. A lock that is
# usually held for a tenth of a millisecond is different, even if its holder acquires it again
# at once, many times over, before the waiters have woken up. So is one that is kept for long
# now and then, 10 ms or more: what its holders did themselves in that time is counted.
_WAITING = 3
_MOMENT_NS = MS // 10
_LONG_NS = 10 * MS
_BUSY = 10  # percent
_MOST_HOLDS = 500  # only the longest are examined
# Holding a lock across an await is a fault when others wait for it this long in total, this
# often, and for a tenth of their lives.
_AWAITED_NS = 50 * MS
_AWAITED = 5
# Those who wait together for what is done once, as a first connection, lose its length once;
# on a busy machine that takes a third of a second.
_ONCE_NS = 400 * MS
_OF_MANAGER = "/multiprocessing/managers.py:"  # its clients wait: see betweenprocesses
_LESS = "Do the slow part outside the lock."
_WAIT = (
    "Whoever has the lock asks again and again for something: if that needs the lock, too, it "
    "cannot come. Wait with a `Condition` on this lock, which gives it back meanwhile."
)
_DRAIN = "Let the reader do less for each, or drop what has no room."
_READY_NS = MS  # turns for which a holder waits a millisecond or more
_MOST_READY = 20_000
_LESS_OFTEN = "Do not yield while it is held, or start fewer of the others at a time."
_NOT_READ = ", until the other side has read"
_DROP = (
    "Give that a time-out, and drop a client that does not read; whoever comes after it "
    "must not wait for it."
)
_LESS_AWAITED = "Await it before the lock is acquired, or after it is released."
# As a rate limiter does: those at whom it is aimed wait as long in any case.
_SLEEP = f"{s.AWAIT_PREFIX}{s.SLEEP}"
_LESS_ASLEEP = (
    "Note until when to sleep while the lock is held, and sleep after it is released: then "
    "whoever need not wait for that goes on."
)


def _lives(facts: Facts) -> Callable[[], dict[tuple[int, str], int]]:
    """By (pid, name) the time in which a thread had something to do."""

    @cache
    def lives() -> dict[tuple[int, str], int]:
        model, threads = facts.model, facts.threads
        wall, idle = threads.measure("wall_ns"), threads.measure("idle")
        pids, called = model.pids(model.thread_process), model.thread_names
        return {(pids[i], called[i]): wall[i] - idle[i] for i in threads.numbers}

    return lives


def lock_convoy(facts: Facts) -> Iterator[Finding]:
    """Threads that queue for one lock and pass one at a time."""
    lives = _lives(facts)
    for row in _often_waited_for(facts, _WAITED_NS, _WAITS):
        waiters = {*row.waiters.names().values()}
        if row.kind not in LOCKS or not _is_often(row, _WAITS):
            continue
        is_one, life = len(waiters) < 2, sum(lives().get((row.pid, who), 0) for who in waiters)
        if row.waits.total_ns < (max(LOST_NS, life // 2) if is_one else life // _PART):
            continue
        lock = facts.lock_of[row.process, row.lock]
        if is_signal(facts.ledger, lock) or _OF_MANAGER in row.site:
            continue
        if row.timed_out and _is_in_vain(facts, row):  # nobody passes
            continue
        holds, split, tids = _while_held(facts, row)
        long = _kept_long(facts, holds)
        asks = bool(long) and all(asks_asleep(facts, *one) for one in long)
        is_again = row.waits.count >= _AGAIN
        if is_one and not is_again and not asks:
            continue
        if is_one and split.of((IO, SLEEP)) * 2 < sum(split.states.values()):
            continue
        away = split.states[PREEMPTED]
        total = sum(split.states.values())
        # Preemption of a holder is not the lock's fault, nor are the waits that it causes.
        seldom = row.waits.count * _WAITING < row.holds.count and row.holds.p50_ns < _MOMENT_NS
        own, whole = (total - away, total) if total else (1, 1)
        lost = row.waits.total_ns * own // whole
        busy = 100 * row.holds.total_ns * own // (_contended_ns(facts, row) * whole)
        if lost < _WAITED_NS * facts.patience or busy < _BUSY:
            continue
        if seldom and _worked_ns(facts, long) < _WAITED_NS * facts.patience:
            continue
        mean = duration(row.waits.total_ns // row.waits.count)
        what = f"the {row.kind} at {place(row.site)}"
        waited = f"{plural(row.waits.count, 'wait')}, {duration(row.waits.total_ns)}"
        text = (
            f"Lock convoy: {names(waiters)} waits {'again and again ' * is_again}for {what}"
            f"{_kept_by(row)}: "
            f"{waited} in total, half of its working time or more, {mean} on average"
            if is_one
            else f"Lock convoy: {names(waiters)} queue for {what} and pass one at a time: "
            f"{waited} summed over all of them, {mean} on average"
        )
        text += _what_holders_do(facts, holds, split, tids)
        evidence, behind = _longest_wait(facts, row), _behind(split)
        step = _WAIT if asks else _LESS
        holders = {facts.ledger.thread(row.process, tid) for tid in tids.values()}
        if (slow := slow_reader_of(facts, split, holders, holds)) is not None:
            text, behind, step = text + slow.text, slow.behind, _DRAIN
        yield Finding("lock convoy", lost, f"{text}.", evidence, step, behind)


def _kept_by(row: LockRow) -> str:
    """`, which `MainThread` (app.py:12) has`: who had it most, and took it where."""
    return (
        f", which {code(row.holders[0].who, row.holders[0].site)} has" if row.holders else ""
    )


def _is_in_vain(facts: Facts, row: LockRow) -> bool:
    """Whether most of the waiting was given up."""
    if row.timed_out == row.waits.count:
        return True
    rows, begins, ends = facts.waits_of(row)
    state = facts.model.states.state
    vain = sum(
        end - start
        for one, start, end in zip(rows, begins, ends, strict=True)
        if state[one] & FAILED
    )
    return covers(vain, row.waits.total_ns)


def _often_waited_for(facts: Facts, least_ns: int, times: int) -> Rows[LockRow]:
    """The locks with so many and so long waits, and often enough (see `_is_often`)."""
    locks = facts.locks
    if not locks:
        return locks
    total, waits = (longs(locks.measure(of)) for of in ("total_ns", "waits"))
    often = {lock for lock in at_least(waits, times) if total[lock] >= least_ns}
    often |= {*at_least(total, LOST_NS)}
    return locks.only(often.__contains__) if often else locks.part(0, 0)


def _is_often(row: LockRow, times: int) -> bool:
    """Whether somebody waited for it this many times, or for long: then a few are enough."""
    return row.waits.count >= times or row.waits.total_ns >= LOST_NS


def _holds(facts: Facts, row: LockRow) -> list[int]:
    """The longest holds of a lock."""
    table, take = facts.model.states, facts.model.trace.engine.take
    rows = numbers(facts.ledger.holds.rows(facts.lock_of[row.process, row.lock]))
    lasted = [*map(sub, take(table.end_ns, rows, -1), take(table.start_ns, rows, -1))]
    longest = nlargest(_MOST_HOLDS, range(len(rows)), key=lasted.__getitem__)
    return [rows[at] for at in longest]


def _while_held(facts: Facts, row: LockRow) -> tuple[list[int], Split, dict[int, int]]:
    """The longest holds, what the holding threads did in them, and (row, tid) of each."""
    table = facts.model.states
    split, tids = Split(), {}
    holds = _holds(facts, row)
    for hold in holds:
        owner = table.owner[hold]
        if owner < 0 or table.owner_is_task[owner]:
            continue
        thread = facts.ledger.thread(table.owner_process[owner], table.owner_id[owner])
        if thread < 0:
            continue
        tids[hold] = table.owner_id[owner]
        split.add(facts.split(thread, window(table.start_ns[hold], table.end_ns[hold])))
    return holds, split, tids


def _kept_long(facts: Facts, holds: list[int]) -> list[tuple[int, int, int]]:
    """Which threads had the lock for long, from and until when."""
    table, found = facts.model.states, list[tuple[int, int, int]]()
    for hold in holds:
        owner, since, until = table.owner[hold], table.start_ns[hold], table.end_ns[hold]
        if until - since >= _LONG_NS and owner >= 0 and not table.owner_is_task[owner]:
            thread = facts.ledger.thread(table.owner_process[owner], table.owner_id[owner])
            if thread >= 0:
                found.append((thread, since, until))
    return found


def _worked_ns(facts: Facts, kept: list[tuple[int, int, int]]) -> int:
    """What the holding threads did themselves meanwhile."""
    splits = (facts.split(thread, window(since, until)) for thread, since, until in kept)
    return sum(sum(split.states.values()) - split.of(NOT_ITS_FAULT) for split in splits)


def _what_holders_do(
    facts: Facts, holds: list[int], split: Split, tids: dict[int, int]
) -> str:
    """`; its holders spend 98 % of that time in `sleep` (…)`, or where they compute."""
    table, where = facts.model.states, ""
    if split.of(COMPUTING) * 2 > sum(split.states.values()) - split.of(NOT_ITS_FAULT):
        stacks = [
            stack
            for hold in holds
            if hold in tids
            for stack in facts.stacks(tids[hold], [(table.start_ns[hold], table.end_ns[hold])])
        ]
        where = sampled(*hot(facts.hot_places, stacks))
    activity = did(facts, split, where, of="of the time they hold it")
    return f"; its holders spend {activity}" if activity else ""


def _behind(split: Split) -> str:
    """The line at which holders wait for others, for most of the time they hold it."""
    sums = Counter[str]()
    for (_, _, site), ns in split.waits.items():
        sums[site] += ns
    ((site, ns),) = sums.most_common(1) or (("", 0),)
    return site if ns * 2 > sum(split.states.values()) else ""


def _contended_ns(facts: Facts, row: LockRow) -> int:
    """From the first wait for the lock to the end of the last one."""
    _, begins, ends = facts.waits_of(row)
    return max(max(ends) - begins[0], 1)


def _longest_wait(facts: Facts, row: LockRow) -> Evidence:
    model, table = facts.model, facts.model.states
    waits, begins, ends = facts.waits_of(row)
    if not waits:
        return Evidence(model.start_ns, 0, "", site=row.site, lock=row.lock, pid=row.pid)
    lasted = [*map(sub, ends, begins)]
    longest = waits[lasted.index(max(lasted))]
    is_task = table.state[longest] & STATE_MASK == TASK_WAIT
    who: Who = ("task" if is_task else "thread", table.who[longest])
    found = facts.evidence(who, table.start_ns[longest], facts.row_ns(longest), row.site)
    return found._replace(lock=row.lock)


def held_across_await(facts: Facts) -> Iterator[Finding]:
    """A lock of tasks whose owner awaits something else while others wait for the lock."""
    for row in _often_waited_for(facts, _AWAITED_NS, _AWAITED):
        waits, total = row.waits.count, row.waits.total_ns
        if row.kind not in _OF_TASKS or total < _AWAITED_NS or not _is_often(row, _AWAITED):
            continue
        if total * _PART < _lives_of_waiters(facts, row):
            continue
        holds = _holds(facts, row)
        awaited, what, is_for_client = _awaited_while_held(facts, holds)
        held = facts.total_ns(holds)
        if not holds or mostly_blocked(facts, _kept(facts, holds)):
            continue
        if row.holds.max_ns * 2 > held and row.waits.max_ns < _ONCE_NS:
            continue
        if is_duty(LongWaits.of(facts), _kept(facts, holds), facts.waits_of(row)[0]):
            continue
        if awaited * 2 < held:
            if total >= LOST_NS:
                yield from _held_while_ready(facts, row, holds, held)
            continue
        holder, where = row.holders[0], f" ({place(what[1])})" if what[1] else ""
        where += _NOT_READ if is_for_client else ""
        text = (
            f"{code(holder.who, holder.site)} holds {_a(row.kind)} across "
            f"`{what[0]}`{where}: for {share(awaited, held)} of the time it is held; the "
            f"longest hold took {duration(row.holds.max_ns)}. Meanwhile others queue for it: "
            f"{plural(waits, 'wait')}, {duration(total)} summed over all of them, the longest "
            f"{duration(row.waits.max_ns)}."
        )
        lost = total * awaited // held
        evidence = _longest_wait(facts, row)
        step = _LESS_ASLEEP if what[0] == _SLEEP else _LESS_AWAITED
        step = _DROP if is_for_client else step
        yield Finding("lock held across await", lost, text, evidence, step)


def _held_while_ready(
    facts: Facts, row: LockRow, holds: list[int], held: int
) -> Iterator[Finding]:
    """The owner could run on, but the loop runs others before it: many short steps."""
    slices, owner = facts.model.trace.slices, facts.model.owners.owner
    kept = _kept(facts, holds)
    ready = defaultdict[int, list[int]](list)
    tasks = {task for task, _, _ in kept}
    for i in longest_slices(facts, (READY,), _READY_NS, _MOST_READY):
        if owner[i] in tasks:
            ready[owner[i]].append(i)
    late = sum(
        max(min(slices.end_ns[i], until) - max(slices.start_ns[i], since), 0)
        for task, since, until in kept
        for i in ready[task]
    )
    holder = row.holders[0]
    coroutines = facts.tasks.at_least("ready_ns", late)
    of_holder = next((one for one in coroutines if one.coro == holder.who), None)
    if of_holder is None or late * 2 < held:
        return
    ran = next((one for one in of_holder.delayed_by if one.kind == "task"), None)
    if ran is None or ran.who == holder.who:
        return
    who = code(holder.who, holder.site or of_holder.site)
    text = (
        f"{who} holds {_a(row.kind)} while it waits for its turn to "
        f"run, behind {code(ran.who, ran.site)}: for {share(late, held)} of the time it is "
        f"held; the longest hold took {duration(row.holds.max_ns)}. Meanwhile others queue "
        f"for it: {plural(row.waits.count, 'wait')}, {duration(row.waits.total_ns)} summed "
        f"over all of them, the longest {duration(row.waits.max_ns)}."
    )
    lost = row.waits.total_ns * late // held
    evidence = _longest_wait(facts, row)
    yield Finding("lock held across await", lost, text, evidence, _LESS_OFTEN)


def _kept(facts: Facts, holds: list[int]) -> list[tuple[int, int, int]]:
    """(task, begin, end) of the holds that are known to be of tasks."""
    table = facts.model.states
    return [
        (task, table.start_ns[hold], table.end_ns[hold])
        for hold in holds
        if (owner := table.owner[hold]) >= 0
        and table.owner_is_task[owner]
        and (task := facts.ledger.task_of(table.owner_process[owner], table.owner_id[owner]))
        >= 0
    ]


def _a(kind: str) -> str:
    return f"an {kind}" if kind.startswith("a") else f"a {kind}"


def _lives_of_waiters(facts: Facts, row: LockRow) -> int:
    """The total lifetime of the tasks that ever waited for the lock."""
    who = facts.model.states.who
    return sum(map(facts.life_ns, {who[wait] for wait in facts.waits_of(row)[0]}))


def _awaited_while_held(facts: Facts, holds: list[int]) -> tuple[int, tuple[str, str], bool]:
    """How long the owners awaited something while holding the lock; mostly what, and where;
    and whether that is for room in what is sent to somebody."""
    model = facts.model
    kept = _kept(facts, holds)
    by_task = facts.awaits({task for task, _, _ in kept})
    starts, ends = model.trace.slices.start_ns, model.trace.slices.end_ns
    total, sums, one = 0, Counter[tuple[str, str]](), dict[tuple[str, str], int]()
    for task, since, until in kept:
        awaits = by_task.get(task, [])
        for at in range(bisect_right(awaits, since, key=ends.__getitem__), len(awaits)):
            i = awaits[at]
            if starts[i] >= until:
                break
            ns = min(ends[i], until) - max(starts[i], since)
            total += ns
            sums[facts.awaited(i)] += ns
            one[facts.awaited(i)] = i
    worst = max(sums, key=lambda key: (sums[key], key)) if sums else ("", "")
    return total, worst, worst in one and is_for_room(facts, one[worst])
