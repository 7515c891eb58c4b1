"""Rounds of tasks that are gathered, each of which begins when the slowest of the one before
has ended."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import name_of, place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.findings.loops.turns import is_its_life
from viewer.analysis.resources.waits import longest_slices
from viewer.trace.columns import AWAIT
from viewer.trace.sites import is_library
from viewer.words import code

# Whether a round needs the one before, no trace can tell. So this is advice, as for awaits of
# one task alone: ten rounds, which are most of the life of a task that ends by itself, and
# would have saved a second. Rounds of equal tasks keep the load small, and a service gathers
# again and again, but has no end: so each task of a round is of a function of its own, and
# nearly all rounds are alike. Steps of one computation ask two things of a kind at once, and
# both take about as long; the rounds themselves cost something only where the quickest of each
# waits for the slowest, for half of the round on average.
_ROUNDS, _SAVED_NS = 10, 1_000 * MS
_ALIKE = 8, 10
_IN_VAIN = 2
_LONG_NS = MS
_MOST = 2_000
_SEVERAL = tuple(f"{s.AWAIT_PREFIX}{what}" for what in ("gather", "TaskGroup"))


class _Round(NamedTuple):
    """`tasks` were made for it, and awaited together in a slice."""

    slice: int
    tasks: list[int]


def gathered_in_rounds(facts: Facts) -> Iterator[Finding]:
    """One task gathers the same few functions again and again."""
    slices, owner = facts.model.trace.slices, facts.model.owners.owner
    by_line = defaultdict[tuple[int, str], list[int]](list)
    for i in longest_slices(facts, (AWAIT,), _LONG_NS, _MOST):
        what, site = facts.awaited(i)
        if what in _SEVERAL and owner[i] >= 0 and not is_library(site):
            by_line[owner[i], site].append(i)
    for (task, site), awaits in by_line.items():
        took = [facts.slice_ns(i) for i in awaits]
        is_much = len(took) >= _ROUNDS and sum(took) - max(took) >= _SAVED_NS
        if is_much and is_its_life(facts, task, sum(took)):
            rounds = _rounds(facts, task, sorted(awaits, key=slices.start_ns.__getitem__))
            functions = _functions(facts, rounds)
            if functions and _is_uneven(facts, rounds):
                yield _finding(facts, task, site, rounds, functions, sum(took) - max(took))


def _rounds(facts: Facts, task: int, awaits: list[int]) -> list[_Round]:
    """Each await with the tasks made since the one before."""
    slices, owned = facts.model.trace.slices, facts.model.owners
    rounds = [_Round(i, []) for i in awaits]
    ends = [slices.end_ns[i] for i in awaits]
    for child in facts.ledger.children_of(task):
        n = bisect_left(ends, slices.start_ns[owned.task_head[child]])
        if n < len(rounds):
            rounds[n].tasks.append(child)
    return rounds


def _functions(facts: Facts, rounds: list[_Round]) -> tuple[int, ...]:
    """The coroutines of a round, two or more of the program's own, each once; none where the
    rounds differ."""
    group_of = facts.model.owners.task_group
    usual = Counter(tuple(sorted(group_of[task] for task in one.tasks)) for one in rounds)
    groups, times = usual.most_common(1)[0]
    is_alike = times * _ALIKE[1] >= len(rounds) * _ALIKE[0]
    are_own = not any(is_library(facts.model.coroutine(group)[1]) for group in groups)
    is_one_each = 2 <= len(groups) == len({*groups})
    return groups if is_alike and are_own and is_one_each else ()


def _is_uneven(facts: Facts, rounds: list[_Round]) -> bool:
    """Whether the first task of a round to end waits for the last one for half of its time."""
    starts_ns, idle = facts.model.trace.slices.start_ns, 0
    for one in rounds:
        ends = [facts.ledger.rows_of_tasks.last_ns(task) for task in one.tasks]
        idle += max(ends) - max(min(ends), starts_ns[one.slice]) if ends else 0
    return idle * _IN_VAIN >= sum(facts.slice_ns(one.slice) for one in rounds)


def _finding(
    facts: Facts, task: int, site: str, rounds: list[_Round], functions: tuple[int, ...],
    saved: int,
) -> Finding:  # fmt: skip
    model, slices = facts.model, facts.model.trace.slices
    start, end = slices.start_ns[rounds[0].slice], slices.end_ns[rounds[-1].slice]
    gathered = " and ".join(code(*model.coroutine(group)) for group in functions)
    text = (
        f"Awaits in turn: {code(name_of(model, ('task', task)))}{place_in(site)} gathers "
        f"{gathered} {len(rounds)} times, one round after the other, for "
        f"{duration(end - start)} ({at(facts, start)}); each round waits for its slowest, "
        f"mostly {_slowest(facts, rounds)}. If no round depends on the one before, gather all "
        f"at once, with a semaphore where they would be too many; {duration(saved)} would be "
        f"saved at most."
    )
    evidence = facts.evidence(("task", task), start, end - start, site)
    return Finding("awaits in turn", saved, text, evidence)


def _slowest(facts: Facts, rounds: list[_Round]) -> str:
    """The coroutine whose task mostly was the last to end."""
    group_of = facts.model.owners.task_group
    last = Counter(
        group_of[max(one.tasks, key=facts.ledger.rows_of_tasks.last_ns)]
        for one in rounds
        if one.tasks
    )
    group, times = last.most_common(1)[0]
    return f"{code(*facts.model.coroutine(group))} ({plural(times, 'time')})"
