"""Tasks that take long to end after they were cancelled, while their canceller waits."""

from collections.abc import Iterator

from tracer import schema as s
from tracer.units import duration
from viewer.analysis.findings.basis.doing import doing
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.findings.vain.abandoned import cancelled_before, for_tasks
from viewer.analysis.resources.waits import longest_slices
from viewer.trace.columns import AWAIT
from viewer.words import code

_MS = 1_000_000
# Whoever cancels a task waits for its clean-up for a moment. This is half a second or more,
# and most of the wait.
_LOST_NS = 500 * _MS
_MOST_OF = 2
_MOST = 200
_TASK = s.AWAIT_TASK_PREFIX.removeprefix(s.AWAIT_PREFIX)
_LAST_NS = 50 * _MS  # from the end of the task to that of the wait


def slow_clean_up(facts: Facts) -> Iterator[Finding]:
    """A task cancels others and awaits their end, and one awaits something before it ends."""
    slices, owner = facts.model.trace.slices, facts.model.owners.owner
    waits, told = LongWaits.of(facts), set[int]()
    for i in for_tasks(facts, longest_slices(facts, (AWAIT,), _LOST_NS, _MOST)):
        until = slices.end_ns[i]
        late = [
            (task, before, after)
            for task, before in cancelled_before(facts, waits, i)
            if abs(until - waits.ends_ns(("task", task))) <= _LAST_NS and task not in told
            for after in [_cleans_up(facts, waits, task, before)]
            if after >= 0
        ]
        if not late:
            continue
        task, _, after = max(late, key=lambda one: facts.slice_ns(one[2]))
        lost = facts.slice_ns(after)
        if lost * _MOST_OF < until - slices.start_ns[i]:
            continue
        told.update(one for one, _, _ in late)
        what, where = facts.awaited(after)
        site = facts.awaited(i)[1]
        who, by = (code(name_of(facts.model, ("task", one))) for one in (task, owner[i]))
        name = what.removeprefix(s.AWAIT_PREFIX)
        inner = _task_of(facts, task, name)
        times = [(("task", inner), slices.start_ns[after], slices.end_ns[after])]
        did = doing(facts, times) if inner >= 0 else ""
        text = (
            f"Waited in vain: {by}{place_in(site)} cancelled {who} and then waited "
            f"{duration(until - slices.start_ns[i])} for its end "
            f"({at(facts, slices.start_ns[i])}): {who} awaits "
            f"`{name}`{place_in(where)} before it ends, for "
            f"{duration(lost)}{f', {did}' if did else ''}. Clean up without awaiting, with a "
            f"short time-out, or in a task of its own."
        )
        evidence = facts.evidence(("task", task), slices.start_ns[after], lost, where)
        yield Finding("wait in vain", lost, text, evidence)


def _cleans_up(facts: Facts, waits: LongWaits, task: int, cancelled: int) -> int:
    """The longest await of a task after the one that was cancelled; -1 when it is short, or
    at the same line: then it goes on as before."""
    slices, kind = facts.model.trace.slices, facts.model.owners.kind
    later = [
        j
        for j in waits.tree.lanes.rows_of_task(task)
        if kind[j] == AWAIT and slices.start_ns[j] >= slices.end_ns[cancelled]
    ]
    if not later:
        return -1
    longest = facts.longest_slice(later)
    is_long = facts.slice_ns(longest) >= _LOST_NS
    is_same = facts.awaited(longest) == facts.awaited(cancelled)
    return longest if is_long and not is_same else -1


def _task_of(facts: Facts, task: int, awaited: str) -> int:
    """The task whose end another one awaits; -1 for other awaits."""
    model, process = facts.model, facts.model.owners.task_process
    name = awaited.removeprefix(_TASK)
    if name == awaited:
        return -1
    alike = (other for other in range(len(process)) if process[other] == process[task])
    return next((other for other in alike if model.task_name(other) == name), -1)
