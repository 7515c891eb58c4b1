"""What threads and tasks did while they had something: the deepest cause, in words."""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator
from itertools import chain, islice
from typing import NamedTuple

from tracer.units import MS, duration, share
from viewer.analysis.causes.part import Cause, Kind
from viewer.analysis.causes.tree import Tree
from viewer.analysis.findings.basis.facts import Facts, Split
from viewer.analysis.findings.basis.hot import hot
from viewer.analysis.findings.basis.waits import place_in
from viewer.analysis.findings.basis.words import sampled
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import window
from viewer.analysis.resources.processqueues import who_empties
from viewer.analysis.waited import For, waited_for
from viewer.trace.columns import AWAIT, LARGEST, PREEMPTED, SLEEP, STATE_MASK
from viewer.trace.sites import is_library, place_of
from viewer.words import code, shorten

_MOST = 40  # times that are looked at, the longest ones
_SLEPT, _SLEEPS = 400, 2_000  # times whose sleeps are looked at, and sleeps of tasks alike
# One that is late by more than that, and lasts twice as long, is meant to; and so are those of
# which fewer than three, or a tenth, last as long as the shortest one.
_LONGER, _LATE_NS = 2, 25 * MS
_FEW, _OFTEN, _JUST = 2, 10, 1.1
_SAID = 2
_WORTH = 10  # per cent
_MOSTLY = 50
_IN_VAIN = (Kind.VAIN, Kind.CANCELLED, Kind.TIMEOUT)
_TAKEN = "preempted by the kernel"  # that is nobody's doing
_WORDS = {
    Kind.SLEEP: "asleep",
    Kind.COMPUTING: "computing",
    Kind.NATIVE: "computing without the GIL",
    Kind.GIL_WAIT: "waiting for the GIL",
    Kind.PREEMPTED: _TAKEN,
    Kind.OFF_CPU: "off the CPU",
    Kind.READY: "ready, while the loop was busy",
    Kind.TIMER: "asleep",
}


type Sleep = tuple[tuple[str, str], int, int]  # what and where, from when to when


class Doing(NamedTuple):
    """In words, and the line of what took most of the time; "" where that is unknown. `most`:
    its part, in per cent."""

    text: str
    site: str
    most: int = 0

    @property
    def behind(self) -> str:
        """The line, where that is most of all they did."""
        return self.site if self.most >= _MOSTLY else ""


def doing(facts: Facts, times: Iterable[tuple[Who, int, int]], waiter: str = "") -> str:
    """`97 % of that time asleep in `report` (app.py:7)`; "" when nothing is known. What the
    waiter itself did meanwhile is no cause of its wait."""
    return mostly(facts, times, waiter).text


def mostly(facts: Facts, times: Iterable[tuple[Who, int, int]], waiter: str = "") -> Doing:
    """The same, with the line."""
    tree, total = Tree(facts.model), 0
    sums, stacks = Counter[tuple[str, str]](), list[int]()
    longest = sorted(times, key=lambda time: time[1] - time[2])[:_MOST]
    for (kind, which), start_ns, end_ns in longest:
        windows = window(start_ns, end_ns)
        tree.looked_at = 0
        causes = tree.thread(which, windows) if kind == "thread" else tree.task(which, windows)
        total += end_ns - start_ns
        if kind == "thread":
            tid = facts.model.threads[which].tid
            stacks += facts.stacks(tid, [(start_ns, end_ns)])
        for cause in causes:
            _leaves(cause, "", sums, waiter)
    join_computing(facts, sums, stacks)
    taken = sum(sums.pop(key) for key in [*sums] if key[0] == _TAKEN)
    if is_much := taken * 100 >= total * _WORTH:
        total -= taken
    said = [
        f"{share(ns, total)} {'' if n else 'of that time '}{what}"
        f"{place_in(site) or _computes(facts, what, stacks)}"
        for n, ((what, site), ns) in enumerate(sums.most_common(_SAID))
        if ns * 100 >= total * _WORTH
    ]
    if said and is_much:
        said[-1] += f" (not counted: {duration(taken)} {_TAKEN})"
    ((_, site), ns) = next(iter(sums.most_common(1)), (("", ""), 0))
    return Doing(", ".join(said), site, ns * 100 // total if total else 0)


def slow_reader_of(
    facts: Facts, split: Split, writers: set[int], rows: list[int]
) -> Doing | None:
    """Who most likely reads what these threads write for most of a time, in words, and what it
    does in these states."""
    table, ((call, ns),) = facts.model.states, split.calls.most_common(1) or ((-1, 0),)
    is_most = ns * 2 > sum(split.states.values())
    reader = who_empties(facts, call, writers) if is_most else -1
    if reader < 0:
        return None
    slow = mostly(
        facts, [(("thread", reader), table.start_ns[row], table.end_ns[row]) for row in rows]
    )
    return slow._replace(
        text=f". {code(facts.model.thread_names[reader])} goes on just before each of these "
        f"ends, so most likely it reads that{f'; it spent {slow.text}' if slow.text else ''}"
    )


def join_computing(facts: Facts, sums: Counter[tuple[str, str]], stacks: list[int]) -> None:
    """Counts computing without a line as that at a line of the function that the samples name,
    where there is such a one: it is not told twice."""
    for kind in (Kind.COMPUTING, Kind.NATIVE):
        unknown = _WORDS[kind], ""
        functions = hot(facts.hot_places, stacks)[0] if unknown in sums else []
        for what, site in [*sums] if functions else ():
            place = place_of(site)
            found = place.path, place.function
            if what == unknown[0] and found == (functions[0].path, functions[0].function):
                sums[what, site] += sums.pop(unknown, 0)


def _computes(facts: Facts, what: str, stacks: list[int]) -> str:
    """` in `parse` (app.py:9, 90 % of 40 CPU samples)`: where threads compute."""
    if what not in (_WORDS[Kind.COMPUTING], _WORDS[Kind.NATIVE]):
        return ""
    where = sampled(*hot(facts.hot_places, stacks), most=1)
    return f" in {where}" if where else ""


def _leaves(cause: Cause, site: str, sums: Counter[tuple[str, str]], waiter: str) -> None:
    """Adds what a cause consists of in the end; `site` is the innermost line of the user."""
    if cause.site and not is_library(cause.site):
        site = cause.site
    if cause.parts and not _is_told(cause, waiter):
        for part in cause.parts:
            _leaves(part, site, sums, waiter)
        return
    what = _what(cause)
    if what:
        sums[what, site or cause.site] += cause.ns


def _is_told(cause: Cause, waiter: str) -> bool:
    """Whether its parts say no more than it does itself. A framework that listens for its
    client until the program's own task is done waits for that one."""
    if any(part.kind in _IN_VAIN or part.who == waiter != "" for part in cause.parts):
        return True
    if cause.kind is not Kind.AWAIT or waited_for(cause.who) is For.HERE:
        return False
    listens = is_library(cause.site) and any(p.kind is Kind.WAKER for p in cause.parts)
    return not listens


def _what(cause: Cause) -> str:
    if cause.kind is Kind.AWAIT:
        return "asleep" if cause.who == "sleep" else f"awaiting `{cause.who}`"
    if cause.kind is Kind.IO:
        return f"in `{shorten(cause.who, 48)}`" if cause.who else "awaiting data"
    if cause.kind in (Kind.LOCK_WAIT, Kind.IDLE_WAIT):
        return f"waiting for `{cause.who}`"
    return _WORDS.get(cause.kind, "")


def left_part(facts: Facts, times: Iterable[tuple[Who, int, int]]) -> float:
    """The part of these times of threads and tasks that the kernel, or their loop, left them,
    and that they did not oversleep; 1 where nothing tells."""
    known = [*times]
    whole = taken = 0
    for who, start_ns, end_ns in sorted(known, key=lambda time: time[1] - time[2])[:_MOST]:
        kind, which = who
        thread = which if kind == "thread" else facts.ledger.thread_of_task(which)
        if thread >= 0 and end_ns > start_ns:
            whole += end_ns - start_ns
            taken += facts.split(thread, window(start_ns, end_ns)).states[PREEMPTED]
    return (1 - taken / whole if whole else 1.0) - _overslept(facts, known)


def _overslept(facts: Facts, times: list[tuple[Who, int, int]]) -> float:
    """The part of these times in which somebody slept on, as on a busy machine: for longer
    than the shortest sleep at that line, where many are as short as that one."""
    looked = times[:: len(times) // _SLEPT + 1]
    sleeps = defaultdict[tuple[str, str], list[int]](list)
    for (kind, which), start_ns, end_ns in looked:
        found = _naps if kind == "thread" else _sleeps
        for where, since, until in found(facts, which, start_ns, end_ns):
            sleeps[where].append(min(until, end_ns) - since)
    alike, late = _of_alike(facts, [who for who, _, _ in looked], sleeps), 0
    for where, lasted in sleeps.items():
        known = sorted(alike[where] or lasted)
        shortest = known[0]
        if known[min(max(_FEW, len(known) // _OFTEN), len(known) - 1)] <= shortest * _JUST:
            most = max(_LONGER * shortest, shortest + _LATE_NS)
            late += sum(ns - shortest for ns in lasted if ns < most)
    whole = sum(end_ns - start_ns for _, start_ns, end_ns in looked)
    return late / whole if whole else 0.0


def _of_alike(
    facts: Facts, whos: Iterable[Who], asked: Container[tuple[str, str]]
) -> dict[tuple[str, str], list[int]]:
    """How long the sleeps at these lines were, of tasks that run the same."""
    group, found = facts.model.owners.task_group, defaultdict[tuple[str, str], list[int]](list)
    groups = {group[which] for kind, which in whos if kind == "task"}
    alike = (task for task, its in enumerate(group) if its in groups)
    sleeps = (_sleeps(facts, task, 0, LARGEST) for task in alike)
    for where, since, until in islice(chain.from_iterable(sleeps), _SLEEPS):
        if where in asked:
            found[where].append(until - since)
    return found


def _naps(facts: Facts, thread: int, start_ns: int, end_ns: int) -> Iterator[Sleep]:
    """Where a thread slept, from when to when."""
    table, rows = facts.model.states, facts.ledger.rows_of_threads
    for row in rows.met(thread, start_ns, end_ns):
        if table.state[row] & STATE_MASK == SLEEP:
            yield facts.call(table.row[row]), table.start_ns[row], table.end_ns[row]


def _sleeps(facts: Facts, task: int, start_ns: int, end_ns: int) -> Iterator[Sleep]:
    """The same of a task."""
    slices, kinds = facts.model.trace.slices, facts.model.owners.kind
    for i in facts.ledger.rows_of_tasks.met(task, start_ns, end_ns):
        if kinds[i] == AWAIT and waited_for(facts.what(i)) is For.CLOCK:
            yield facts.awaited(i), slices.start_ns[i], slices.end_ns[i]
