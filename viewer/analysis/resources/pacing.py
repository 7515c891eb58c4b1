"""Whether a semaphore only paces those who wait for it, or is kept for longer than needed; and
whether a lock is a duty of one, for whom others stand by."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from functools import partial
from itertools import islice, pairwise, repeat, starmap, takewhile

from tracer.units import MS
from viewer.analysis.causes.part import Kind
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.resource import Hold
from viewer.analysis.resources.slots import HOME_MADE, Group
from viewer.analysis.resources.takers import is_further_on
from viewer.analysis.resources.waits import Wait, Waits
from viewer.analysis.waited import For, waited_for
from viewer.trace.columns import AWAIT
from viewer.trace.sites import is_library, own_frames

# Short jobs behind long ones: ten times as long, and nobody got a slot for most of the wait.
_LONGER = 10
_STILL = 8, 10
_APART_NS = 5 * MS
_ONE_BY_ONE = 8
_SOME = 40  # holds that are looked at
_LOOKED = 200  # waits that are
# Who leads beats ten times or more, and ends when it gives the lock back. Those who stand by
# from its first tenth on run the same, and then have it for a twentieth of that time at most.
_BEATS = 10
_LEADS = 19, 20
_FROM_THE_FIRST = 10
_THEN_NS = 50 * MS
_RETRIES = ("-packages/tenacity/", "-packages/backoff/", "-packages/stamina/")


def is_batch(waits: Waits, group: Group) -> bool:
    """Whether a semaphore, or what is like one, only paces tasks that one other task made and
    waits for."""
    if group.pool.slot != "permit" and group.pool != HOME_MADE:
        return False
    owned, sites = waits.model.owners, {wait.site for wait in group.waits}
    parents = {
        owned.task_parent[which] if kind == "task" else -1
        for kind, which in (wait.who for wait in group.waits)
    }
    is_of_one = len(sites) == 1 and len(parents) == 1 and -1 not in parents
    return is_of_one and not come_over_time(waits, group.waits)


def come_over_time(waits: Waits, those: list[Wait]) -> bool:
    """Whether the waiters were made one by one, and some of them when others had got a slot
    and given it back: as requests come, not as a batch."""
    owned, starts = waits.model.owners, waits.model.trace.slices.start_ns
    tasks = {which for _, which in (wait.who for wait in those)}
    births = sorted(starts[owned.task_head[task]] for task in tasks)
    apart = sum(b - a >= _APART_NS for a, b in pairwise(births))
    first_ns = min(wait.end_ns for wait in those)
    late = len(births) - bisect_right(births, first_ns)
    return apart >= _ONE_BY_ONE and late * 2 >= len(births)


def is_duty(waits: Waits, holds: list[tuple[int, int, int]], waited: Iterable[int]) -> bool:
    """Whether one task has a lock (holds of tasks, from and until when) for as long as it is
    there, and does the same again and again, while others that run the same have waited (rows)
    since it began, and do nothing with the lock once it is theirs."""
    if not holds:
        return False
    task, since, until = max(holds, key=lambda hold: hold[2] - hold[1])
    ns, held = until - since, sum(end - begin for _, begin, end in holds)
    is_last = 0 <= waits.ends_ns(("task", task)) - until <= _THEN_NS
    if not is_last or ns * _LEADS[1] < held * _LEADS[0]:
        return False
    table, owned = waits.model.states, waits.model.owners
    group, from_the_first = owned.task_group, since + ns // _FROM_THE_FIRST
    if any(
        table.start_ns[row] > from_the_first or group[table.who[row]] != group[task]
        for row in waited
    ):
        return False
    kind, starts = owned.kind, waits.model.trace.slices.start_ns
    beats = Counter(
        waits.reading.awaited(i)
        for i in waits.reading.ledger.rows_of_tasks.of(task)
        if kind[i] == AWAIT and since <= starts[i] < until
    )
    return max(beats.values(), default=0) >= _BEATS


def stands_by(waits: Waits, times: list[tuple[Who, int, int]]) -> bool:
    """Whether tasks await an answer (from when to when) that another one, which runs the same,
    has got: it is further on in a function in which they wait, and does the same there again
    and again until they end, who do nothing more, though no time limit ended their waits."""
    group, asking = waits.model.owners.task_group, {who for who, _, _ in times}
    (kind, first), since, _ = times[0]
    until = max(end_ns for _, _, end_ns in times)
    if kind != "task" or not all(starmap(partial(_is_last, waits), times)):
        return False
    frames = own_frames(waits.reading.stack(_await_at(waits, first, since)).split("\n"))
    living = (
        task
        for task, its in enumerate(group)
        if its == group[first] and ("task", task) not in asking
        if waits.ends_ns(("task", task)) >= until - _THEN_NS
    )
    return any(_leads(waits, task, frames, since, until) for task in islice(living, _LOOKED))


def _is_last(waits: Waits, who: Who, start_ns: int, end_ns: int) -> bool:
    """Whether a task ends soon after its wait, which it did not limit."""
    last = _await_at(waits, who[1], end_ns - 1)
    how = waits.tree.ended_by(who[1], last).kind
    is_soon = (waits.ends_ns(who) - end_ns) * _FROM_THE_FIRST <= end_ns - start_ns
    return how is not Kind.TIMEOUT and is_soon


def _await_at(waits: Waits, task: int, at_ns: int) -> int:
    """The slice in which a task is at a moment."""
    rows = waits.reading.ledger.rows_of_tasks
    return rows.row[rows.begun(task, 0, at_ns + 1)[-1]]


def _leads(waits: Waits, task: int, frames: list[str], since: int, until: int) -> bool:
    """Whether a task is further on in one of these functions, in ever the same await from
    early on."""
    reading, starts = waits.reading, waits.model.trace.slices.start_ns
    there = [
        i
        for i in reading.awaits_of_task(task)
        if since <= starts[i] < until
        if any(is_further_on(frame, tuple(reading.stack(i).split("\n"))) for frame in frames)
    ]
    beats = Counter(map(reading.awaited, there)).values()
    is_early = bool(there) and (starts[there[0]] - since) * _FROM_THE_FIRST <= until - since
    return is_early and max(beats) >= _BEATS


def is_held_up(waits: Waits, group: Group) -> bool:
    """Whether short jobs of a batch wait for long ones: most of the loss is theirs who waited
    while nobody got a slot, each time ten times as long as they then needed theirs."""
    ends = sorted(wait.end_ns for wait in group.waits)
    looked = group.waits[:: len(group.waits) // _LOOKED + 1]
    lost = sum(wait.ns for wait in looked if _stands_still(ends, wait, waits))
    return lost * 2 >= sum(wait.ns for wait in looked)


def _stands_still(ends: list[int], wait: Wait, waits: Waits) -> bool:
    """Whether others got slots seldom while somebody waited who needed one for a moment."""
    needed_ns = waits.ends_ns(wait.who) - wait.end_ns
    met = ends[bisect_right(ends, wait.start_ns) : bisect_right(ends, wait.end_ns)]
    pauses = (end - start for start, end in pairwise([wait.start_ns, *met]))
    still_ns = sum(pause for pause in pauses if pause >= needed_ns * _LONGER)
    return still_ns * _STILL[1] >= wait.ns * _STILL[0]


def sleep_with_one(waits: Waits, holds: list[Hold]) -> bool:
    """Whether those who have a slot keep it asleep: once their work is done (they wait for
    something outside first, and then sleep for most of the time), or between attempts."""
    longest = sorted(holds, key=lambda hold: hold.start_ns - hold.end_ns)[:_SOME]
    awaits = [_awaits_in(waits, hold) for hold in longest]
    last = sum(map(_sleeps_last, repeat(waits), longest, awaits))
    between = sum(map(_backs_off, repeat(waits), longest, awaits))
    return last * _STILL[1] >= len(longest) * _STILL[0] or between * 2 >= len(longest)


def _awaits_in(waits: Waits, hold: Hold) -> list[int]:
    """The awaits of a task that begin while it has a slot."""
    kind, task = hold.who
    if kind != "task":
        return []
    rows = waits.reading.ledger.rows_of_tasks
    begun = (rows.row[n] for n in rows.begun(task, hold.start_ns, hold.end_ns))
    return [i for i in begun if waits.model.owners.kind[i] == AWAIT]


def _sleeps_last(waits: Waits, hold: Hold, awaits: list[int]) -> bool:
    kinds = [waited_for(waits.reading.what(i)) for i in awaits]
    if For.OUTSIDE not in kinds or kinds[-1] is not For.CLOCK:
        return False
    return _is_half(waits, awaits[-1], hold)


def _backs_off(waits: Waits, hold: Hold, awaits: list[int]) -> bool:
    """Whether a library that tries again sleeps for most of the time."""
    return any(_is_half(waits, i, hold) and _of_retries(waits, i) for i in awaits)


def _is_half(waits: Waits, i: int, hold: Hold) -> bool:
    return waits.reading.slice_ns(i) * 2 >= hold.ns


def _of_retries(waits: Waits, i: int) -> bool:
    """Whether such a library itself sleeps, not what it calls."""
    if waited_for(waits.reading.what(i)) is not For.CLOCK:
        return False
    frames = waits.reading.stack(i).split("\n")
    inner = takewhile(is_library, frames)
    return any(library in frame for frame in inner for library in _RETRIES)
