"""Many tasks and callbacks that are short alone, and keep a loop busy together."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from tracer import schema as s
from tracer.units import MS, duration, plural, share
from viewer.analysis.findings.basis.facts import (
    LOST_NS,
    NOT_ITS_FAULT,
    Evidence,
    Facts,
    Finding,
)
from viewer.analysis.findings.basis.hot import hot
from viewer.analysis.findings.basis.words import at, sampled
from viewer.analysis.findings.loops.steps import long_steps
from viewer.analysis.ledger.resource import window
from viewer.analysis.profiles.cpu import stack_places
from viewer.analysis.profiles.profile import Place
from viewer.analysis.states import mentioned
from viewer.analysis.tasks import Delay, TaskRow, Wait
from viewer.trace.columns import LOOP_CALLBACK
from viewer.trace.sites import is_library
from viewer.words import code

# A crowd is at least ten task-seconds of waiting to run. One that only delays itself is a
# batch, unless one wait in ten takes half a second: whoever sent such a task notices.
_CROWD_NS = 10_000 * MS
_NOTICED_NS = 500 * MS
# Others are delayed by it when that cost them half a second in all, 100 ms at a time, or 50 ms
# in one wait of ten. What the kernel took from the loop's thread meanwhile does not count.
_OTHERS_NS = 500 * MS
_LATE_NS = 100 * MS
_OFTEN_NS = 50 * MS
_NAMED = 2
_MANY = 100  # calls of one callback
_SHORT_STEP_NS = 20 * MS  # longer steps are reported for their length, if they are most of it


def loop_overloaded(facts: Facts) -> Iterator[Finding]:
    """Tasks of one coroutine wait for each other's steps, and make others late."""
    for row in facts.tasks.at_least("ready_ns", _CROWD_NS):
        crowd = _Crowd(facts, row)
        if _is_of_long_steps(facts, crowd):
            continue
        if crowd.own_part(row.delayed_by) * 2 < row.ready.total_ns:
            continue
        own = _own(facts, row)
        if row.ready.total_ns * own < _CROWD_NS:
            continue
        late = [
            other
            for other in facts.tasks.at_least("ready_ns", _OTHERS_NS)
            if other is not row and _is_late(facts, other, crowd)
        ]
        if late or row.ready.p90_ns * own >= _NOTICED_NS:
            yield _finding(facts, crowd, late)
    yield from _calls(facts)


class _Crowd:
    """The tasks of a row, with those that they make: a server may have a task for each
    connection, which makes one for each request, and runs its first step at once."""

    def __init__(self, facts: Facts, row: TaskRow) -> None:
        self.row, model = row, facts.model
        group = model.group_of(row.coro, row.site)
        found = facts.ledger.made_groups.get(group, set[int]()) - {group}
        self.made = {model.coroutine(one) for one in found}
        self.all = {(row.coro, row.site), *self.made}

    def own_part(self, delays: Sequence[Delay]) -> int:
        """What the crowd's steps took of a delay, with the loop's own work for it."""
        return sum(
            delay.ns
            for delay in delays
            if delay.kind in ("loop", "gc")
            or (delay.who, delay.site) in self.all
            or (delay.kind == "callback" and is_library(delay.site))
        )

    def rows(self, facts: Facts) -> list[TaskRow]:
        """Its row and those of what it makes."""
        made = self.made and facts.tasks.at_least("ready_ns", 0)
        return [self.row, *(row for row in made or () if (row.coro, row.site) in self.made)]

    def most(self) -> tuple[str, str]:
        """The coroutine of the user among those made that made the crowd late the most."""
        for delay in self.row.delayed_by:
            who = delay.who, delay.site
            if who in self.made and not is_library(delay.site):
                return who
        return "", ""


def _is_of_long_steps(facts: Facts, crowd: _Crowd) -> bool:
    """Whether steps that are reported for their length are half of what a crowd runs."""
    own, rows = _own(facts, crowd.row), crowd.rows(facts)
    if max(row.running.p99_ns for row in rows) * own < _SHORT_STEP_NS:
        return False
    long = sum(
        step.own_ns
        for step in long_steps(facts)
        if step.own_ns >= _SHORT_STEP_NS * facts.patience
        and facts.runs(step.slice)[:2] in crowd.all
    )
    return long * 2 >= sum(row.running.total_ns for row in rows) * own


def _calls(facts: Facts) -> Iterator[Finding]:
    """Tasks are late behind very many short calls that others gave to the loop."""
    late: dict[tuple[str, str], list[TaskRow]] = defaultdict(list)
    for row in facts.behind_callbacks.at_least("ready_ns", _OTHERS_NS):
        most = next(iter(row.delayed_by), None)
        is_callback = most is not None and most.kind == "callback"
        if most is None or not is_callback or is_library(most.site):
            continue
        if most.ns * 2 >= row.ready.total_ns and row.ready.max_ns >= _LATE_NS:
            late[most.who, most.site].append(row)
    for (name, site), rows in late.items():
        late_row = max(rows, key=lambda row: row.ready.max_ns)
        worst = late_row.worst
        if worst is None or late_row.ready.max_ns * _own(facts, late_row) < _LATE_NS:
            continue
        calls = _calls_of(facts, (name, site), _loop_of(facts, late_row), worst)
        spent = facts.slices_ns(calls)
        if len(calls) < _MANY or spent >= len(calls) * _SHORT_STEP_NS:
            continue
        yield _too_many_calls(facts, (name, site), calls, late_row, worst)


def _calls_of(facts: Facts, what: tuple[str, str], lane: int, worst: Wait) -> list[int]:
    """The slices of a callback on a loop during the longest wait of a task."""
    model, slices = facts.model, facts.model.trace.slices
    low = bisect_left(slices.start_ns, worst.start_ns)
    high = bisect_left(slices.start_ns, worst.start_ns + worst.ns, low)
    return [
        i
        for i in range(low, high)
        if model.owners.kind[i] == LOOP_CALLBACK
        and model.lane[i] == lane
        and facts.runs(i)[:2] == what
    ]


def _too_many_calls(
    facts: Facts, what: tuple[str, str], calls: list[int], row: TaskRow, worst: Wait
) -> Finding:
    model = facts.model
    spent = facts.slices_ns(calls)
    loop = _loop_of(facts, row)
    text = (
        f"{model.nouns_on(loop).loop.capitalize()} overloaded: {len(calls):,} calls of "
        f"{code(*what)}{_given_by(facts, loop, calls[len(calls) // 2])} take "
        f"{duration(spent)} of the {duration(worst.ns)} in which {code(row.coro, row.site)} "
        f"waits to run ({at(facts, worst.start_ns)}), though each takes "
        f"{duration(spent // len(calls))}. Hand over many at a time, or let the caller "
        f"wait until the loop has run them."
    )
    evidence = Evidence(
        worst.start_ns, worst.ns, worst.name, worst.task, site=what[1],
        pid=model.pid(model.loops[loop].process) if loop >= 0 else 0,
    )  # fmt: skip
    return Finding("loop overloaded", row.ready.total_ns, text, evidence)


def _given_by(facts: Facts, loop: int, call: int) -> str:
    """`, which `feed` gives to it,`: another thread that scheduled a callback."""
    events, ledger = facts.model.trace.events, facts.ledger
    for source in ledger.flows.causes(facts.model.trace.slices.event[call]):
        thread = ledger.thread_of_track[events.track[source]]
        if thread >= 0 and thread != ledger.thread_of_loop[loop]:
            return f", which {code(facts.model.thread_names[thread])} gives to it,"
    return ""


def _own(facts: Facts, row: TaskRow) -> float:
    """Which part of the longest wait of a row's tasks the loop's thread was not stopped."""
    worst, loop = row.worst, _loop_of(facts, row)
    thread = facts.ledger.thread_running(loop)
    if worst is None or thread < 0:
        return 1.0
    split = facts.split(thread, window(worst.start_ns, worst.start_ns + worst.ns))
    return 1 - split.of(NOT_ITS_FAULT) / max(sum(split.states.values()), 1)


def _loop_of(facts: Facts, row: TaskRow) -> int:
    """The loop of a row's first task; -1 unknown."""
    owned, group = facts.model.owners, facts.model.group_of(row.coro, row.site)
    return facts.model.lane[owned.task_head[owned.group_head[group]]]


def _is_late(facts: Facts, row: TaskRow, crowd: _Crowd) -> bool:
    own = _own(facts, row)
    return (
        row.ready.max_ns * own >= _LATE_NS or row.ready.p90_ns * own >= _OFTEN_NS
    ) and crowd.own_part(row.delayed_by) * 2 >= row.ready.total_ns


def _finding(facts: Facts, crowd: _Crowd, late: list[TaskRow]) -> Finding:
    row, rows, made = crowd.row, crowd.rows(facts), crowd.most()
    model, ready = facts.model, row.ready
    worst = row.worst
    assert worst is not None
    loop = _loop_of(facts, row)
    tid = model.loops[loop].tid if loop >= 0 else 0
    until = worst.start_ns + worst.ns
    where = sampled(*hot(facts.hot_places, facts.stacks(tid, [(worst.start_ns, until)])))
    nouns = model.nouns_on(loop)
    with_them = f", with {code(*made)} that they make," if made[0] else ""
    text = (
        f"{nouns.loop.capitalize()} overloaded: {plural(row.count, nouns.task)} of "
        f"{code(row.coro, row.site)}{with_them} have work for "
        f"{duration(sum(one.running.total_ns for one in rows))} in "
        f"{sum(one.steps for one in rows):,} steps and wait for each other "
        f"to run: one wait in ten takes {duration(ready.p90_ns)} or more, the longest "
        f"{duration(ready.max_ns)} ({at(facts, worst.start_ns)})"
    )
    text += f"; the loop computes in {where}" if where else ""
    if late:
        most, *others = sorted(late, key=lambda other: -other.ready.max_ns)[:_NAMED]
        too = "".join(f" and {code(one.coro, one.site)}" for one in others)
        text += (
            f"; {code(most.coro, most.site)}{too} {'run' if too else 'runs'} up to "
            f"{duration(most.ready.max_ns)} late because of them"
        )
    text += ". Start fewer at a time (a semaphore, a bounded queue), or do less in each step."
    evidence = Evidence(
        worst.start_ns, worst.ns, worst.name, worst.task, site=made[1] or row.site,
        pid=model.pid(model.loops[loop].process) if loop >= 0 else 0,
    )  # fmt: skip
    return Finding("loop overloaded", ready.total_ns, text, evidence)


# A quarter of a thread's samples, and half a second: a program that is being debugged for a
# moment is none that somebody calls slow.
_NOTES = ("asyncio.format_helpers.extract_stack", "traceback.extract_stack")  # in Python, in C
_BY = "/asyncio/"
_PART = 4
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
        samples = facts.samples_of(facts.model.threads[thread].tid)
        noted = [at_ns for at_ns, stack in samples if notes[stack]]
        if len(samples) < _SAMPLES or len(noted) * _PART < len(samples):
            continue
        (row,) = facts.threads.with_numbers([thread])
        lost = row.states[s.RUNNING] * len(noted) // len(samples)
        if lost >= LOST_NS:
            yield _slowed(facts, thread, noted, len(samples), lost)


def _does_note(stack: Sequence[Place]) -> bool:
    """Whether the loop, or what it made, notes its stack."""
    return any(
        inner.function in _NOTES and _BY in outer.path for inner, outer in pairwise(stack)
    )


def _slowed(facts: Facts, thread: int, noted: list[int], every: int, lost: int) -> Finding:
    name, start, whole = facts.model.thread_names[thread], noted[0], noted[-1] - noted[0]
    text = (
        f"Event loop overloaded: asyncio's debug mode takes {share(len(noted), every)} of "
        f"{every} CPU samples of {code(name)}, about {duration(lost)} ({at(facts, start)}): "
        f"the loop records the whole stack at each call, future and task."
    )
    evidence = facts.evidence(("thread", thread), start, whole, "")
    return Finding("loop overloaded", lost, text, evidence, _STEP)
