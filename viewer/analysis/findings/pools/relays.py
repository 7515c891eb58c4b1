"""Limits of a pool or library: the next task is made as one of those before it ends."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer.units import duration, plural
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.groups import sites
from viewer.analysis.findings.basis.waits import LongWaits, users
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.waits import Wait
from viewer.words import code

_MS = 1_000_000
# Half a second was lost until a task of one's own was made. Four were made within 5 ms after
# the end of another one, four fifths of all that were not among the first; and of two kinds of
# waits, or of those that came over time: one batch may take its time.
_LOST_NS = 500 * _MS
_RELAYS = 4
_JUST_NS = 5 * _MS
_MOSTLY = 8, 10
_FUTURE = "future"
_MOST = 2_000  # waits for tasks of one function


class _Served(NamedTuple):
    """A wait, and the task that was made for it."""

    wait: Wait
    task: int
    queued_ns: int


def relayed(facts: Facts) -> Iterator[Finding]:
    """Waits for tasks that are made one for each, as many at a time as a limit allows."""
    waits, group = LongWaits.of(facts), facts.model.owners.task_group
    by_group: dict[int, list[Wait]] = defaultdict(list)
    for wait in waits.all:
        is_task = wait.ender is not None and wait.ender[0] == wait.who[0] == "task"
        if is_task and wait.name == _FUTURE and wait.ender is not None and not wait.failed:
            by_group[group[wait.ender[1]]].append(wait)
    for of, found in by_group.items():
        own = {group[wait.who[1]] for wait in found}
        if of in own or not _RELAYS < len(found) <= _MOST:
            continue
        tasks = [task for task, one in enumerate(group) if one == of]
        served = _served(waits, found, tasks)
        lost = sum(one.queued_ns for one in served)
        size = _size(waits, tasks) if lost >= _LOST_NS else 0
        if size and not _is_batch(waits, found, tasks):
            yield _finding(facts, served, tasks, size)


def _served(waits: LongWaits, found: list[Wait], tasks: list[int]) -> list[_Served]:
    """First come, first served; nothing where there is not one for each."""
    if len(found) != len(tasks):
        return []
    births = sorted((waits.begins_ns(("task", task)), task) for task in tasks)
    in_turn = zip(sorted(found, key=lambda wait: wait.start_ns), births, strict=True)
    served = [_Served(wait, task, born - wait.start_ns) for wait, (born, task) in in_turn]
    if any(not -_JUST_NS <= one.queued_ns <= one.wait.ns for one in served):
        return []
    return served


def _size(waits: LongWaits, tasks: list[int]) -> int:
    """How many of them live at a time, where each next one is made as one ends; else 0."""
    ends = sorted(waits.ends_ns(("task", task)) for task in tasks)
    births = sorted(waits.begins_ns(("task", task)) for task in tasks)
    size = bisect_left(births, ends[0] - _JUST_NS)
    late = [born for born in births[size:] if born >= ends[0] - _JUST_NS]
    after = 0
    for born in late:
        before = bisect_left(ends, born + _JUST_NS) - 1
        after += before >= 0 and abs(born - ends[before]) <= _JUST_NS
    is_relay = after >= _RELAYS and after * _MOSTLY[1] >= len(late) * _MOSTLY[0]
    return size if is_relay else 0


def _is_batch(waits: LongWaits, found: list[Wait], tasks: list[int]) -> bool:
    first_ns = min(waits.ends_ns(("task", task)) for task in tasks)
    late = sum(wait.start_ns > first_ns for wait in found)
    return len({wait.site for wait in found}) == 1 and late * 4 < len(found)


def _finding(facts: Facts, served: list[_Served], tasks: list[int], size: int) -> Finding:
    model, waits = facts.model, LongWaits.of(facts)
    late = [one for one in served if one.queued_ns >= _JUST_NS]
    worst = max(late, key=lambda one: one.queued_ns)
    lost = sum(one.queued_ns for one in late)
    lives: list[tuple[Who, int, int]] = []
    for task in tasks:
        who: Who = ("task", task)
        lives.append((who, waits.begins_ns(who), waits.ends_ns(who)))
    mean = sum(end - begin for _, begin, end in lives) // len(lives)
    did = mostly(facts, lives)
    name = code(*model.coroutine(model.owners.task_group[tasks[0]]))
    kinds = Counter(one.wait.site for one in late)
    text = (
        f"Pool exhausted: {users(model, (one.wait.who for one in late))} waited in "
        f"{sites([one.wait for one in late])} until {name} could begin for them: "
        f"{plural(len(late), 'wait')} lost "
        f"{in_total(facts, lost, worst.queued_ns, worst.wait.start_ns)}. It runs {size} at a "
        f"time, and the next one begins as one of them ends; each takes {duration(mean)} on "
        f"average{f', {did.text}' if did.text else ''}. Raise that limit (`max_clients`, "
        f"`limit`)"
    )
    text += ", or give the slow ones one of their own." if len(kinds) > 1 else "."
    found = waits.evidence(worst.wait)._replace(duration_ns=worst.queued_ns)
    return Finding("pool exhausted", lost, text, found, behind=did.behind)
