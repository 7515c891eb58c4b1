"""Equal awaits one after the other: to be gathered, or kept waiting by the other side."""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain, pairwise
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, duration
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.findings.pools.otherjobs import pools_of_connections
from viewer.analysis.ledger.resource import covers
from viewer.analysis.resources.connections import is_for_room, is_input
from viewer.analysis.resources.cuts import Cuts
from viewer.analysis.resources.waits import longest_slices
from viewer.trace.columns import AWAIT
from viewer.trace.sites import is_library, place_of
from viewer.words import code

# Whether one await needs the result of the one before, no trace can tell. So this is advice:
# only where a function below the task's own calls the same helper from one line at least five
# times, which is most of the life of two tasks or more that end by themselves, and where
# gathering would have saved half a second in all. A client that makes one request after the
# other does so in the task's own function, which no framework calls: anyio only wraps it.
_TIMES = 5
_OWN_TASK, _HANDLER = 3, 2
_WRAPS = "/anyio/"
_TOGETHER = {
    "task": "`await asyncio.gather(...)`",
    "trio task": "a nursery with a task for each",
    "greenlet": "`gevent.joinall(...)`",
}
_MOSTLY = 8, 10
# Of one task alone, ten calls one after the other, a second in all; and each call must await
# twice, or hand its work to a thread or a process: whoever awaits once and again at one line
# may listen.
_ALONE, _ALONE_NS = 10, 1_000 * MS
_ASKS = ("executor", "subprocess")
_LONG_NS = MS
_MOST = 2_000
# A query for each row of another one needs no such caution: twenty from one line, of 2 ms or
# more on average, and next to no other awaits in between. They cost half a second, and half of
# the time from the first to the last: an ORM has its own to do with each.
_QUERIES, _QUERY_NS = 20, 2 * MS
_BY_THREAD = "executor ("  # aiosqlite has a thread for its queries
_QUERY = ("query (", _BY_THREAD)
# psycopg looks every 100 ms whether the server has told something: nothing is asked.
_LISTENS = "Connection.notifies"
_TIMED = ("sleep", "socket", "future", *_ASKS)
# Or the task takes what others send: it waits for that in the end, and between its calls only
# after a tenth of them at most, so the next message was mostly there; or another one waits for
# room to send it.
_CALLS = tuple(f"{what} (" for what in s.LIBRARY_OUTSIDE if what not in ("send", "close"))
_SELDOM = 10
# Answers of servers may be asked for at once, as well; each call asks, so it does not listen.
_ANSWERS = tuple(f"{what} (" for what in ("response", "command", "DNS"))
_GATHERED = (*_TIMED, *_ANSWERS)


def awaits_in_turn(facts: Facts) -> Iterator[Finding]:
    """Equal awaits one after the other that could have been gathered."""
    model = facts.model
    rows = longest_slices(facts, (AWAIT,), _LONG_NS, _MOST)
    by_place: dict[tuple[int, str, str], list[int]] = defaultdict(list)
    for i in rows:
        task, places = model.owners.owner[i], _loops(facts, i)
        if task >= 0 and places is not None:
            by_place[task, *places].append(i)
    saved, times = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    example: dict[tuple[str, str], tuple[int, list[int], int]] = {}
    yield from _queries(facts, rows)
    for (task, helper, caller), found in by_place.items():
        ns = [facts.slice_ns(i) for i in found]
        if _is_served(facts, found, sum(ns)):
            yield served_in_turn(facts, task, helper, caller, found)
            continue
        with_connects = sum(ns)  # the first calls may also connect
        found = [i for i in found if _can_be_gathered(facts, i)]
        if not found:
            continue
        ns = [facts.slice_ns(i) for i in found]
        is_row = _is_row(facts, found, sum(ns))
        is_most = sum(ns) * 2 >= with_connects and is_its_life(facts, task, with_connects)
        is_life = len(found) >= _TIMES and is_most
        if (not is_row and not is_life) or _are_cut(facts, task, found):
            continue
        saved[helper, caller] += sum(ns) - max(ns)
        times[helper, caller] += 2 if is_row else 1
        example.setdefault((helper, caller), (task, found, sum(ns)))
    for at_place, lost in saved.items():
        if lost >= LOST_NS and times[at_place] > 1:
            task, awaits, total = example[at_place]
            yield _finding(facts, *at_place, lost, task, awaits, total)


def _are_cut(facts: Facts, task: int, found: list[int]) -> bool:
    """Whether half of these awaits ended by a time-out or the like: they are attempts."""
    cuts = Cuts.of(LongWaits.of(facts))
    return sum(cuts.cut(task, i) is not None for i in found) * 2 >= len(found)


def _can_be_gathered(facts: Facts, i: int) -> bool:
    return facts.what(i).startswith(_GATHERED)


def _queries(facts: Facts, rows: memoryview) -> Iterator[Finding]:
    """One query after the other from one line, as for each row of another one."""
    slices, owner = facts.model.trace.slices, facts.model.owners.owner
    by_line: dict[tuple[int, str, str], list[int]] = defaultdict(list)
    for i in rows:
        what, site = facts.awaited(i)
        name = what.removeprefix(s.AWAIT_PREFIX)
        is_query = name.startswith(_QUERY) and _LISTENS not in facts.stack(i)
        if is_query and owner[i] >= 0:
            by_line[owner[i], name, site].append(i)
    lost, example = Counter[tuple[str, str]](), dict[tuple[str, str], list[int]]()
    queued = Counter[tuple[int, str]]()
    if any(name.startswith(_BY_THREAD) for _, name, _ in by_line):
        # Behind what others ask: fewer queries do not save that.
        for job in chain.from_iterable(jobs for _, jobs in pools_of_connections(facts)):
            if job.submitter is not None and job.submitter[0] == "task":
                queued[job.submitter[1], job.site] += job.queued_ns
    for (task, name, site), found in by_line.items():
        ns = facts.slices_ns(found) - queued[task, site]
        whole = slices.end_ns[found[-1]] - slices.start_ns[found[0]]
        is_many = len(found) >= _QUERIES and ns >= _QUERY_NS * len(found)
        if is_many and ns * 2 >= whole and _are_all(facts, task, found, ns):
            lost[name, site] += ns
            example.setdefault((name, site), found)
    for (name, site), ns in lost.items():
        if ns >= LOST_NS:
            yield _one_by_one(facts, name, site, example[name, site], ns)


def _are_all(facts: Facts, task: int, found: list[int], ns: int) -> bool:
    """Whether these awaits are nearly all from the first to the last, also by their number:
    of very many quick ones only the slowest are looked at."""
    slices = facts.model.trace.slices
    since, until = slices.start_ns[found[0]], slices.end_ns[found[-1]]
    every = [i for i in facts.awaits_of_task(task) if since <= slices.start_ns[i] < until]
    whole = facts.slices_ns(every)
    return ns * _MOSTLY[1] >= whole * _MOSTLY[0] and whole >= _QUERY_NS * len(every)


def _one_by_one(facts: Facts, name: str, site: str, found: list[int], lost: int) -> Finding:
    model, slices = facts.model, facts.model.trace.slices
    task, start = model.owners.owner[found[0]], slices.start_ns[found[0]]
    whole, noun = slices.end_ns[found[-1]] - start, model.nouns_for([task]).task
    text = (
        f"Awaits in turn: {code(name_of(model, ('task', task)))}{place_in(site)} awaits "
        f"`{name}` {len(found)} times, one query after the other, for {duration(whole)} "
        f"({at(facts, start)}); the awaits took {duration(lost)} over all {noun}s. One "
        f"query for all of them (a join, `= any(...)`, `executemany`) saves a round trip "
        f"each."
    )
    evidence = facts.evidence(("task", task), start, whole, site)
    return Finding("awaits in turn", lost, text, evidence)


def _loops(facts: Facts, i: int) -> tuple[str, str] | None:
    """The helper that awaits and the line that calls it, below the task's own function."""
    what = facts.what(i)
    if not what.startswith((*_TIMED, *_CALLS)):
        return None
    return _of_user(facts.stack(i))


@lru_cache(maxsize=4096)
def _of_user(stack: str) -> tuple[str, str] | None:
    """The two innermost frames of the user's code, below the function of the task or what a
    framework calls for a request."""
    every = [frame for frame in stack.split("\n") if place_of(frame).path]
    frames = [frame for frame in every if not is_library(frame)]
    is_called = bool(every) and is_library(every[-1]) and _WRAPS not in every[-1]
    least = _HANDLER if is_called else _OWN_TASK
    return (frames[0], frames[1]) if len(frames) >= least else None


def _is_row(facts: Facts, found: list[int], ns: int) -> bool:
    """Whether one task calls a helper so often, in rows, that this is a fault of its own."""
    what, site = facts.awaited(found[0])
    gaps = _gaps(facts, found, ns)
    if what.removeprefix(s.AWAIT_PREFIX).startswith((*_ASKS, *_ANSWERS)):
        return bool(gaps)
    helper, others = place_of(site), 0
    for between in gaps:
        sites = [place_of(facts.awaited(i)[1]) for i in between]
        others += any(
            (site.path, site.function) == (helper.path, helper.function)
            and site.line != helper.line
            for site in sites
        )
    return bool(gaps) and others * _MOSTLY[1] >= len(gaps) * _MOSTLY[0]


def _gaps(facts: Facts, found: list[int], ns: int) -> list[list[int]]:
    """What one task awaits between its calls of a helper; none where there are too few, which
    cost too little, or do not follow each other."""
    if len(found) < _ALONE or ns < _ALONE_NS:
        return []
    slices, owned, pairs = facts.model.trace.slices, facts.model.owners, [*pairwise(found)]
    usual = ns // len(found)
    in_row = [(a, b) for a, b in pairs if slices.start_ns[b] - slices.end_ns[a] <= usual // 4]
    if len(in_row) * _MOSTLY[1] < len(pairs) * _MOSTLY[0]:
        return []
    own = facts.awaits_of_task(owned.owner[found[0]])
    return [own[bisect_left(own, a) + 1 : bisect_left(own, b)] for a, b in in_row]


def _is_served(facts: Facts, found: list[int], ns: int) -> bool:
    """Whether a task takes messages, for which it waits after its calls, and hardly ever in
    between."""
    gaps = _gaps(facts, found, ns)
    if not gaps:
        return False
    helper = place_of(facts.awaited(found[0])[1]).function
    inputs = [
        i
        for i in facts.awaits_of_task(facts.model.owners.owner[found[0]])
        if is_input(LongWaits.of(facts), i)
        and place_of(facts.awaited(i)[1]).function != helper
    ]
    between = {bisect_left(found, i) for i in inputs} - {0, len(found)}
    if len(between) * _SELDOM > len(gaps):
        return False
    does_listen = bool(inputs) and inputs[-1] > found[-1]
    return does_listen or sender_to(facts, found) is not None


def is_its_life(facts: Facts, task: int, ns: int) -> bool:
    """Whether the awaits are most of the life of a task that ended by itself."""
    is_most = ns * _MOSTLY[1] >= facts.life_ns(task) * _MOSTLY[0]
    return is_most and facts.ledger.how_it_ended(task) == s.DONE


def _finding(
    facts: Facts, helper: str, caller: str, lost: int, task: int, found: list[int], ns: int
) -> Finding:
    model, slices = facts.model, facts.model.trace.slices
    coro, site = model.coroutine(model.owners.task_group[task])
    what, noun = facts.awaited(found[0])[0], model.nouns_for([task]).task
    start = slices.start_ns[found[0]]
    longest, asked = max(map(facts.slice_ns, found)), place_of(helper).function
    who, inside = code(place_of(caller).function, caller), ""
    if coro != asked:  # else it is a framework's, named after what it runs
        who, inside = code(coro, site), f" in {who},"
    text = (
        f"Awaits in turn: {who} calls {code(asked, helper)} {len(found)} times, one after the "
        f"other,{inside} and each call waits in `{what}`: "
        f"{duration(ns)} of {duration(slices.end_ns[found[-1]] - start)} "
        f"({at(facts, start)}), the longest {duration(longest)}. If none "
        f"depends on the one before, {_TOGETHER[noun]} takes as long as the longest; "
        f"{duration(lost)} would be saved over all {noun}s."
    )
    whole = slices.end_ns[found[-1]] - start
    evidence = facts.evidence(("task", task), start, whole, caller)
    return Finding("awaits in turn", lost, text, evidence)


# While the other one is busy, who sends waits for room for four fifths of the time from the
# first of these waits to the last, half a second at least; and three quarters of them, three
# at least, end within 5 ms after what that one does for a message.
_JUST_NS = 5 * MS
_JUST = 3, 4
_SERVED_TIMES = 3
_SERVED_LONG_NS = 10 * MS
_STEP = (
    "If their order does not matter, handle each in a task of its own, and only as many at a "
    "time as what they ask for can serve."
)


def served_in_turn(
    facts: Facts, task: int, helper: str, caller: str, found: list[int]
) -> Finding:
    """The task awaits something for each message, while the next one is there."""
    model, slices = facts.model, facts.model.trace.slices
    start, end = slices.start_ns[found[0]], slices.end_ns[found[-1]]
    ns = [facts.slice_ns(i) for i in found]
    coro, site = model.coroutine(model.owners.task_group[task])
    calls = (
        f"{code(coro, site)} calls {code(place_of(helper).function, helper)} {len(found)} "
        f"times, one after the other, in {code(place_of(caller).function, caller)}, and each "
        f"call waits in `{facts.awaited(found[0])[0]}`: {duration(sum(ns))} of "
        f"{duration(end - start)} ({at(facts, start)}), the longest {duration(max(ns))}"
    )
    there = "Until then it takes no other message, and it hardly ever had to wait for one."
    sender = sender_to(facts, found)
    evidence = facts.evidence(("task", task), start, end - start, caller)
    if sender is None:
        text = f"Awaits in turn: {calls}. {there}"
        return Finding("awaits in turn", sum(ns) - max(ns), text, evidence, _STEP)
    text = (
        f"Slow consumer: {code(name_of(model, ('task', sender.task)))}{place_in(sender.site)} "
        f"waited {duration(sender.ns)} to send, most likely to "
        f"{code(name_of(model, ('task', task)))}, since it goes on just after that each time. "
        f"{calls}. {there}"
    )
    return Finding("slow consumer", sender.ns, text, evidence, _STEP)


class Sender(NamedTuple):
    """Who waits for room in a connection, at which line, and for how long."""

    task: int
    site: str
    ns: int


def sender_to(facts: Facts, found: list[int]) -> Sender | None:
    """The only task that mostly waits for room meanwhile, and goes on just after one of these
    awaits each time; None: there is none, or several."""
    slices, owner = facts.model.trace.slices, facts.model.owners.owner
    start, end = slices.start_ns[found[0]], slices.end_ns[found[-1]]
    ends = [slices.end_ns[i] for i in found]
    waits = defaultdict[int, list[int]](list)
    for i in longest_slices(facts, (AWAIT,), _SERVED_LONG_NS, _MOST):
        if start < slices.end_ns[i] <= end + _JUST_NS and is_for_room(facts, i):
            waits[owner[i]].append(i)
    senders = []
    for task, own in waits.items():
        ns = sum(slices.end_ns[i] - max(slices.start_ns[i], start) for i in own)
        after = [
            slices.end_ns[i] - ends[bisect_right(ends, slices.end_ns[i]) - 1] for i in own
        ]
        just = sum(0 <= late <= _JUST_NS for late in after)
        whole = slices.end_ns[own[-1]] - max(slices.start_ns[own[0]], start)
        is_most = ns >= LOST_NS and covers(ns, whole)
        is_just = just >= max(_SERVED_TIMES, len(own) * _JUST[0] // _JUST[1])
        if is_most and is_just:
            senders.append(Sender(task, facts.awaited(own[0])[1], ns))
    return senders[0] if len(senders) == 1 and senders[0].task != owner[found[0]] else None
