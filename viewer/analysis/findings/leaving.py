"""What a program waits for when it is over: threads that sleep on."""

from collections.abc import Iterator

from tracer import schema as s
from tracer.units import duration
from viewer.analysis.findings.doing import doing
from viewer.analysis.findings.facts import Facts, Finding
from viewer.analysis.findings.waits import LongWaits, Wait, name_of, place_in
from viewer.analysis.findings.words import at
from viewer.analysis.ledger.resource import window
from viewer.trace.columns import SLEEP
from viewer.trace.sites import is_library, place_of
from viewer.words import code

# Who ends a program notices half a second. A thread that works on to the end of its job should
# not be cut off; one that sleeps for four fifths of that time could be woken.
_LONG_NS = 500_000_000
_MOSTLY = 8, 10
_JOIN = "Thread.join"
_WHOLE = 30  # frames: of a deeper stack the outermost ones may not be recorded
_STEP = (
    "Let the thread wait for an event instead of sleeping (`stop.wait(seconds)`), and set "
    "that event here; or join it with a time-out."
)


def slow_end(facts: Facts) -> Iterator[Finding]:
    """The main thread joins, in an exit handler, a thread that sleeps."""
    waits = LongWaits.of(facts)
    for wait in waits.all:
        kind, thread = wait.ender or ("", -1)
        is_join = wait.name == _JOIN and wait.ns >= _LONG_NS and not wait.failed
        if not is_join or kind != "thread" or not _at_exit(facts, wait):
            continue
        split = facts.split(thread, window(wait.start_ns, wait.end_ns))
        if split.of((SLEEP,)) * _MOSTLY[1] < wait.ns * _MOSTLY[0]:
            continue
        did = doing(facts, [(("thread", thread), wait.start_ns, wait.end_ns)])
        text = (
            f"Slow end: {code(name_of(facts.model, wait.who))} waits for the end of "
            f"{code(facts.model.thread_names[thread])}{place_in(wait.site)}, when the program "
            f"is over: {duration(wait.ns)} ({at(facts, wait.start_ns)}), {did}."
        )
        yield Finding("slow end", wait.ns, text, waits.evidence(wait), _STEP)


def _at_exit(facts: Facts, wait: Wait) -> bool:
    """Whether the main thread waits in a function of the program that no module called."""
    model, (kind, thread) = facts.model, wait.who
    if kind != "thread" or len(wait.stack) >= _WHOLE:
        return False
    process = model.thread_process[thread]
    is_main = model.threads[thread].tid == model.pid(process)
    has_hub = any(
        loop.process == process and loop.kind == s.TRACK_GREENLETS_PREFIX
        for loop in model.loops
    )
    is_users = any(not is_library(frame) for frame in wait.stack)
    return (
        is_main
        and is_users
        and not has_hub  # a greenlet has a stack of its own
        and all(place_of(frame).function != "<module>" for frame in wait.stack)
    )
