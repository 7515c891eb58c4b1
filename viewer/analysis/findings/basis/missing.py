"""Who is missing at a barrier: those that run the same function and have not come there."""

from viewer.analysis.findings.basis.facts import Facts
from viewer.analysis.findings.basis.waits import LongWaits
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.waits import Wait
from viewer.words import stem

BARRIERS = ("Barrier", "Barrier.wait")  # of asyncio, of threads
_MOST = 200  # tasks or threads that run the same: more meet nowhere


def missing_at(facts: Facts, wait: Wait) -> tuple[Who, ...]:
    """Those like the waiter that live at the end of its wait and are not at that barrier.

    `()` where there are none: then somebody else is missing.
    """
    waits = LongWaits.of(facts)
    there = {
        other.who
        for other in waits.overlapping(wait)
        if (other.name, other.lock) == (wait.name, wait.lock)
    }
    found = [
        who
        for who in _alike(facts, wait)
        if who not in there
        and waits.begins_ns(who) < wait.end_ns
        and waits.ends_ns(who) >= wait.end_ns
    ]
    return tuple(found) if len(found) <= _MOST else ()


def _alike(facts: Facts, wait: Wait) -> list[Who]:
    """The tasks of the same coroutine and process, or the threads of the same name."""
    model, (kind, which) = facts.model, wait.who
    process = LongWaits.of(facts).process(wait.who)
    if kind == "task":
        group = model.owners.task_group
        return [
            ("task", task)
            for task, of in enumerate(model.owners.task_process)
            if of == process and group[task] == group[which]
        ]
    name = stem(model.thread_names[which])
    return [
        ("thread", thread)
        for thread, of in enumerate(model.thread_process)
        if of == process and stem(model.thread_names[thread]) == name
    ]
