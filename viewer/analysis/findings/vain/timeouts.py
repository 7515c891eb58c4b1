"""Work that is cut short again and again, each time after as long: its time is too short."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.cuts import By, Cut, Cuts
from viewer.analysis.waited import For, waited_for
from viewer.trace.columns import AWAIT
from viewer.trace.sites import own_frames, place_of

# Three times, at three different moments, and three quarters of a second in all: who asks two
# and takes the first answer cuts one short each time, but has the other; who ends his helpers
# cuts them short once.
_TIMES = 3
_MOMENT_NS = 20 * MS
_LOST_NS = 750 * MS
# It was a time limit: half were cut short within a seventh of the time that a quarter did not
# reach, and a fifth at most sooner.
_QUARTER, _SOONER = 4, 5
_ABOUT = 7
_LAST_NS = 5 * MS  # from its end to that of the task
# Tasks that await much more often at one line go round, until they are told to end.
_ROUNDS = 10
_MOST = 2_000  # tasks
_NEAR = 12  # states before the end of a task
# Those are told of by no_answer.
_ANSWERS = tuple(
    f"{s.AWAIT_PREFIX}{what} (" for what in ("response", "query", "command", "connect", "DNS")
)
_ANSWER_NS = 500 * MS
# Of redis a command may be one that waits for a job (BLPOP); psycopg waits in pieces.
_IDLE = ("socket", "command (", "query (psycopg", "signal", "sleep_forever")


class _Given(NamedTuple):
    """A piece of work that was cut short at `end_ns`, and how long it had had."""

    cut: Cut
    ns: int


def time_outs(facts: Facts) -> Iterator[Finding]:
    """Tasks, or calls in one, that end by force each time, and do not come to their end."""
    by_line = defaultdict[tuple[str, str], list[Cut]](list)
    for cut in Cuts.of(LongWaits.of(facts)).all:
        what, site = facts.awaited(cut.i)
        if cut.by is not By.PROGRAM and _is_work(what.removeprefix(s.AWAIT_PREFIX)):
            by_line[what, site].append(cut)
    for (what, site), found in by_line.items():
        if len(found) >= _TIMES and not _is_told(what, found):
            yield from _of_line(facts, what, site, found)


def _is_work(what: str) -> bool:
    """Whoever waits for others, or for who comes when he likes, may wait for a moment only.
    Of waits for a slot other findings tell."""
    is_known = waited_for(what) in (For.CLOCK, For.OUTSIDE, For.CHILD)
    return (is_known or what.startswith("executor")) and not what.startswith(_IDLE)


def _is_told(what: str, found: list[Cut]) -> bool:
    return what.startswith(_ANSWERS) and all(cut.ns >= _ANSWER_NS for cut in found)


def _of_line(facts: Facts, what: str, site: str, found: list[Cut]) -> Iterator[Finding]:
    waits, owned = LongWaits.of(facts), facts.model.owners
    ends = [cut for cut in found if waits.ends_ns(("task", cut.task)) <= cut.end_ns + _LAST_NS]
    if len(ends) * 2 >= len(found):
        groups = {owned.task_group[cut.task] for cut in ends}
        every = [task for task, group in enumerate(owned.task_group) if group in groups]
        attempts = len(every)
        given = [*_ended(facts, every[:_MOST], what, site)]
        rounds = sum(_awaits(facts, one.cut.task, what, site) for one in given)
    else:
        given = [_Given(cut, cut.ns) for cut in found if cut.by is By.TIMER]
        attempts = _attempts(facts, what, site, [one.cut for one in given])
        rounds = 0
    lost = sum(one.ns for one in given)
    if len(given) < _TIMES or lost < _LOST_NS or len(given) * 2 < attempts:
        return
    if rounds > _ROUNDS * len(given) or not _is_limit(given) or _moments(given) < _TIMES:
        return
    yield _finding(facts, what, site, given, attempts)


def _ended(facts: Facts, tasks: list[int], what: str, site: str) -> Iterator[_Given]:
    """Those of these tasks that ended as their last such await was cut short."""
    waits, kind = LongWaits.of(facts), facts.model.owners.kind
    for task in tasks:
        rows = reversed(facts.ledger.rows_of_tasks.of(task)[-_NEAR:])
        last = (i for i in rows if kind[i] == AWAIT and facts.awaited(i) == (what, site))
        cut = next((Cuts.of(waits).cut(task, i) for i in last), None)
        if cut is None or cut.by is By.PROGRAM:
            continue
        if waits.ends_ns(("task", task)) <= cut.end_ns + _LAST_NS:
            yield _Given(cut, cut.end_ns - waits.begins_ns(("task", task)))


def _attempts(facts: Facts, what: str, site: str, found: list[Cut]) -> int:
    """How often these tasks awaited what was cut short. A library awaits several things in one
    call, such as the reset of a connection."""
    stack_of = LongWaits.of(facts).reading.stack
    stacks = {stack_of(cut.i) for cut in found}
    return sum(
        facts.awaited(i) == (what, site) and stack_of(i) in stacks
        for task in {cut.task for cut in found}
        for i in facts.awaits_of_task(task)
    )


def _awaits(facts: Facts, task: int, what: str, site: str) -> int:
    """How often a task awaits that at that line."""
    return sum(facts.awaited(i) == (what, site) for i in facts.awaits_of_task(task))


def _is_limit(given: list[_Given]) -> bool:
    """Whether most ended after about the same time; a busy machine is late with some."""
    times = sorted(one.ns for one in given)
    limit = times[len(times) // _QUARTER]
    sooner = sum((limit - ns) * _ABOUT > limit for ns in times)
    about = sum(abs(ns - limit) * _ABOUT <= limit for ns in times)
    return sooner * _SOONER <= len(times) and about * 2 >= len(times)


def _moments(given: list[_Given]) -> int:
    ends = sorted(one.cut.end_ns for one in given)
    return 1 + sum(b - a > _MOMENT_NS for a, b in pairwise(ends))


def _finding(
    facts: Facts, what: str, site: str, given: list[_Given], attempts: int
) -> Finding:
    worst, lost = max(given, key=lambda one: one.ns), sum(one.ns for one in given)
    usual = sorted(one.ns for one in given)[len(given) // 2]
    whos: list[Who] = [("task", one.cut.task) for one in given]
    stack = facts.stack(worst.cut.i).split("\n")
    frames = own_frames(stack)
    outer = next(
        (f for f in frames[1:] if place_of(f).function != place_of(site).function), ""
    )
    text = (
        f"Time-outs: {users(facts.model, whos)}{place_in(outer)} had about {duration(usual)} "
        f"for what takes longer. In {len(given):,} of {plural(attempts, 'attempt')} the time "
        f"ran out in `{what.removeprefix(s.AWAIT_PREFIX)}`{place_in(site)} (first "
        f"{at(facts, min(one.cut.end_ns for one in given))}): {duration(lost)} were lost."
    )
    step = (
        "Raise the time limit, or make what it waits for faster. What is asked again after a "
        "time-out begins anew and adds to the load."
    )
    start = worst.cut.end_ns - worst.ns
    evidence = facts.evidence(("task", worst.cut.task), start, worst.ns, site)
    return Finding("time-outs", lost, text, evidence, step, behind=site)
