"""Which waits are worth explaining: the worst of each problem, the worst problem first."""

from collections import defaultdict
from dataclasses import dataclass

from viewer.analysis.causes.tree import Tree
from viewer.analysis.findings.basis.facts import Facts
from viewer.analysis.findings.loops.tasks import task_leak
from viewer.analysis.ledger.holders import WORKER_IDLE
from viewer.analysis.processes.family import Family
from viewer.analysis.why.alike import alike, key_of
from viewer.analysis.why.asked import Asked
from viewer.analysis.why.explain import Explanation, explain
from viewer.analysis.why.find import find
from viewer.analysis.why.waits import Wait, continues, wait_of_row, wait_of_slice
from viewer.analysis.why.weight import Weight
from viewer.trace.columns import AWAIT, IDLE_WAIT, STATE_MASK
from viewer.trace.model import Model
from viewer.words import stem

_PILE = 20  # executors
_FEW = 100  # rows of a thread: one with more had more than one job
_NOTABLE_NS = 1_000_000  # nobody asks why a program lost less


@dataclass(frozen=True, slots=True)
class Problem:
    """Similar waits: the longest one explained, and the number and total of all."""

    worst: Explanation
    count: int
    total_ns: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Only waits of at least `at_least_ns` were examined."""

    problems: tuple[Problem, ...]
    at_least_ns: int


@dataclass(frozen=True, slots=True)
class _Group:
    weight: Weight
    waits: list[Wait]  # the longest first

    @property
    def ns(self) -> int:
        return sum(wait.ns for wait in self.waits)

    def is_older_than(self, time_ns: int) -> bool:
        return all(wait.start_ns < time_ns for wait in self.waits)

    @property
    def rank(self) -> tuple[int, int]:
        return -self.ns // self.weight, self.waits[0].start_ns


def worst_waits(model: Model, most: int, asked: Asked) -> Answer:
    """The worst problems, at most that many: those by which the most time was lost.

    Without a request for a task, thread or moment, waits of those that have nothing to do do
    not count, and a program that lost less than a millisecond has no problem. Raises
    NotInTraceError when the trace has no such task, thread or region.
    """
    tree = Tree(model)
    waits, at_least_ns = find(tree, asked)
    groups = [
        _Group(weight, sorted(of, key=lambda wait: (-wait.ns, wait.start_ns)))
        for (weight, _), of in alike(tree, waits).items()
    ]
    if asked == Asked():
        leaks = _leaks(tree) + _piles(tree)
        leaked = {wait for group in leaks for wait in group.waits}
        groups = [
            group
            for group in groups
            if group.weight < Weight.IDLE and group.waits[0] not in leaked
        ] + leaks
        if sum(group.ns for group in groups) < _NOTABLE_NS:
            groups = []
    groups.sort(key=lambda group: (group.is_older_than(asked.since_ns), group.rank))
    problems = tuple(
        Problem(
            explain(model, group.waits[0], tree),
            max(sum(not continues(model, wait) for wait in group.waits), 1),
            group.ns,
        )
        for group in groups[:most]
    )
    return Answer(problems, at_least_ns)


def _leaks(tree: Tree) -> list[_Group]:
    """Awaits that nobody ends, of tasks that pile up."""
    model, lanes = tree.model, tree.lanes
    found = []
    for finding in task_leak(Facts(model)):
        evidence = finding.evidence
        process = Family.of(model).at(evidence.pid, evidence.start_ns)
        task = tree.ledger.task_of(process, evidence.task)
        example = lanes.begins(task, evidence.start_ns, AWAIT) if task >= 0 else -1
        first = wait_of_slice(model, example) if example >= 0 else None
        if first is None:
            continue
        alike = key_of(tree, first)
        groups, group = model.owners.task_group, model.owners.task_group[task]
        awaits = model.task_keys(AWAIT)
        last_await = model.trace.engine.spans(
            model.trace.slices.end_ns, awaits, len(groups)
        ).last
        last = (last_await[other] for other, of in enumerate(groups) if of == group)
        waits = [
            wait
            for i in last
            if i >= 0
            and model.owners.code[i] == model.owners.code[example]
            and (wait := wait_of_slice(model, i)) is not None
            and key_of(tree, wait) == alike
        ]
        waits.sort(key=lambda wait: (-wait.ns, wait.start_ns))
        found.append(_Group(Weight.LOST, waits))
    return found


def _piles(tree: Tree) -> list[_Group]:
    """Idle waits of workers that pile up: each executor got one job and was then forgotten."""
    model, table, lanes = tree.model, tree.model.states, tree.lanes
    if len(model.threads) < _PILE:
        return []
    found: dict[str, list[Wait]] = defaultdict(list)
    for thread, name in enumerate(model.thread_names):
        rows = lanes.rows_of_thread(thread)
        states = [row for row in rows[:_FEW] if table.state[row] & STATE_MASK == IDLE_WAIT]
        idle = [row for row in states if lanes.name_of(row) == WORKER_IDLE]
        wait = wait_of_row(model, idle[0]) if len(idle) == 1 else None
        if wait is not None:
            found[stem(name)].append(wait)
    groups = []
    for waits in found.values():
        last_ns = max(wait.start_ns for wait in waits)
        forgotten = [wait for wait in waits if wait.end_ns > last_ns]
        if len({table.row[wait.row] for wait in forgotten}) >= _PILE:
            forgotten.sort(key=lambda wait: (-wait.ns, wait.start_ns))
            groups.append(_Group(Weight.LOST, forgotten))
    return groups
