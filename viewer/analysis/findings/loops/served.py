"""Tasks that take messages of a connection and do the work of each before the next one."""

from bisect import bisect_right
from collections import defaultdict
from typing import NamedTuple

from tracer.units import duration
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import name_of, place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.resource import covers
from viewer.analysis.resources.room import is_for_room
from viewer.analysis.resources.waits import longest_slices
from viewer.trace.columns import AWAIT
from viewer.trace.sites import place_of
from viewer.words import code

_MS = 1_000_000
# While the other one is busy, who sends waits for room for four fifths of the time from the
# first of these waits to the last, half a second at least; and four fifths of them, three at
# least, end within 5 ms after what that one does for a message.
_JUST_NS = 5 * _MS
_TIMES = 3
_LOST_NS = 500 * _MS
_LONG_NS = 10 * _MS
_MOST = 2_000
_STEP = (
    "If their order does not matter, handle each in a task of its own, and only as many at a "
    "time as what they ask for can serve."
)


def served_in_turn(
    facts: Facts, task: int, helper: str, caller: str, found: list[int]
) -> Finding:
    """The task awaits something for each message, while the next one is there."""
    model, slices = facts.model, facts.model.trace.slices
    start, end = slices.start_ns[found[0]], slices.end_ns[found[-1]]
    ns = [facts.slice_ns(i) for i in found]
    coro, site = model.coroutine(model.owners.task_group[task])
    calls = (
        f"{code(coro, site)} calls {code(place_of(helper).function, helper)} {len(found)} "
        f"times, one after the other, in {code(place_of(caller).function, caller)}, and each "
        f"call waits in `{facts.awaited(found[0])[0]}`: {duration(sum(ns))} of "
        f"{duration(end - start)} ({at(facts, start)}), the longest {duration(max(ns))}"
    )
    there = "Until then it takes no other message, and it hardly ever had to wait for one."
    sender = sender_to(facts, found)
    evidence = facts.evidence(("task", task), start, end - start, caller)
    if sender is None:
        text = f"Awaits in turn: {calls}. {there}"
        return Finding("awaits in turn", sum(ns) - max(ns), text, evidence, _STEP)
    text = (
        f"Slow consumer: {code(name_of(model, ('task', sender.task)))}{place_in(sender.site)} "
        f"waited {duration(sender.ns)} to send, most likely to "
        f"{code(name_of(model, ('task', task)))}, since it goes on just after that each time. "
        f"{calls}. {there}"
    )
    return Finding("slow consumer", sender.ns, text, evidence, _STEP)


class Sender(NamedTuple):
    """Who waits for room in a connection, at which line, and for how long."""

    task: int
    site: str
    ns: int


def sender_to(facts: Facts, found: list[int]) -> Sender | None:
    """The only task that mostly waits for room meanwhile, and goes on just after one of these
    awaits each time; None: there is none, or several."""
    slices, owner = facts.model.trace.slices, facts.model.owners.owner
    start, end = slices.start_ns[found[0]], slices.end_ns[found[-1]]
    ends = [slices.end_ns[i] for i in found]
    waits = defaultdict[int, list[int]](list)
    for i in longest_slices(facts, (AWAIT,), _LONG_NS, _MOST):
        if start < slices.end_ns[i] <= end + _JUST_NS and is_for_room(facts, i):
            waits[owner[i]].append(i)
    senders = []
    for task, own in waits.items():
        ns = sum(slices.end_ns[i] - max(slices.start_ns[i], start) for i in own)
        after = [
            slices.end_ns[i] - ends[bisect_right(ends, slices.end_ns[i]) - 1] for i in own
        ]
        just = sum(0 <= late <= _JUST_NS for late in after)
        whole = slices.end_ns[own[-1]] - max(slices.start_ns[own[0]], start)
        is_most = ns >= _LOST_NS and covers(ns, whole)
        if is_most and covers(just, len(own)) and just >= _TIMES:
            senders.append(Sender(task, facts.awaited(own[0])[1], ns))
    return senders[0] if len(senders) == 1 and senders[0].task != owner[found[0]] else None
