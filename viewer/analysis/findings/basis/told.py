"""What is said of a task besides its states, as instants on the thread that saw it."""

from collections.abc import Iterator
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.findings.basis.facts import Facts
from viewer.trace.processes import number_of


class Said(NamedTuple):
    event: int
    at_ns: int
    task: int


def of_tasks(facts: Facts, what: str) -> Iterator[Said]:
    """The instants of this name, in order of time, with the tasks they are about."""
    trace = facts.model.trace
    for event in trace.instants(trace.events.name, what):
        process = trace.track_process[trace.events.track[event]]
        number = number_of(trace.args(event), s.ARG_TASK)
        task = facts.ledger.task_of(process, number)
        if task >= 0:
            yield Said(event, trace.events.time_ns[event], task)
