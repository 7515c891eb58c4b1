"""Tasks that sleep and wake again and again, of which one is started after the other."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tracer import schema as s
from viewer.analysis.dump.alive import created_at
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import place_in
from viewer.analysis.findings.pools.pileups import one_by_one
from viewer.analysis.waited import For, waited_for
from viewer.trace.columns import AWAIT, Column
from viewer.words import code, place

# More than of threads that pile up, since tasks are cheap; made by one task, all through the
# recording, up to its last quarter. Clients that come and stay have tasks of their own, which
# make these; a staggered start is over sooner.
MANY = 24
_LAST = 3, 4
_LOOKS = 2
_ONE = "Cancel the old one before a new one is created, or keep one for all."
_CANCEL = "Cancel it in a `finally` of whoever creates it, or create it in a task group."
_ASLEEP = 8, 10
_BACK = 60  # rows of a task that are looked at


def heartbeats_pile_up(facts: Facts, members: dict[int, Column]) -> Iterator[Finding]:
    """One task makes periodic tasks one after the other, and none of them ever ends; `members`
    are the tasks of each coroutine."""
    owned = facts.model.owners
    for group, every in members.items():
        quarter = len(every) // 4
        some = (every[quarter], every[quarter * 2], every[quarter * 3])
        if len(every) < MANY or not any(_sleeps_at(facts, task) for task in some):
            continue
        alike: dict[tuple[int, int], list[int]] = defaultdict(list)
        for task in every:
            alike[owned.task_process[task], owned.task_parent[task]].append(task)
        for (process, parent), tasks in alike.items():
            if len(tasks) >= MANY and parent >= 0:
                found = _finding(facts, process, parent, group, tasks)
                if found is not None:
                    yield found
        for (process, _), tasks in _left_behind(facts, every).items():
            if len(tasks) >= MANY:
                parent = owned.task_parent[tasks[0]]
                found = _finding(facts, process, parent, group, tasks, is_left=True)
                if found is not None:
                    yield found


def _left_behind(facts: Facts, every: Column) -> dict[tuple[int, int], list[int]]:
    """By process and coroutine of the creators: tasks that outlive their creator, who made
    one of them."""
    owned, ledger = facts.model.owners, facts.ledger
    found: dict[tuple[int, int], list[int]] = defaultdict(list)
    made = Counter((owned.task_process[task], owned.task_parent[task]) for task in every)
    for task in every:
        process, parent = owned.task_process[task], owned.task_parent[task]
        maker = ledger.task_of(process, parent) if parent >= 0 else -1
        if maker >= 0 and made[process, parent] == 1 and ledger.how_it_ended(maker):
            found[process, owned.task_group[maker]].append(task)
    return found


def _finding(
    facts: Facts,
    process: int,
    parent: int,
    group: int,
    tasks: list[int],
    *,
    is_left: bool = False,
) -> Finding | None:
    model, owned = facts.model, facts.model.owners
    maker = facts.ledger.task_of(process, parent)
    starts_ns = model.trace.slices.start_ns
    births = sorted(starts_ns[owned.task_head[task]] for task in tasks)
    run = model.trace.processes[process]
    whole = run.end_ns - run.start_ns
    is_late = (births[-1] - run.start_ns) * _LAST[1] >= whole * _LAST[0]
    if maker < 0 or not is_late or not one_by_one(births, whole):
        return None
    rows = facts.ledger.rows_of_tasks
    if any(rows.last_ns(task) < births[-1] for task in tasks):
        return None
    if len(facts.ledger.ended_so(tasks, s.DONE)) * 2 >= len(tasks):
        return None  # they come to their own end later: users of a test, who come in turn
    some = (tasks[0], tasks[len(tasks) // 2], tasks[len(tasks) * 3 // 4])
    sites = [_sleeps_at(facts, task) for task in some]
    if "" in sites:
        return None
    name, site = model.coroutine(group)
    by, where = model.coroutine_of(maker), created_at(model, tasks[0])
    first = min(tasks, key=lambda task: starts_ns[owned.task_head[task]])
    last_ns = rows.last_ns(first)
    noun = model.nouns_for(tasks).task
    text = (
        f"{noun.capitalize()}s of {code(name, site)} pile up: {len(tasks):,} were "
        f"created by {code(by, where) if where else code(by)}, one after the other, "
        f"{f'by {noun}s that have ended since, ' if is_left else ''}and none had "
        f"ended when the last one began: each still sleeps and wakes again"
        f"{place_in(sites[0]) or f' ({place(sites[0])})'}."
    )
    return Finding(
        "task leak",
        0,
        text,
        facts.evidence(("task", first), births[0], last_ns - births[0], sites[0]),
        _CANCEL if is_left else _ONE,
    )


def _sleeps_at(facts: Facts, task: int) -> str:
    """Where a task sleeps again and again, for most of its time; "" where it does not."""
    model, rows = facts.model, facts.ledger.rows_of_tasks
    kinds = model.owners.kind
    found, slept, site = 0, 0, ""
    for at in (places := rows.places(task)[-_BACK:]):
        i = rows.row[at]
        if kinds[i] != AWAIT:
            continue
        what, where = facts.awaited(i)
        if waited_for(what.removeprefix(s.AWAIT_PREFIX)) is For.CLOCK:
            found += 1
            slept += facts.slice_ns(i)
            site = where or site
    span = rows.last_ns(task) - rows.start_ns[places[0]] if places else 0
    return site if found >= _LOOKS and slept * _ASLEEP[1] >= span * _ASLEEP[0] else ""
