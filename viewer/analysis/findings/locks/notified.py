"""A `notify` that woke one of several who waited for the same."""

from collections import defaultdict
from collections.abc import Iterator

from tracer.units import duration, plural
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.resources.waits import Wait
from viewer.words import code

_MS = 1_000_000
# Half a second was lost after the notification by those who slept on until their time-out.
_LOST_NS = 500 * _MS
# Idle workers wait again and again, or end: whoever waits once, and then goes on with
# something else, waited for what the one that was woken waited for, too.
_GOES_ON_NS = 50 * _MS
_MOST = 200
_CONDITIONS = ("Condition.wait", "Condition")


def woke_one_of_many(facts: Facts) -> Iterator[Finding]:
    """Several wait once for a condition at one line, and `notify` wakes one of them."""
    waits = LongWaits.of(facts)
    by_lock: dict[int, list[Wait]] = defaultdict(list)
    for wait in waits.all:
        if wait.name in _CONDITIONS and wait.lock >= 0:
            by_lock[wait.lock].append(wait)
    for found in by_lock.values():
        woken = [wait for wait in found if not wait.failed and wait.ender is not None]
        is_once = len({wait.who for wait in found}) == len(found) <= _MOST
        if not woken or not is_once or len({wait.site for wait in found}) > 1:
            continue
        first = min(woken, key=lambda wait: wait.end_ns)
        late = [w for w in found if w.failed and w.start_ns < first.end_ns < w.end_ns]
        lost = sum(wait.end_ns - first.end_ns for wait in late)
        is_new = not any(wait.slice in waits.told or wait.is_open for wait in late)
        go_on = all(waits.ends_ns(w.who) - w.end_ns >= _GOES_ON_NS for w in late)
        if lost < _LOST_NS or not is_new or not go_on or any(w.cancelled for w in late):
            continue
        waits.told.update(wait.slice for wait in late)
        worst, model = max(late, key=lambda wait: wait.ns), facts.model
        assert first.ender is not None
        text = (
            f"Missed wake-up: {users(model, (wait.who for wait in late))} slept in "
            f"`{worst.name}`{place_in(worst.site)} until the time-out, though "
            f"{code(name_of(model, first.ender))} notified the condition "
            f"{at(facts, first.end_ns)}: that woke "
            f"{users(model, (wait.who for wait in woken))}, which waited for the same. "
            f"{duration(lost)} lost in {plural(len(late), 'wait')}, the longest "
            f"{duration(worst.ns)} ({at(facts, worst.start_ns)}). Call `notify_all` where "
            f"several wait for one change."
        )
        yield Finding("missed wake-up", lost, text, waits.evidence(worst))
