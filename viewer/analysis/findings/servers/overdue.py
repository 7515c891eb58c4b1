"""What a blocked loop costs those who are not ready: they sleep on, or keep what they have."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable

from tracer import schema as s
from tracer.units import MS
from viewer.analysis.findings.basis.facts import Behind, Facts
from viewer.analysis.findings.basis.waits import LongWaits
from viewer.analysis.findings.servers.accepted import LateConnections
from viewer.trace.columns import AWAIT, LOOP_CALLBACK, READY, SELECT

# The loop looks at its timers as soon as the step is over, and wakes whoever is due. When that
# was, the trace does not say: what counts is how much longer a task slept than it mostly does
# at that line, or those with it where it slept there for the first time.
_THEN_NS = 5 * MS
_LATE_NS = 10 * MS
_SOON_NS = 1_000 * MS  # a connection that is accepted later waited for other steps, too
_KNOWN = 2  # other sleeps that tell how long it mostly sleeps, …
_KNOWN_OF_ALL = 3
_NEAR = 60  # … among so many of its states before and after
_CROWD = 2_000  # slices looked at after one step
_STEP_NS = 20 * MS  # of steps that block a loop
CONNECTED = "new connection"  # how those waited that were not accepted yet
ASKED = "asked"  # how threads waited for results of coroutines that they gave to the loop
ARRIVED = "arrived"  # how callbacks waited that nobody had scheduled
_SLEEP = s.AWAIT_PREFIX + s.SLEEP
_RESULT = "Future.result"
_GIVEN_NS = 20 * MS


def overdue(facts: Facts, lane: int, start_ns: int, end_ns: int) -> Behind:
    """How long tasks slept on in a step of a loop though they mostly do not sleep so long."""
    model, slices, owned = facts.model, facts.model.trace.slices, facts.model.owners
    low = bisect_left(slices.start_ns, max(start_ns, end_ns - _THEN_NS))
    high = bisect_left(slices.start_ns, end_ns + _THEN_NS, low)
    slept = dict[int, int]()  # by task the sleep from which it was woken
    for i in range(low, min(high, low + _CROWD)):
        if owned.kind[i] == READY and model.lane[i] == lane and owned.owner[i] not in slept:
            slept[owned.owner[i]] = _sleep_before(facts, i)
    mostly = {task: _mostly(facts, sleep) for task, sleep in slept.items() if sleep >= 0}
    alike = defaultdict[tuple[str, str], list[int]](list)
    for task, known in mostly.items():
        alike[facts.awaited(slept[task])] += known
    late = list[int]()
    for task, known in mostly.items():
        sleep = slept[task]
        is_own, all_known = len(known) >= _KNOWN, alike[facts.awaited(sleep)]
        if is_own or len(all_known) >= _KNOWN_OF_ALL:
            known = known if is_own else all_known
            due_ns = slices.start_ns[sleep] + sorted(known)[(len(known) - 1) // 2]
            ns = min(slices.end_ns[sleep], end_ns) - max(due_ns, start_ns)
            late += [ns] if ns >= _LATE_NS else []
    return Behind(sum(late), len(late), "overdue")


def arrived(facts: Facts, lane: int, end_ns: int) -> int:
    """How many callbacks for sockets and timers the loop ran after a step, before it waited
    again. Nobody scheduled these: no arrow leads to them."""
    model, slices, owned = facts.model, facts.model.trace.slices, facts.model.owners
    low, found = bisect_left(slices.start_ns, end_ns), 0
    for i in range(low, min(len(slices.start_ns), low + _CROWD)):
        if slices.start_ns[i] > end_ns + _THEN_NS:
            break
        if model.lane[i] != lane:
            continue
        if owned.kind[i] == SELECT:
            break
        if owned.kind[i] == LOOP_CALLBACK:
            arrows = facts.ledger.flows.at(slices.event[i])
            found += not any(is_end for _, is_end in arrows)
    return found


def connected(facts: Facts, lane: int, start_ns: int, end_ns: int) -> Behind:
    """How long new connections, mostly from outside, stood in the queue of a loop's socket
    during a step. It accepts them soon after."""
    late = LateConnections.of(facts).by_thread.get(facts.ledger.thread_of_loop[lane], [])
    low = bisect_left(late, end_ns, key=lambda one: one.at_ns)
    met = list[int]()
    for one in late[low : low + _CROWD]:
        if one.since_ns < end_ns:
            met.append(end_ns - max(one.since_ns, start_ns))
        elif one.at_ns > end_ns + _SOON_NS:
            break
    return Behind(sum(met), len(met), CONNECTED)


def asked(facts: Facts, lane: int, start_ns: int, end_ns: int) -> Behind:
    """How long other threads waited in a step of a loop for results that its thread then
    gave them at once."""
    waits, thread = LongWaits.of(facts), facts.ledger.thread_of_loop[lane]
    high = bisect_left(waits.all, end_ns, key=lambda wait: wait.start_ns)
    met = [
        end_ns - max(wait.start_ns, start_ns)
        for wait in waits.all[max(high - _CROWD, 0) : high]
        if wait.name == _RESULT
        and wait.ender == ("thread", thread) != wait.who
        and end_ns <= wait.end_ns <= end_ns + _GIVEN_NS
    ]
    return Behind(sum(met), len(met), ASKED)


def _sleep_before(facts: Facts, ready: int) -> int:
    """The sleep from which a task was woken; -1 where it was none."""
    rows, slices = facts.ledger.rows_of_tasks, facts.model.trace.slices
    task = facts.model.owners.owner[ready]
    before = rows.begun(task, 0, slices.start_ns[ready])
    sleep = rows.row[before[-1]] if before else -1
    return sleep if sleep >= 0 and _is_sleep(facts, sleep) else -1


def _mostly(facts: Facts, sleep: int) -> list[int]:
    """How long the task's other sleeps at that line were, before and after."""
    rows, where = facts.ledger.rows_of_tasks, facts.awaited(sleep)
    task = facts.model.owners.owner[sleep]
    at = len(rows.begun(task, 0, facts.model.trace.slices.start_ns[sleep]))
    return [
        facts.slice_ns(row)
        for row in rows.of(task)[max(at - _NEAR, 0) : at + _NEAR]
        if row != sleep and _is_sleep(facts, row) and facts.awaited(row) == where
    ]


def _is_sleep(facts: Facts, row: int) -> bool:
    owned = facts.model.owners
    return owned.kind[row] == AWAIT and facts.model.trace.text(owned.code[row]) == _SLEEP


def mostly_blocked(facts: Facts, kept: Iterable[tuple[int, int, int]]) -> bool:
    """Whether long steps took half of the times (task, begin, end) in which tasks kept
    something: then those steps are the fault, not who kept it."""
    model, slices = facts.model, facts.model.trace.slices
    whole = blocked = 0
    for task, start_ns, end_ns in kept:
        lane = model.lane[model.owners.task_head[task]]
        rows = facts.long_loop_slices
        whole += end_ns - start_ns
        at = bisect_right(rows, start_ns, key=slices.start_ns.__getitem__)
        for i in rows[
            max(at - 1, 0) : bisect_left(rows, end_ns, key=slices.start_ns.__getitem__)
        ]:
            is_long = facts.slice_ns(i) >= _STEP_NS
            if is_long and model.lane[i] == lane and model.owners.kind[i] != SELECT:
                met = min(slices.end_ns[i], end_ns) - max(slices.start_ns[i], start_ns)
                blocked += max(met, 0)
    return blocked * 2 > whole
