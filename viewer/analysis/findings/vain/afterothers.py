"""Waits before whose end something else came first: whoever ended them served others, or went
on with what it had begun before. What the waits are for does not matter."""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from operator import attrgetter
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.holders import WORKER_IDLE
from viewer.analysis.ledger.jobs import Job
from viewer.analysis.locks import ENDS
from viewer.analysis.resources.waits import GETS, LOCKS, PUTS, Wait
from viewer.analysis.waited import FOR_TASKS, For, waited_for
from viewer.trace.columns import AWAIT, IDLE_WAIT, IO, LOCK_WAIT, SLEEP, STATE_MASK
from viewer.trace.sites import is_library, place_of
from viewer.words import code

LONG_WAITS = "long waits"
# A second in all, a quarter of a second at once: of 177 healthy programs none comes near that
# but those that start all their work at the same moment, and wait for a slot by design.
_LOST_NS = 1_000 * MS
_WORST_NS = 250 * MS
_WAIT_NS = 50 * MS
_PART = 3, 10  # of a wait
_OF_LIVES = 10  # a tenth of the lives of those who wait: else it is one bad moment
_AT_ONCE = 2, 10  # of the time from the first wait's begin to the last one's end
# What ends together was ended by one event: nobody came first.
_TOGETHER_NS = 10 * MS
_BEFORE_NS = 1 * MS
# Whoever is idle for a fifth of the time waits for something itself, such as an answer that it
# hands on.
_IDLE = 5
_LOOKED_AT = 10  # the longest waits of a line
_ROWS = 200  # of a thread or task in a wait
_MOST = 500  # waits that are looked at, the longest ones
# Taken and given back, one after the other.
SLOTS = (*LOCKS, "Semaphore", "BoundedSemaphore", "CapacityLimiter",
         "connection pool", *PUTS)  # fmt: skip
# Whoever waits for an end waits for all that comes before it.
_ENDS = (*ENDS, *FOR_TASKS)
_RESULTS = ("Future.result", "AsyncResult", "executor (")
_PLAIN = "executor"
_SET = ("Event", "Condition")  # one may open a gate for the other, once
_RECEIVES = ("recv", "accept", "select", "poll", "os.read", "readline")
_BY_END = attrgetter("end_ns")
_STEP = (
    "Look at what came first: make it shorter, give it a thread, task or slot of its own, or "
    "let more be served at once."
)


def is_result(name: str) -> bool:
    """Whether a wait of this name is for the result of a job."""
    return name == _PLAIN or name.startswith(_RESULTS)


class _Late(NamedTuple):
    """A wait, and for how long of it something else came first; `is_alike`: a wait at the
    same line did."""

    wait: Wait
    ns: int
    is_alike: bool


def after_others(facts: Facts) -> Iterator[Finding]:
    """Waits of one line that something else came before."""
    waits = LongWaits.of(facts)
    by_line = defaultdict[tuple[str, str], list[_Late]](list)
    busy = _Busy(facts)
    for late in _late(waits, busy):
        by_line[late.wait.name, late.wait.site].append(late)
    for found in by_line.values():
        if _is_fault(facts, busy, found) and _matters(waits, found):
            yield _finding(facts, waits, found)


def _late(waits: LongWaits, busy: "_Busy") -> Iterator[_Late]:
    ended = defaultdict[tuple[str, object], list[Wait]](list)
    for wait in sorted(waits.all, key=_BY_END):
        if wait.ender is not None and wait.ender != wait.who and not wait.failed:
            ended["ender", wait.ender].append(wait)
            if wait.lock >= 0:
                ended["lock", wait.lock].append(wait)
    long = [wait for wait in waits.all if wait.end_ns - wait.start_ns >= _WAIT_NS]
    if len(long) > _MOST:
        long.sort(key=lambda wait: wait.start_ns - wait.end_ns)
    for wait in long[:_MOST]:
        is_known = wait.ender is not None and wait.ender != wait.who and not wait.failed
        if not is_known or wait.name.startswith(_ENDS):
            continue
        if not wait.site or is_library(wait.site):
            continue
        is_slot = wait.name.startswith(SLOTS)
        if not (is_slot or is_result(wait.name) or waits.is_for_one(wait)):
            continue
        key = ("lock", wait.lock) if is_slot and wait.lock >= 0 else ("ender", wait.ender)
        last = _last_before(ended[key], wait)
        until = last.end_ns if last is not None else 0
        other = 0 if is_slot else busy.until(wait)
        ns = max(until, other) - wait.start_ns
        if ns * _PART[1] >= wait.ns * _PART[0]:
            is_alike = last is not None and until >= other and last.site == wait.site
            yield _Late(wait, ns, is_alike)


def _last_before(those: list[Wait], wait: Wait) -> Wait | None:
    """The last of others, of those in order of their ends, that got what they waited for."""
    place = bisect_left(those, wait.end_ns - _TOGETHER_NS, key=_BY_END) - 1
    while place >= 0 and those[place].end_ns > wait.start_ns:
        if those[place].who != wait.who:
            return those[place]
        place -= 1
    return None


class _Busy:
    """What those who ended waits were in when these began."""

    def __init__(self, facts: Facts) -> None:
        self.facts, self.model, self.ledger = facts, facts.model, facts.ledger
        self._takes = dict[Who, bool]()
        self.jobs = defaultdict[int, list[Job]](list)
        for job in facts.jobs.all:
            self.jobs[job.thread].append(job)

    def until(self, wait: Wait) -> int:
        """When a wait or call ended that the one who ended `wait` had begun before; 0 none."""
        assert wait.ender is not None
        kind, which = wait.ender
        rows = self.ledger.rows_of_threads if kind == "thread" else self.ledger.rows_of_tasks
        before = rows.begun(which, 0, wait.start_ns - _BEFORE_NS + 1)
        place = before[-1] if before else -1
        if place < 0 or not wait.start_ns < rows.end_ns[place] <= wait.end_ns + _BEFORE_NS:
            return 0
        is_job = is_result(wait.name)
        if is_idle(self.facts, kind, rows.row[place], is_job=is_job):
            return 0
        if is_job and which in self.jobs and kind == "thread":
            return self._other_job(wait, which, rows.end_ns[place])
        if is_asleep(self.facts, kind, rows.row[place]) and not self.takes(wait.ender):
            return 0
        return min(rows.end_ns[place], wait.end_ns)

    def takes(self, who: Who) -> bool:
        """Whether it waits for requests at times, as those do who serve others; whoever only
        sleeps in between ends waits when it is time to, as a clock does."""
        if who not in self._takes:
            self._takes[who] = any(
                is_idle(self.facts, who[0], row, is_job=False)
                for row in first_rows(self.facts, who)
            )
        return self._takes[who]

    def _other_job(self, wait: Wait, thread: int, end_ns: int) -> int:
        """The same, in a job that somebody else submitted: nobody waits behind himself."""
        mine = self.jobs[thread]
        at_ = bisect_right(mine, wait.start_ns, key=lambda job: job.began_ns) - 1
        if at_ < 0 or mine[at_].submitter in (None, wait.who):
            return 0
        return min(end_ns, wait.end_ns) if mine[at_].ended_ns < wait.end_ns else 0


def first_rows(facts: Facts, who: Who) -> Iterator[int]:
    """The first rows of its states in which a thread or task waits."""
    kind, which = who
    rows = facts.ledger.rows_of_threads if kind == "thread" else facts.ledger.rows_of_tasks
    waits = (AWAIT,) if kind == "task" else (LOCK_WAIT, IDLE_WAIT, IO)
    states = facts.model.owners.kind if kind == "task" else facts.model.states.state
    for row in rows.of(which)[:_ROWS]:
        if states[row] & STATE_MASK in waits:
            yield row


def is_asleep(facts: Facts, kind: str, row: int) -> bool:
    if kind == "thread":
        return facts.model.states.state[row] & STATE_MASK == SLEEP
    is_wait = facts.model.owners.kind[row] == AWAIT
    return is_wait and facts.awaited(row)[0] == f"{s.AWAIT_PREFIX}{s.SLEEP}"


def is_idle(facts: Facts, kind: str, row: int, *, is_job: bool) -> bool:
    """Whether one waits for what others give it, or for nothing that blocks."""
    table, owned = facts.model.states, facts.model.owners
    if kind == "task":
        if owned.kind[row] != AWAIT:
            return True
        name = facts.what(row)
        return name in (*GETS, "socket") or waited_for(name) is For.CALLERS
    state = table.state[row] & STATE_MASK
    if state in (LOCK_WAIT, IDLE_WAIT):
        name = facts.wait(row)[0]
        return name in GETS or f"{s.LOCK_WAIT_PREFIX}{name}" == WORKER_IDLE
    if state == IO and not is_job:
        return any(word in facts.call(table.row[row])[0] for word in _RECEIVES)
    return state not in (IO, SLEEP)


def _is_fault(facts: Facts, busy: _Busy, found: list[_Late]) -> bool:
    worst, lost = max(late.wait.ns for late in found), sum(late.ns for late in found)
    if lost < _LOST_NS or worst < _WORST_NS:
        return False
    wait, whos = found[0].wait, {late.wait.who for late in found}
    if is_result(wait.name) and len(whos) == 1 < len(found):
        return False  # it waits for its own jobs, one after the other
    if wait.name.startswith(_SET) and len(found) == 1:
        return False
    if _is_batch(found):
        return False
    if wait.name.startswith(SLOTS):
        return True
    longest = sorted(found, key=lambda late: -late.ns)[:_LOOKED_AT]
    ended = Counter(late.wait.ender for late in found)
    idle = 0
    for late in longest:
        assert late.wait.ender is not None
        is_clock = ended[late.wait.ender] > 1 and not busy.takes(late.wait.ender)
        idle += _idle_ns(facts, late, is_clock=is_clock)
    return idle * _IDLE < sum(late.ns for late in longest)


def _is_batch(found: list[_Late]) -> bool:
    """Whether all begin at once, and wait for each other: their order does not matter."""
    first = min(late.wait.start_ns for late in found)
    last = max(late.wait.start_ns for late in found)
    end = max(late.wait.end_ns for late in found)
    alike = sum(late.ns for late in found if late.is_alike)
    at_once = (last - first) * _AT_ONCE[1] < (end - first) * _AT_ONCE[0]
    return at_once and alike * 2 >= sum(late.ns for late in found)


def _matters(waits: LongWaits, found: list[_Late]) -> bool:
    lives = sum(
        waits.ends_ns(who) - waits.begins_ns(who) for who in {late.wait.who for late in found}
    )
    return sum(late.ns for late in found) * _OF_LIVES >= lives


def _idle_ns(facts: Facts, late: _Late, *, is_clock: bool) -> int:
    """How long the one who ended a wait was idle before that; a clock also while asleep."""
    assert late.wait.ender is not None
    kind, which = late.wait.ender
    rows = facts.ledger.rows_of_threads if kind == "thread" else facts.ledger.rows_of_tasks
    low, high = rows.offset[which], rows.offset[which + 1]
    start, end = late.wait.start_ns, late.wait.start_ns + late.ns
    place = bisect_right(rows.end_ns, start, low, high)
    is_job, met = is_result(late.wait.name), 0
    blocked = (AWAIT,) if kind == "task" else (LOCK_WAIT, IDLE_WAIT, IO, SLEEP)
    states = facts.model.owners.kind if kind == "task" else facts.model.states.state
    for at_ in range(place, min(high, place + _ROWS)):
        if rows.start_ns[at_] >= end:
            break
        row = rows.row[at_]
        if states[row] & STATE_MASK not in blocked:
            continue
        if is_idle(facts, kind, row, is_job=is_job) or (
            is_clock and is_asleep(facts, kind, row)
        ):
            met += min(rows.end_ns[at_], end) - max(rows.start_ns[at_], start)
    return met


def _finding(facts: Facts, waits: LongWaits, found: list[_Late]) -> Finding:
    model = facts.model
    worst = max((late.wait for late in found), key=lambda wait: wait.ns)
    lost, total = sum(late.ns for late in found), sum(late.wait.ns for late in found)
    times, enders = list[tuple[Who, int, int]](), Counter[Who]()
    for late in found:
        assert late.wait.ender is not None
        times.append((late.wait.ender, late.wait.start_ns, late.wait.end_ns))
        enders[late.wait.ender] += late.ns
    now, who = mostly(facts, times), users(model, enders)
    ended = f"{who}, which ended {'it' if len(found) == 1 else 'them'},"
    if worst.name.startswith(SLOTS):
        first = "others got it first"
        first += f"; {ended} spent {now.text}" if now.text else ""
    else:
        first = (
            f"something else came first: {ended} served others or went on with what "
            f"{'it' if len(enders) == 1 else 'they'} had begun before"
        )
        first += f", {now.text}" if now.text else ""
    text = (
        f"Long waits: {users(model, (late.wait.who for late in found))}{place_in(worst.site)} "
        f"waited {duration(total)} in total in `{worst.name}`{_taken_in(worst)} "
        f"({plural(len(found), 'wait')}, the longest {duration(worst.ns)}, "
        f"{at(facts, worst.start_ns)}), and for {duration(lost)} of that {first}."
    )
    return Finding(LONG_WAITS, lost, text, waits.evidence(worst), _STEP, behind=now.behind)


def _taken_in(wait: Wait) -> str:
    """` of `Handler.handle` (logging/__init__.py:1025)`, of a library's own lock."""
    taker = wait.stack[0] if wait.stack else ""
    is_its = wait.name in LOCKS and is_library(taker)
    return f" of {code(place_of(taker).function, taker)}" if is_its else ""
