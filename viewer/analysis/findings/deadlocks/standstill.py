"""Tasks that all wait for room in queues, so that nobody takes anything out of one."""

from collections import defaultdict
from collections.abc import Iterator

from tracer.units import duration
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.waits import PUTS, Wait

_MS = 1_000_000
# A consumer may be slow; that all tasks stand still for half a second is no slowness.
_LONG_NS = 500 * _MS
_QUEUES = 2  # of one, the consumers may not have begun
_MOST = 64  # tasks that live at the same time: more are not searched


def standstill(facts: Facts) -> Iterator[Finding]:
    """All tasks of a process wait in vain for room in several queues, but for those that await
    the end of others: whoever could take something out waits, too."""
    waits = LongWaits.of(facts)
    vain = [
        wait
        for wait in waits.all
        if wait.name in PUTS and wait.failed and wait.ns >= _LONG_NS and wait.who[0] == "task"
    ]
    if len({wait.lock for wait in vain}) < _QUEUES:
        return
    for wait in sorted(vain, key=lambda wait: -wait.ns):
        if wait.slice in waits.told:
            continue
        stuck = _meanwhile(waits, vain, wait)
        living = waits.living(wait)
        others = living - stuck.keys()
        is_all = len(living) <= _MOST and others <= waits.waiting_for_ends(wait)
        if is_all and len({one.lock for one in stuck.values()}) >= _QUEUES:
            waits.told.update(one.slice for one in stuck.values())
            yield _finding(facts, waits, list(stuck.values()), bool(others))
            return


def _meanwhile(waits: LongWaits, vain: list[Wait], wait: Wait) -> dict[Who, Wait]:
    """By task those of the waits that last for four fifths of one, in the same process."""
    fifth, process = wait.ns // 5, waits.process(wait.who)
    return {
        one.who: one
        for one in vain
        if one.start_ns <= wait.start_ns + fifth
        and one.end_ns >= wait.end_ns - fifth
        and waits.process(one.who) == process
    }


def _finding(facts: Facts, waits: LongWaits, stuck: list[Wait], others: bool) -> Finding:
    worst = max(stuck, key=lambda wait: wait.ns)
    alike = defaultdict[tuple[str, int, str], list[Who]](list)
    for wait in stuck:
        alike[wait.name, wait.lock, wait.site].append(wait.who)
    parts = [
        f"{users(facts.model, whos)}{place_in(site)} in `{name}`"
        for (name, _, site), whos in alike.items()
    ]
    start = max(wait.start_ns for wait in stuck)
    end = min(wait.end_ns for wait in stuck)
    lasts = "until the end of the trace" if worst.is_open else f"for {duration(end - start)}"
    rest = "all others wait for their end" if others else "there are no others"
    text = (
        f"Deadlock {at(facts, start)}, {lasts}: all wait for room in queues, so nobody takes "
        f"anything out of one: {', '.join(parts[:-1])} and {parts[-1]}; {rest}. Take results "
        f"out while you put work in (a task for each), or give one of the queues no bound."
    )
    return Finding("deadlock", sum(w.ns for w in stuck), text, waits.evidence(worst))
