"""Answers: whose waits somebody ended, and which of its own waits were for requests."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from itertools import islice, pairwise
from typing import NamedTuple, Self

from tracer import schema as s
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.waits import GETS, Wait, Waits
from viewer.analysis.waited import For, waited_for
from viewer.trace.columns import IDLE_WAIT, LOCK_WAIT, LOOP_TASK, SLEEP, STATE_MASK

# In what one waits for an answer.
_ANSWERS = (
    "Event.wait", "Event", "Condition.wait", "Future.result", "future", *GETS,
)  # fmt: skip
# Whoever asks waits for the answer within 5 ms. So do four of five whose wake-ups ended a wait
# of the one who answers.
_ASKS_NS = 5_000_000
_MOSTLY = 4
# Whoever sleeps once for each answer works on it; a clock sleeps until it is time for one.
_STEADY = 7, 10
_MOST, _OF_ALL = 2_000, 10_000  # waits that are looked at: of one, and in all

type Idle = list[tuple[int, int]]


class Answers(dict[Who, list[Wait]]):
    """By thread or task the waits of others that it ended with an answer, in order of their
    ends: those in objects each of which was made for one wait."""

    @classmethod
    def of(cls, waits: Waits) -> Self:
        """Those of a model, found once."""
        return waits.model.derive(cls, lambda: cls(waits))

    def __init__(self, waits: Waits) -> None:
        super().__init__()
        self.left = _OF_ALL
        for wait in waits.all:
            if wait.failed or wait.name not in _ANSWERS or wait.ender in (None, wait.who):
                continue
            if wait.ender is not None and waits.is_for_one(wait):
                self.setdefault(_who_ended(waits, wait, wait.ender), []).append(wait)
        for ended in self.values():
            ended.sort(key=lambda wait: wait.end_ns)


def _who_ended(waits: Waits, wait: Wait, ender: Who) -> Who:
    """Who did; of a loop's thread that ended the wait of another thread, the running task."""
    reading, owned = waits.reading, waits.model.owners
    if ender[0] == wait.who[0] == "thread" and ender[1] in reading.ledger.lane_of_thread:
        at_ns = reading.ledger.released_ns(wait.row)
        step = reading.on_loop_at(ender[1], at_ns) if at_ns >= 0 else -1
        if step >= 0 and owned.kind[step] == LOOP_TASK:
            return "task", owned.owner[step]
    return ender


class _Own(NamedTuple):
    """A wait of somebody who answers others."""

    start_ns: int
    end_ns: int
    place: tuple[str, str]  # what it waits in, and the line
    by: Who | None
    is_sleep: bool


def asked(waits: Waits, who: Who, answered: list[Wait]) -> Idle:
    """When somebody who answers others waited for requests: at the lines at which waits ended
    since somebody came who then waited for the answer. Nothing where those whom it answers
    mostly went on with something else, or answer it, or where it is a clock that they set."""
    asks = defaultdict[Who, list[int]](list)
    for wait in sorted(answered, key=lambda wait: wait.start_ns):
        asks[wait.who].append(wait.start_ns)
    every = Answers.of(waits)
    own = [*islice(_own(waits, who), max(every.left, 0))]
    every.left -= len(own)
    places, others = Counter[tuple[str, str]](), 0
    for one in own:
        begins = asks.get(one.by) if one.by is not None else None
        if begins is not None:
            at = bisect_left(begins, one.end_ns - _ASKS_NS)
            if at < len(begins) and begins[at] <= one.end_ns + _ASKS_NS:
                places[one.place] += 1
            else:
                others += 1
    if places.total() <= others * _MOSTLY or _are_answered(waits, who, answered):
        return []
    idle = [(one.start_ns, one.end_ns) for one in own if one.place in places]
    sleeps = [one.start_ns for one in own if one.is_sleep and one.place not in places]
    return [] if sleeps and _is_clock(answered, sleeps) else idle


def _are_answered(waits: Waits, who: Who, answered: list[Wait]) -> bool:
    """Whether those whom it answers as often answer it: then they work for it, and wait for
    the next job."""
    every, clients = Answers.of(waits), {wait.who for wait in answered}
    back = sum(one.who == who for other in clients for one in every.get(other, ()))
    return back * _MOSTLY >= len(answered)


def _is_clock(answered: list[Wait], sleeps: list[int]) -> bool:
    """Whether it slept more often before one answer than before another."""
    ends = [wait.end_ns for wait in answered]
    at = [bisect_left(sleeps, end_ns) for end_ns in ends]
    times = Counter(later - sooner for sooner, later in pairwise(at))
    return times.most_common(1)[0][1] * _STEADY[1] < times.total() * _STEADY[0]


def _own(waits: Waits, who: Who) -> Iterator[_Own]:
    return _of_thread(waits, who[1]) if who[0] == "thread" else _of_task(waits, who[1])


def _of_thread(waits: Waits, thread: int) -> Iterator[_Own]:
    reading, table = waits.reading, waits.model.states
    rows = reading.ledger.rows_of_threads
    for row in rows.of(thread)[:_MOST]:
        state, waker = table.state[row] & STATE_MASK, table.waker[row]
        if state == SLEEP:
            yield _Own(table.start_ns[row], table.end_ns[row], ("", ""), None, True)
        elif state in (LOCK_WAIT, IDLE_WAIT):
            by: Who | None = ("thread", waker) if waker >= 0 else None
            yield _Own(table.start_ns[row], table.end_ns[row], reading.wait(row), by, False)


def _of_task(waits: Waits, task: int) -> Iterator[_Own]:
    reading, slices = waits.reading, waits.model.trace.slices
    for i in reading.awaits_of_task(task)[:_MOST]:
        what, site = reading.awaited(i)
        name = what.removeprefix(s.AWAIT_PREFIX)
        on = waits.tree.ended_by(task, i).on if waited_for(name) is For.HERE else None
        by: Who | None = ("task", on[1]) if on is not None and on[0] == "task" else None
        yield _Own(slices.start_ns[i], slices.end_ns[i], (name, site), by, name == s.SLEEP)


def takes(waits: Waits, awaits: Collection[int]) -> Idle:
    """When a task waited for what is in a queue, of its awaits."""
    slices = waits.model.trace.slices
    return [
        (slices.start_ns[i], slices.end_ns[i]) for i in awaits if waits.reading.what(i) in GETS
    ]
