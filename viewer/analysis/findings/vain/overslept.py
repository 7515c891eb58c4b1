"""Threads that sleep on when another one has done what they sleep for."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.doing import doing
from viewer.analysis.findings.basis.facts import BLOCKED, LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.states import stack_of
from viewer.trace.columns import SLEEP, STATE_MASK
from viewer.trace.processes import number_of
from viewer.trace.sites import own_frames, place_of

# A second in all is lost by two threads or more, and half of what they sleep there.
_LOST_NS = 1_000 * MS
_LEAST_NS, _SLEEP_NS = MS, 50 * MS
_WHO = 2
# One at a time does what they wait for, nine tenths of the time; and of ten sleepers seven do
# not do it themselves when they wake, as those do that try again.
_ALONE = 9, 10
_LEAVE = 7, 10
_AGAIN_NS = 20 * MS
_MOST = 20_000
_STEP = "Let whoever does it set an event, or notify a condition, and wait for that instead."

type _Function = tuple[int, str, str]  # process, file, name


class _Did(NamedTuple):
    """A sleep at the line of a function, or a call or wait further inside of it."""

    thread: int
    start_ns: int
    end_ns: int
    site: str

    @property
    def ns(self) -> int:
        return self.end_ns - self.start_ns


def overslept(facts: Facts) -> Iterator[Finding]:
    """They sleep in a function in which somebody else does something, beyond its end."""
    sleeps, inside = _by_function(facts)
    for function, those in sleeps.items():
        busy = sorted(inside.get(function, ()), key=lambda did: did.start_ns)
        if busy and _is_alone(busy):
            yield from _finding(facts, those, busy)


def _by_function(
    facts: Facts,
) -> tuple[dict[_Function, list[_Did]], dict[_Function, list[_Did]]]:
    """By function of the program the sleeps that it calls itself, and what threads are blocked
    in that it calls otherwise."""
    model, table = facts.model, facts.model.states
    sleeps, inside = defaultdict[_Function, list[_Did]](list), dict[_Function, list[_Did]]()
    frames = dict[int, list[str]]()
    rows = facts.rows_of(BLOCKED, _LEAST_NS)
    if len(rows) > _MOST:
        return sleeps, inside
    for row in rows:
        frames[row] = own_frames(stack_of(model, row).split("\n"))
        is_long = facts.row_ns(row) >= _SLEEP_NS
        if is_long and table.state[row] & STATE_MASK == SLEEP and len(frames[row]) > 1:
            sleeps[_function(facts, row, frames[row][0])].append(_did(facts, row, frames[row]))
    for row, stack in frames.items():
        for frame in stack[1:]:
            function = _function(facts, row, frame)
            if function in sleeps:
                inside.setdefault(function, []).append(_did(facts, row, stack))
    return sleeps, inside


def _function(facts: Facts, row: int, frame: str) -> _Function:
    where = place_of(frame)
    return facts.model.thread_process[facts.model.states.who[row]], where.path, where.function


def _did(facts: Facts, row: int, stack: list[str]) -> _Did:
    table = facts.model.states
    return _Did(table.who[row], table.start_ns[row], table.end_ns[row], stack[0])


def _is_alone(busy: list[_Did]) -> bool:
    """Whether one at a time does it: whoever tries again does not care for others."""
    apart = total = until = 0
    for one in busy:
        total += one.end_ns - one.start_ns
        apart += max(one.end_ns - max(one.start_ns, until), 0)
        until = max(until, one.end_ns)
    return apart * _ALONE[1] >= total * _ALONE[0]


def _finding(facts: Facts, sleeps: list[_Did], busy: list[_Did]) -> Iterator[Finding]:
    starts = [one.start_ns for one in busy]
    late = list[tuple[_Did, _Did]]()
    for sleep in sleeps:
        place = bisect_right(starts, sleep.start_ns) - 1
        one = busy[max(place, 0)]
        is_met = one.start_ns <= sleep.start_ns < one.end_ns < sleep.end_ns
        if is_met and one.thread != sleep.thread:
            late.append((sleep, one))
    lost = sum(sleep.end_ns - one.end_ns for sleep, one in late)
    slept = sum(sleep.ns for sleep in sleeps)
    whos: set[Who] = {("thread", sleep.thread) for sleep, _ in late}
    if lost < _LOST_NS or lost * 2 < slept or len(whos) < _WHO or not _leave(sleeps, busy):
        return
    worst, one = max(late, key=lambda both: both[0].end_ns - both[1].end_ns)
    ns = worst.end_ns - one.end_ns
    did = doing(facts, [(("thread", one.thread), one.start_ns, one.end_ns)])
    text = (
        f"Missed wake-up: {users(facts.model, whos)} sleep{place_in(worst.site)} until "
        f"another one in that function has done what they need, which took it "
        f"{duration(one.ns)} ({did}), and sleep on when it is done: "
        f"{plural(len(late), 'time')}, {duration(lost)} lost in all, up to {duration(ns)} "
        f"({at(facts, one.end_ns)})."
    )
    evidence = facts.evidence(("thread", worst.thread), one.end_ns, ns, worst.site)
    yield Finding("missed wake-up", lost, text, evidence, _STEP)


def _leave(sleeps: list[_Did], busy: list[_Did]) -> bool:
    """Whether most do not do it themselves when they wake, as those who try again."""
    starts = defaultdict[int, list[int]](list)
    for one in busy:
        starts[one.thread].append(one.start_ns)
    again = 0
    for sleep in sleeps:
        place = bisect_right(starts[sleep.thread], sleep.end_ns)
        then = starts[sleep.thread][place : place + 1]
        again += bool(then) and then[0] - sleep.end_ns <= _AGAIN_NS
    return (len(sleeps) - again) * _LEAVE[1] >= len(sleeps) * _LEAVE[0]


# A scheduler of the standard library sleeps until the job that is first as it begins. How much
# sooner another one is due is known; it costs half a second in all.
_RUN = " scheduler.run"
_WAKE = (
    "`sched.scheduler` looks for the next job only when its sleep is over: give it a "
    "`delayfunc` that whoever enters a job can end (`Event.wait`), call `run(blocking=False)` "
    "and wait for what that returns, or use a `threading.Timer` for each job."
)


class _Job(NamedTuple):
    """A job that a thread entered while another one was asleep until a later one."""

    entered_ns: int
    late_ns: int
    asleep: int  # a row


def entered_sooner(facts: Facts) -> Iterator[Finding]:
    """Somebody gives a sleeping scheduler a job that is due before it wakes."""
    trace, table = facts.model.trace, facts.model.states
    by_line = defaultdict[tuple[int, str], list[_Job]](list)
    events = list(trace.instants(trace.events.name, s.ENTERED_FIRST))
    asleep = [
        row
        for row in (facts.rows_of(BLOCKED, _SLEEP_NS) if events else ())
        if _RUN in stack_of(facts.model, row)
    ]
    for event in events:
        thread = facts.ledger.thread_of_track[trace.events.track[event]]
        entered, args = trace.events.time_ns[event], trace.args(event)
        for row in asleep:
            start, end = table.start_ns[row], table.end_ns[row]
            if start < entered < end and table.who[row] != thread:
                late = min(number_of(args, s.ARG_SOONER, 0), end - entered)
                of = thread, trace.text_of_event(event, s.ARG_SITE)
                by_line[of].append(_Job(entered, late, row))
    for (thread, site), jobs in by_line.items():
        lost, worst = sum(job.late_ns for job in jobs), max(jobs, key=lambda job: job.late_ns)
        if lost < LOST_NS:
            continue
        sleeper: Who = ("thread", table.who[worst.asleep])
        text = (
            f"Missed wake-up: {users(facts.model, [('thread', thread)])}{place_in(site)} "
            f"entered a job that is due before all others of a scheduler, while "
            f"{users(facts.model, [sleeper])} slept in `scheduler.run`"
            f"{place_in(facts.call(table.row[worst.asleep])[1])} until the next one: "
            f"{plural(len(jobs), 'time')}, {duration(lost)} too late in all, up to "
            f"{duration(worst.late_ns)} ({at(facts, worst.entered_ns)})."
        )
        evidence = facts.evidence(sleeper, worst.entered_ns, worst.late_ns, site)
        yield Finding("missed wake-up", lost, text, evidence, _WAKE)
