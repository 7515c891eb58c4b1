"""The exception that ended a program, for which a snapshot was taken: who failed with it."""

from typing import NamedTuple

from tracer import schema as s
from tracer.units import duration, moment
from viewer.analysis.causes.lanes import name_of_task
from viewer.analysis.findings.basis.facts import Facts
from viewer.analysis.flight import Flight
from viewer.trace.columns import AWAIT, RUNNING
from viewer.words import code

_REASON = "exception ("  # tracer/flight_recorder/rings.py


class Raised(NamedTuple):
    """`tasks`, by number: those that failed with it one because of the other, the first first;
    empty: none of the trace's did."""

    name: str  # of the exception's class
    tasks: tuple[int, ...]
    at_ns: int  # the first failed, else the program ended


def raised(facts: Facts, taken: Flight) -> Raised | None:
    """None: the snapshot was taken for something else."""
    if not taken.reason.startswith(_REASON):
        return None
    name = taken.reason.removeprefix(_REASON).removesuffix(")")
    lanes = facts.ledger.rows_of_tasks
    every = range(len(lanes.offset) - 1)
    failed = facts.ledger.ended_so(every, f"{s.FAILED_PREFIX}{name}")
    ends = {task: lanes.end_ns[lanes.offset[task + 1] - 1] for task in failed}
    chain: list[int] = []
    while failed:
        within = (_awaited_since(facts, chain[-1]), ends[chain[-1]]) if chain else (0, 0)
        before = [t for t in failed if within[0] <= ends[t] <= within[1]] if chain else failed
        if not before:
            break
        # Who awaits several is told of the first that fails; the program, of the last.
        chain.append((min if chain else max)(before, key=ends.__getitem__))
        failed = failed - {chain[-1]}
    return Raised(name, tuple(reversed(chain)), ends[chain[-1]] if chain else taken.until_ns)


def _awaited_since(facts: Facts, task: int) -> int:
    """When the task's last await began; its end if it never awaited anything."""
    lanes = facts.ledger.rows_of_tasks
    rows = range(lanes.offset[task + 1] - 1, lanes.offset[task] - 1, -1)
    last = next((row for row in rows if lanes.code[row] == AWAIT), None)
    return lanes.end_ns[rows[0]] + 1 if last is None else lanes.start_ns[last]


def text_of(facts: Facts, found: Raised) -> str:
    """Which task failed with it first, when, after what step, and who did then."""
    model = facts.model
    said = f"The program ended with {found.name}"
    at = f"at {moment(max(found.at_ns - model.start_ns, 0))}"
    if not found.tasks:
        return f"{said} {at}, the end of the recording; no task failed with it."
    first, *others = (code(name_of_task(model, task)) for task in found.tasks)
    later = f"; then {', then '.join(others)}" if others else ""
    return f"{said}: {first} failed with it {at}{_step(facts, found)}{later}."


def _step(facts: Facts, found: Raised) -> str:
    lanes = facts.ledger.rows_of_tasks
    last = lanes.offset[found.tasks[0] + 1] - 1
    if lanes.code[last] != RUNNING:
        return ""
    return f", after {duration(lanes.end_ns[last] - lanes.start_ns[last])} of its last step"
