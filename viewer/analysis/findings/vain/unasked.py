"""Tasks that failed, and whose exception nobody has ever asked for."""

from collections import defaultdict
from collections.abc import Iterator

from tracer import schema as s
from tracer.units import plural
from viewer.analysis.dump.alive import created_at
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.told import of_tasks
from viewer.analysis.findings.basis.words import at
from viewer.words import code, place


def unasked_failure(facts: Facts) -> Iterator[Finding]:
    """One is enough: asyncio complains of it, too, where somebody reads that. It costs nobody
    time, so whatever does is told first."""
    model, slices = facts.model, facts.model.trace.slices
    found = defaultdict[tuple[int, str], list[int]](list)
    for one in of_tasks(facts, s.UNASKED):
        exception = str(model.trace.args(one.event).get(s.ARG_EXCEPTION, ""))
        found[model.owners.task_group[one.task], exception].append(one.task)
    for (group, exception), tasks in found.items():
        rows, first = facts.ledger.rows_of_tasks, min(tasks)
        name, site = model.coroutine(group)
        start = slices.start_ns[model.owners.task_head[first]]
        end = rows.last_ns(first)
        said = plural(len(tasks), model.nouns_for(tasks).task)
        text = (
            f"{code(name, site)}: {said}, created at {place(created_at(model, first))}, "
            f"failed with `{exception}`, the first {at(facts, end)}, and nobody has asked for "
            f"the result: {'it' if len(tasks) == 1 else 'they'} failed unnoticed."
        )
        evidence = facts.evidence(("task", first), start, end - start, site)
        step = "Await the task, or look at `task.exception()` in a callback of its end."
        yield Finding("orphaned task", 0, text, evidence, step)
