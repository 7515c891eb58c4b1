"""Locks that the program made itself, of a condition or a file, and the locks of imports."""

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.endings import signal_name
from viewer.analysis.findings.basis.doing import doing
from viewer.analysis.findings.basis.facts import LOST_NS, NOT_ITS_FAULT, Facts, Finding
from viewer.analysis.findings.basis.queries import calls_of
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, sites, users
from viewer.analysis.findings.basis.words import at, in_total
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import window
from viewer.analysis.processes.family import Family
from viewer.analysis.resources.reading import awaits_of
from viewer.analysis.resources.slots import groups, whole
from viewer.analysis.resources.waits import Wait
from viewer.analysis.states import having, may_be_called, stack_of
from viewer.trace.columns import SLEEP
from viewer.trace.sites import IMPORT, is_library, place_of
from viewer.words import code

# As with other locks, a few waits are enough when they lost half a second.
# Who looks for a lock five times or more polls it; below 2 ms it is a busy loop.
_LOOKS = 5
_TINY_NS = 2 * MS
_AGAIN_NS = 50 * MS  # from a pause to the next look
_MOST = 20_000  # pauses that are looked at
_SIGNALS = ("Condition.wait", "Event.wait", "Condition", "Event")
# What a lock of one's own is called: a class with Lock or Mutex in its name and a method that
# acquires, a function that acquires or waits for a lock, or a context manager named ..._lock.
_CLASS = re.compile(r"(?<![BbCc])[Ll]ock(?!s)|Mutex")
_METHOD = re.compile(r"_*(acquire|lock|enter|aenter|wait|read|write)(_\w+)?")
_FUNCTION = re.compile(
    r"_*(acquire|enter|begin|start)_(read|write|shared|exclusive|reader|writer|mutex)|"
    r"_*(read|write|r|w|shared|exclusive)_?(acquire|lock)|"
    r"_*(acquire|get|take|obtain|grab|wait|try)_(\w+_)?(lock|mutex)(_\w+)?"
)
_MANAGER = re.compile(r"(\w+_)?(lock|mutex|locked)")
_ENTER = "/contextlib.py"
# What a site has if a class, a method or a function of it is called so.
_PARTS = ("ock", "utex", "cquire", "enter_", "begin_", "start_")
_HINT = re.compile("|".join(_PARTS))


def own_lock(facts: Facts) -> Iterator[Finding]:
    """Long waits for a lock that the program has made of a condition, or that it polls."""
    yield from _of_conditions(facts)
    yield from _polled(facts)


def _of_conditions(facts: Facts) -> Iterator[Finding]:
    waits = LongWaits.of(facts)
    alike: dict[tuple[int, str], list[Wait]] = defaultdict(list)
    for wait in waits.all:
        if wait.name in _SIGNALS and not wait.failed and own_lock_of(wait.stack):
            alike[wait.lock, wait.site if wait.lock < 0 else ""].append(wait)
    if all(sum(wait.ns for wait in found) < LOST_NS for found in alike.values()):
        return
    pooled = {wait.slice for group in groups(waits) for wait in group.waits}
    for every in alike.values():
        lost, found = sum(wait.ns for wait in every), whole(every)
        held = [(wait.ender, wait.start_ns, wait.end_ns) for wait in every if wait.ender]
        if lost < LOST_NS or not held or any(wait.slice in pooled for wait in every):
            continue
        worst = max(found, key=lambda wait: wait.ns)
        did = doing(facts, held)
        text = (
            f"Lock convoy: {users(facts.model, (wait.who for wait in found))} waited for a "
            f"lock of the program's own: {plural(len(found), 'wait')}, "
            f"{in_total(facts, lost, worst.ns, worst.start_ns)} in "
            f"{sites([worst])}{_called_in(own_lock_of(worst.stack))}, until "
            f"{users(facts.model, (who for who, _, _ in held))} "
            f"released it{f', {did}' if did else ''}. Do the slow part outside the lock, and "
            f"let those who already wait go first."
        )
        yield Finding("lock convoy", lost, text, waits.evidence(worst))


def _called_in(caller: str) -> str:
    function = place_of(caller).function
    return f", called in {code(function, caller)}" if function else ""


@lru_cache(maxsize=4096)
def own_lock_of(stack: tuple[str, ...]) -> str:
    """The line that acquires a lock of the program's own; "" where the innermost function of
    the user's code is no such lock."""
    own = next((n for n, frame in enumerate(stack) if not is_library(frame)), -1)
    if own < 0:
        return ""
    caller = next((frame for frame in stack[own + 1 :] if not is_library(frame)), stack[own])
    is_entered = len(stack) > own + 1 and _ENTER in stack[own + 1]
    return caller if _acquires(stack[own], is_manager=is_entered) else ""


@lru_cache(maxsize=4096)
def _acquires(site: str, *, is_manager: bool) -> bool:
    """Whether a function of the user's code is called like one that acquires a lock."""
    *owner, method = place_of(site).function.replace("<locals>.", "").split(".")
    of_lock = owner and _CLASS.search(owner[-1]) and _METHOD.fullmatch(method.rstrip("_"))
    named = _FUNCTION.fullmatch(method) or (is_manager and _MANAGER.fullmatch(method))
    return bool(of_lock or named)


# Locks that are polled ---------------------------------------------------------------------


type _Pause = tuple[Who, int, int]


def _polled(facts: Facts) -> Iterator[Finding]:
    alike: dict[str, list[_Pause]] = defaultdict(list)
    for site, pause in _pauses(facts):
        alike[site].append(pause)
    for site, pauses in alike.items():
        lost = sum(end - start for _, start, end in pauses)
        if lost < LOST_NS or lost < len(pauses) * _TINY_NS or len(pauses) < _LOOKS:
            continue
        pauses.sort(key=lambda pause: pause[1])
        who = users(facts.model, (who for who, _, _ in pauses))
        held = _held(pauses)
        did = doing(facts, held)
        first, start, end = pauses[0]
        left = "" if held else _left_by(facts, start)
        text = (
            f"{'Slots never returned' if left else 'Lock convoy'}: {who} "
            f"poll{'' if who[0].isdigit() else 's'} a lock of the program's "
            f"own{place_in(site)}: {plural(len(pauses), 'pause')} between attempts, "
            f"{duration(lost)} in total ({at(facts, start)})"
        )
        if held:
            mean = sum(until - since for _, since, until in held) // len(held)
            text += f". It is held for {duration(mean)}{f', {did}' if did else ''}"
        text += left or (
            ". Do the slow part outside the lock, or use a lock that wakes its waiters."
        )
        name = name_of(facts.model, first)
        evidence = facts.evidence(first, start, end - start, site, track=name)
        yield Finding("slots never returned" if left else "lock convoy", lost, text, evidence)


def _left_by(facts: Facts, start_ns: int) -> str:
    """Who may have left the lock behind: a process that was killed before."""
    dead = Family.of(facts.model).killed_before(start_ns)
    if dead is None:
        return ""
    return (
        f". `{dead.name}` was killed by {signal_name(dead.killed_by)} "
        f"({at(facts, dead.end_ns)}): it may have held it, and its lock file stays. Use "
        f"`flock`, which ends with the process, or write the holder's pid into the file and "
        f"check whether it still runs."
    )


def _pauses(facts: Facts) -> Iterator[tuple[str, _Pause]]:
    """The pauses of threads and tasks in a lock of the program's own, and its users' lines."""
    model, table, trace = facts.model, facts.model.states, facts.model.trace
    if not may_be_called(model, _PARTS):
        return
    wanted = having(model, table.call_site, _may_acquire, _PARTS)
    rows = calls_of(facts, (SLEEP,), memoryview(wanted)) if 1 in wanted else []
    for row in rows[:_MOST]:
        stack = stack_of(facts.model, row)
        if site := own_lock_of(tuple(stack.split("\n"))):
            yield site, (("thread", table.who[row]), table.start_ns[row], table.end_ns[row])
    if not any(map(_may_acquire, trace.stacks)):
        return
    for i in awaits_of(facts, f"{s.AWAIT_PREFIX}{s.SLEEP}")[:_MOST]:
        stack = facts.stack(i)
        if site := own_lock_of(tuple(stack.split("\n"))):
            start, end = trace.slices.start_ns[i], trace.slices.end_ns[i]
            yield site, (("task", model.owners.owner[i]), start, end)


def _may_acquire(text: str) -> bool:
    """Whether a site, or the first line of a stack, may be in a lock of the program's own."""
    end = text.find("\n")
    site = text if end < 0 else text[:end]  # stacks are long: no copy of what is below
    if not _HINT.search(site) or is_library(site) or not _acquires(site, is_manager=True):
        return False
    return "ock" in text or "cquire" in text or "utex" in text


def _held(pauses: list[_Pause]) -> list[_Pause]:
    """Who had the lock from when to when: from the last pause until the next one got it."""
    last: dict[Who, int] = {}
    got = list[tuple[int, Who]]()
    for who, start, end in pauses:
        if who in last and start - last[who] > _AGAIN_NS:
            got.append((last[who], who))
        last[who] = end
    got += [(end, who) for who, end in last.items()]
    got.sort()
    return [(who, end, after) for (end, who), (after, _) in pairwise(got)]


# Imports -------------------------------------------------------------------------------------


def slow_import(facts: Facts) -> Iterator[Finding]:
    """Threads that wait for a module which another one of them imports, for long."""
    waits = LongWaits.of(facts)
    alike: dict[str, list[Wait]] = defaultdict(list)
    for wait in waits.all:
        if wait.name == IMPORT and not wait.failed and wait.slice not in waits.told:
            alike[wait.site].append(wait)
    for site, found in alike.items():
        waiting = {wait.who for wait in found}
        by = {w.ender for w in found if w.ender and w.ender not in waiting}
        total = sum(wait.ns for wait in found)
        if total < LOST_NS or len(by) != 1:
            continue
        (importer,) = by
        worst = max(found, key=lambda wait: wait.ns)
        split = facts.split(importer[1], window(worst.start_ns, worst.end_ns))
        own = sum(split.states.values()) - split.of(NOT_ITS_FAULT)
        lost = total * own // max(worst.ns, 1)
        if importer[0] != "thread" or lost < LOST_NS * facts.patience:
            continue
        did = doing(facts, [(importer, worst.start_ns, worst.end_ns)])
        text = (
            f"Lock convoy: {users(facts.model, waiting)}{place_in(site)} waited for an "
            f"import: {plural(len(found), 'wait')}, "
            f"{in_total(facts, total, worst.ns, worst.start_ns)}, while "
            f"{code(name_of(facts.model, importer))} imported the "
            f"module{f', {did}' if did else ''}. Import it when the program starts, before "
            f"threads need it."
        )
        yield Finding("lock convoy", lost, text, waits.evidence(worst))
