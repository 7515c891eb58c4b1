"""The critical path as text: what had to happen before a wait could end."""

import re
from collections.abc import Callable

from tracer import schema as s
from tracer.units import durations, moments
from viewer.analysis.why.explain import Explanation
from viewer.analysis.why.step import Did, Step
from viewer.words import beside, code, shorten

_LONG = 48
NUMBERED = re.compile(r"(.*) #(\d+)")

_WAITED = {
    s.READY: "was ready",
    s.GIL_WAIT: "waited for the GIL",
    s.PREEMPTED: "was preempted",
    s.OFF_CPU: "was off the CPU",
    s.SLEEP: "slept",
}
_VERBS = (
    (s.AWAIT_PREFIX, "awaited"),
    (s.LOCK_WAIT_PREFIX, "waited for"),
    (s.IO_PREFIX, "was in"),
)


def name_of(name: str) -> str:
    """In backquotes, but for the number of a task."""
    numbered = NUMBERED.fullmatch(name)
    return f"`{shorten(numbered[1], _LONG)}` #{numbered[2]}" if numbered else code(name)


def _waited(step: Step) -> str:
    said = _WAITED.get(step.what)
    for prefix, verb in _VERBS:
        if step.what.startswith(prefix):
            said = f"{verb} {code(step.what.removeprefix(prefix), step.site)}"
    return f"{name_of(step.who)} {said or f'waited for {code(step.what, step.site)}'}"


def _arrived(step: Step) -> str:
    said = "something arrived from outside the program"
    return f"{said}, while the loop was busy" if step.end_ns > step.start_ns else said


def _wrote(step: Step) -> str:
    return f"{name_of(step.who)} wrote to it{beside(step.site)}"


_STEPS: dict[Did, Callable[[Step], str]] = {
    Did.WAITED: _waited,
    Did.RAN: lambda step: f"{name_of(step.who)} ran",
    Did.CALLBACK: lambda step: f"callback {code(step.who, step.site)} ran",
    Did.CALLED: lambda step: f"{name_of(step.who)} was in {code(step.what, step.site)}",
    Did.CREATED: lambda step: f"{name_of(step.who)} created {name_of(step.what)}",
    Did.JOB: lambda step: f"job {code(step.who, step.site)} ran in {name_of(step.what)}",
    Did.SUBMITTED: lambda step: f"{name_of(step.who)} submitted the job {name_of(step.what)}",
    Did.WROTE: _wrote,
    Did.TIMER: lambda _: "a timer was due",
    Did.IO: _arrived,
    Did.DONE: lambda _: "the call was done",
    Did.UNKNOWN: lambda _: "the cause is unknown",
    Did.TIMEOUT: lambda _: "it timed out: nobody had woken it",
    Did.CANCELLED: lambda _: "it was cancelled: nobody had woken it",
    Did.CYCLE: lambda step: f"{name_of(step.who)} waits for itself, in a cycle",
    Did.MORE: lambda _: "… more steps before these",
}


def step_text(step: Step) -> str:
    """What somebody did in one step of the path."""
    return _STEPS[step.did](step)


def path(explanation: Explanation, width: int) -> list[str]:
    lines = ["   What had to happen first, the latest at the top:"]
    begins = moments([step.start_ns - explanation.base_ns for step in explanation.path])
    lasted = durations([step.end_ns - step.start_ns for step in explanation.path])
    for step, at, took in zip(explanation.path, begins, lasted, strict=True):
        start = f"   {at:>12}  {'' if took == '0' else took:>9}  "
        lines.append(start + shorten(step_text(step), max(width - len(start), 20)))
    return lines
