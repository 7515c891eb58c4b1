"""One of many equal jobs, tasks or threads that takes far longer than the others, while
somebody waits for it alone."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.uneven import uneven
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, users
from viewer.analysis.findings.basis.words import at, middle
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.jobs import Job
from viewer.analysis.ledger.resource import covers
from viewer.analysis.locks import ENDS
from viewer.analysis.resources.waits import Wait
from viewer.analysis.waited import FOR_TASKS
from viewer.words import code, stem

# Three equal ones or more had ended in a tenth of the time, and for half a second somebody
# waited for this one alone. It waited itself for most of that: else it just had more to do.
_OTHERS = 3
_AT_WORK = 4  # … of those that compute: the one of few may well have most of the work
_TIMES = 10
# Or three times at one line, a tenth of a second each and a second in all: batches that each
# wait for their slowest. Five times as long is enough there: it comes again and again.
_BATCHES, _EACH_NS, _IN_ALL_NS = 3, 100 * MS, 1_000 * MS
_TIMES_EACH = 5
_LIMIT = "Give what it waits for a time-out, or go on without the last ones."
_NEXT = (
    "Do not wait for the slowest of each batch: begin the next one as soon as one has ended "
    "(all at once, with a semaphore around each), or give it a time-out."
)
_MOSTLY = 80  # per cent
_MOST = 200  # slow ones that are looked at, the longest ones
_SEARCHED = 10_000  # more tasks or jobs are not searched
_RESULTS = ("Future.result", "futures.wait", "futures.as_completed", "executor", *ENDS)


class _One(NamedTuple):
    """A job, with the thread that ran it; a task or a thread."""

    who: Who
    start_ns: int
    end_ns: int
    job: Job | None = None

    @property
    def ns(self) -> int:
        return self.end_ns - self.start_ns


class _Slow(NamedTuple):
    """One that was the last of its kind from `since_ns` on, and who waited then."""

    one: _One
    usual_ns: int
    others: int
    since_ns: int
    wait: Wait

    @property
    def ns(self) -> int:
        return self.one.end_ns - self.since_ns


# By whoever waits for them, and what they are.
type _Alike = dict[tuple[Who, str], list[_One]]


def straggler(facts: Facts) -> Iterator[Finding]:
    """Somebody waits for the slowest of many equal ones, which itself waits or has more to
    do."""
    waits = LongWaits.of(facts)
    long = defaultdict[Who, list[Wait]](list)
    for wait in (*waits.all, *waits.for_tasks):
        if wait.ns >= _EACH_NS and wait.name.startswith((*_RESULTS, *FOR_TASKS)):
            long[wait.who].append(wait)
    if not long:
        return
    found: dict[tuple[str, str], list[_Slow]] = defaultdict(list)
    told = set[int]()
    for alike in (_threads(facts, long), _jobs(facts, long), _tasks(facts, waits, long)):
        for (waiter, what), every in alike.items():
            for late in _last_ones(every, long[waiter]):
                if late.wait.slice not in told | waits.told and _is_alone(facts, waits, late):
                    found[what, late.wait.site].append(late)
        told = {late.wait.slice for slow in found.values() for late in slow}
    for slow in found.values():
        long_ones = [
            late
            for late in slow
            if late.ns >= LOST_NS and late.one.ns >= late.usual_ns * _TIMES
        ]
        lost = sum(late.ns for late in slow)
        if len(slow) >= _BATCHES and lost >= _IN_ALL_NS:
            long_ones = slow
        if long_ones:
            yield from _finding(facts, waits, long_ones, sum(late.ns for late in long_ones))


def _jobs(facts: Facts, long: dict[Who, list[Wait]]) -> _Alike:
    found: _Alike = defaultdict(list)
    for job in facts.jobs.all if len(facts.jobs.all) <= _SEARCHED else ():
        if job.submitter in long:
            one = _One(("thread", job.thread), job.began_ns, job.ended_ns, job)
            found[job.submitter, job.site or job.name].append(one)
    return found


def _threads(facts: Facts, long: dict[Who, list[Wait]]) -> _Alike:
    found: _Alike = defaultdict(list)
    names, states = facts.model.thread_names, facts.model.states
    for thread, (parent, _) in facts.ledger.starters.items():
        who: Who = ("thread", parent)
        if who in long and thread not in facts.jobs.pool_of:
            start, end = states.first_ns[thread], states.last_ns[thread]
            one = _One(("thread", thread), start, end)
            found[who, f"thread {stem(names[thread])}"].append(one)
    return found


def _tasks(facts: Facts, waits: LongWaits, long: dict[Who, list[Wait]]) -> _Alike:
    owned, found = facts.model.owners, defaultdict[tuple[Who, str], list[_One]](list)
    if len(owned.task_id) > _SEARCHED:
        return found
    for waiter in long:
        for task in facts.ledger.children_of(waiter[1]) if waiter[0] == "task" else ():
            who: Who = ("task", task)
            one = _One(who, waits.begins_ns(who), waits.ends_ns(who))
            found[waiter, f"task {owned.task_group[task]}"].append(one)
    return found


def _last_ones(every: list[_One], long: list[Wait]) -> Iterator[_Slow]:
    """Those of equal ones for which somebody waited when the others had ended."""
    if len(every) <= _OTHERS:
        return
    usual = middle(one.ns for one in every)
    slow = [one for one in every if one.ns >= max(_EACH_NS, usual * _TIMES_EACH)]
    slow.sort(key=lambda one: -one.ns)
    for one in slow[:_MOST]:
        others = [other.end_ns for other in every if other.start_ns < one.end_ns]
        since = max([one.start_ns, *(ns for ns in others if ns < one.end_ns)])
        ns = one.end_ns - since
        is_last = len(others) > _OTHERS and max(others) <= one.end_ns
        for wait in long if is_last and ns >= _EACH_NS else ():
            met = min(wait.end_ns, one.end_ns) - max(wait.start_ns, since)
            if covers(met, ns):
                yield _Slow(one, usual, len(every) - 1, since, wait)
                break


def _is_alone(facts: Facts, waits: LongWaits, late: _Slow) -> bool:
    """Not where `asyncio.wait` waited as long for another task, such as one that waits for
    the order to stop: it ends with the first of them, and whoever has no work is not late.
    That may be a future, too, where a new task is made for each item."""
    waiter = late.wait.who
    if waiter[0] != "task" or late.wait.name != "wait":
        return True
    if late.since_ns == late.one.start_ns:
        return False
    others = (("task", task) for task in facts.ledger.children_of(waiter[1]))
    return not any(
        other != late.one.who
        and waits.begins_ns(other) <= late.since_ns
        and covers(min(waits.ends_ns(other), late.wait.end_ns) - late.since_ns, late.ns)
        for other in others
    )


def _finding(
    facts: Facts, waits: LongWaits, every: list[_Slow], lost: int
) -> Iterator[Finding]:
    worst = max(every, key=lambda late: late.ns)
    one, wait = worst.one, worst.wait
    more = _has_more_to_do(facts, worst)
    if more is not None:
        waits.told.update(late.wait.slice for late in every)
        yield more
        return
    now = mostly(facts, [(late.one.who, late.since_ns, late.one.end_ns) for late in every])
    if now.most < _MOSTLY or "computing" in now.text:
        return
    waits.told.update(late.wait.slice for late in every)
    name = code(name_of(facts.model, one.who))
    said = f"{code(one.job.name, one.job.site)} on {name}" if one.job is not None else name
    times = f": {plural(len(every), 'such wait')}, {duration(lost)} in total"
    text = (
        f"Slow answer: {users(facts.model, (late.wait.who for late in every))}"
        f"{place_in(wait.site)} waited {duration(worst.ns)} in `{wait.name}` "
        f"({at(facts, worst.since_ns)}) for the last one alone, {said}, {now.text}; the "
        f"others took {duration(worst.usual_ns)}, typically"
        f"{times if len(every) > 1 else ''}. {_NEXT if len(every) >= _BATCHES else _LIMIT}"
    )
    yield Finding("slow answer", lost, text, waits.evidence(wait), behind=now.behind)


def _has_more_to_do(facts: Facts, late: _Slow) -> Finding | None:
    one, wait = late.one, late.wait
    if one.who[0] != "thread" or wait.who[0] != "thread" or late.others < _AT_WORK:
        return None
    name = code(name_of(facts.model, one.who))
    said = f"{code(one.job.name, one.job.site)} on {name}" if one.job is not None else name
    return uneven(
        facts, said, one.who[1], one.ns, late.others, late.usual_ns, wait.who[1], wait.name,
        wait.site, late.since_ns, one.end_ns,
    )  # fmt: skip
