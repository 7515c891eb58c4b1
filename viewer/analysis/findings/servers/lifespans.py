"""Applications whose start-up takes long: their server answers nobody before it is over."""

from collections.abc import Iterator
from functools import lru_cache

from tracer.units import MS, duration, share
from viewer.analysis.findings.basis.doing import Doing, mostly
from viewer.analysis.findings.basis.facts import NOT_ITS_FAULT, Facts, Finding
from viewer.analysis.findings.basis.inside import known_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import window
from viewer.analysis.states import mentioned
from viewer.trace.columns import AWAIT
from viewer.trace.sites import is_library, place_of
from viewer.words import code

# As with modules that are imported: half a second, and a quarter of the recording.
_LONG_NS = 500 * MS
_PART = 1, 4
# The part of a path, the function that waits for the application's start, and the server.
_SERVERS = (
    ("/uvicorn/lifespan/on.py:", ("LifespanOn.startup",), "uvicorn"),
    ("/hypercorn/asyncio/lifespan.py:", ("Lifespan.wait_for_startup",), "hypercorn"),
)


def slow_start_up(facts: Facts) -> Iterator[Finding]:
    """A server waits for the code that the application runs at its start."""
    if not mentioned(facts.model, *(file for file, _, _ in _SERVERS)):
        return
    model, trace, slices = facts.model, facts.model.trace, facts.model.trace.slices
    awaits = trace.engine.longer(
        slices.start_ns, slices.end_ns, facts.kinds((AWAIT,)), _LONG_NS
    )
    for i in awaits:
        name = _server(facts.stack(i))
        task, start, end = model.owners.owner[i], slices.start_ns[i], slices.end_ns[i]
        if not name or task < 0:
            continue
        process = trace.processes[model.owners.task_process[task]]
        life_ns = process.end_ns - process.start_ns
        who: Who = ("task", task)
        if (end - start) * _PART[1] < life_ns * _PART[0]:
            continue
        did = mostly(facts, [(who, start, end)])
        if not did.behind:  # it computes, or is kept from it
            did = _step(facts, start, end)
        if not did.site or is_library(did.site):
            continue
        text = (
            f"Slow start: {name} answers nobody before the application has started, which "
            f"took {duration(end - start)} ({at(facts, start)}), {did.text}."
        )
        step = (
            f"Let {code(place_of(did.site).function)} do that in the background, or when it "
            f"is first needed."
        )
        evidence = facts.evidence(who, start, end - start, did.site)
        yield Finding("slow start", end - start, text, evidence, step, behind=did.behind)


def _step(facts: Facts, start_ns: int, end_ns: int) -> Doing:
    """The step of a loop that took most of a time, and whose it was."""
    slices = facts.model.trace.slices
    within = (
        i
        for i in facts.long_loop_slices
        if start_ns <= slices.start_ns[i] and slices.end_ns[i] <= end_ns + MS
    )
    one = max(within, key=facts.slice_ns, default=-1)
    ns = facts.slice_ns(one) if one >= 0 else 0
    if ns * 2 < end_ns - start_ns or _own_ns(facts, one) < _LONG_NS:
        return Doing("", "")
    name, site, _ = facts.runs(one)
    text = f"{share(ns, end_ns - start_ns)} of that in one step of {code(name, site)}"
    return Doing(text, site, 100)


def _own_ns(facts: Facts, step: int) -> int:
    """How long a step took, without what the kernel and the GIL took."""
    slices, lane = facts.model.trace.slices, facts.model.lane[step]
    times = slices.start_ns[step], slices.end_ns[step]
    split = facts.split(facts.ledger.thread_of_loop[lane], window(*times))
    return times[1] - times[0] - split.of(NOT_ITS_FAULT)


@lru_cache(maxsize=4096)
def _server(stack: str) -> str:
    found = known_in(stack.split("\n"), _SERVERS)
    return found[1] if found is not None else ""
