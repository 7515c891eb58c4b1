"""Event loops in asyncio's debug mode, which notes the stack at each call, future and task."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from tracer import schema as s
from tracer.units import duration, share
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.words import at
from viewer.analysis.profiles.cpu import stack_places
from viewer.analysis.profiles.profile import Place
from viewer.analysis.states import mentioned
from viewer.words import code

# A quarter of a thread's samples, and half a second: a program that is being debugged for a
# moment is none that somebody calls slow.
_NOTES = ("asyncio.format_helpers.extract_stack", "traceback.extract_stack")  # in Python, in C
_BY = "/asyncio/"
_PART = 4
_LOST_NS = 500_000_000
_SAMPLES = 20
_STEP = (
    "Switch it off: `asyncio.run(..., debug=True)`, `loop.set_debug()`, `PYTHONASYNCIODEBUG` "
    "and `python -X dev` switch it on."
)


def debug_mode(facts: Facts) -> Iterator[Finding]:
    """A loop spends its time on notes for the debugger."""
    if not facts.samples or not mentioned(facts.model, "extract_stack"):
        return
    notes = [*map(_does_note, stack_places(facts.model))]
    for thread in {*facts.ledger.thread_of_loop} - {-1}:
        samples = facts.samples.get(facts.model.threads[thread].tid, [])
        noted = [at_ns for at_ns, stack in samples if notes[stack]]
        if len(samples) < _SAMPLES or len(noted) * _PART < len(samples):
            continue
        (row,) = facts.threads.with_numbers([thread])
        lost = row.states[s.RUNNING] * len(noted) // len(samples)
        if lost >= _LOST_NS:
            yield _finding(facts, thread, noted, len(samples), lost)


def _does_note(stack: Sequence[Place]) -> bool:
    """Whether the loop, or what it made, notes its stack."""
    return any(
        inner.function in _NOTES and _BY in outer.path for inner, outer in pairwise(stack)
    )


def _finding(facts: Facts, thread: int, noted: list[int], every: int, lost: int) -> Finding:
    name, start, whole = facts.model.thread_names[thread], noted[0], noted[-1] - noted[0]
    text = (
        f"Event loop overloaded: asyncio's debug mode takes {share(len(noted), every)} of "
        f"{every} CPU samples of {code(name)}, about {duration(lost)} ({at(facts, start)}): "
        f"the loop notes the whole stack at each call, future and task."
    )
    evidence = facts.evidence(("thread", thread), start, whole, "")
    return Finding("loop overloaded", lost, text, evidence, _STEP)
