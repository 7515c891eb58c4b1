"""A `notify` that woke one of several who waited for the same, or all for what one does."""

from collections import defaultdict
from collections.abc import Iterator

from tracer.units import MS, duration, plural, share
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.herds import WAIT, Herds
from viewer.analysis.resources.waits import Wait
from viewer.words import code

# Half a second was lost after the notification by those who slept on until their time-out.
# Idle workers wait again and again, or end: whoever waits once, and then goes on with
# something else, waited for what the one that was woken waited for, too.
_GOES_ON_NS = 50 * MS
_MOST = 200
_STEP = (
    "Wake the one that it is for (a condition or a queue for each), or `notify()` where any "
    "of them can do it."
)
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
        if lost < LOST_NS or not is_new or not go_on or any(w.cancelled for w in late):
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


def woken_in_vain(facts: Facts) -> Iterator[Finding]:
    """`notify_all` wakes many threads, and there is something to do for one of them."""
    model, table = facts.model, facts.model.states
    for herd in Herds.of(facts).hurting:
        woken, looked, first = herd.woken, herd.looked, herd.waits[herd.looked[0]]
        by: set[Who] = {("thread", table.waker[herd.waits[n]]) for n in woken}
        those: set[Who] = {("thread", one) for one in herd.threads}
        site, ran_ns = facts.wait(first)[1], herd.ran_ns // len(looked)
        text = (
            f"Thundering herd: all of {users(model, those)} that wait in `{WAIT}`"
            f"{place_in(site)} are woken at once by {users(model, by)}, "
            f"{len(woken) // herd.goes} at a time on average. After "
            f"{share(len(looked), len(woken))} of {len(woken):,} wake-ups they ran for "
            f"{duration(ran_ns)} on average and waited again: there was nothing to do for "
            f"them. For {duration(herd.lost_ns)} in all ({at(facts, herd.start_ns)}) some "
            f"of them were on their way, and in the way of those with something to do."
        )
        who: Who = ("thread", table.who[first])
        evidence = facts.evidence(who, herd.start_ns, herd.lost_ns, site)
        yield Finding("thundering herd", herd.lost_ns, text, evidence, _STEP)
