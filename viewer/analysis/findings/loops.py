"""Tasks, callbacks and calls that block an event loop."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tracer import schema as s
from tracer.units import duration, plural
from viewer.analysis.findings.calls import is_harmless, is_import, is_of_file, is_quick
from viewer.analysis.findings.facts import (
    COMPUTING,
    NOT_ITS_FAULT,
    Behind,
    Evidence,
    Facts,
    Finding,
    Split,
)
from viewer.analysis.findings.hot import hot
from viewer.analysis.findings.overdue import ARRIVED, arrived, overdue
from viewer.analysis.findings.words import at, did, sampled, waited
from viewer.analysis.ledger.ledger import Interval
from viewer.analysis.ledger.resource import window
from viewer.trace.columns import (
    IO,
    LOOP_CALLBACK,
    LOOP_TASK,
    NATIVE,
    READY,
    SELECT,
    SLEEP,
    THREAD_RUNNING,
    WAKER_GROUP,
    WAKER_SHIFT,
)
from viewer.words import code

_MS = 1_000_000
# Four of the interpreter's switch intervals: switching does not explain such a pause, and who
# needs fifty answers a second misses one. Once may be chance: it takes three …
_LONG_STEP_NS = 20 * _MS
_OFTEN = 3
# … or one as long as asyncio's own debug mode complains of (loop.slow_callback_duration).
_SLOW_STEP_NS = 100 * _MS
# … or one that cost those who waited half a second in all. Tasks that it made itself do not
# count: a task that makes many does not hold them up.
_CROWD_NS = 500 * _MS
# A step this long meets no await that waits: no reader of the code expects that.
_ENDLESS_STEP_NS = 1_000 * _MS
# A blocked loop that nobody waits for is no fault: less waiting than one long step is ignored.
_WAITED_NS = 20 * _MS
# Where nobody was ready: tasks slept on for a fifth of a second in all, though they were due.
_OVERDUE_NS = 200 * _MS
# Or sockets had data and timers were due, two or more each time, as soon as it was over.
_BLOCKS_NS = 50 * _MS
_ARRIVED = 2
_MOST_OVERDUE = 100  # steps of an occupant that are examined for it, the longest ones
# A blocking call of 5 ms is longer than any hand-over of the GIL; a few may be the disk's.
_LONG_CALL_NS = 5 * _MS
_CALLS_NS = 50 * _MS  # the least that a call's site must cost in total
_TYPICAL = 4  # fewer than one long call in four: the call itself is quick
# A first request may import what it needs: it happens once, and takes as long as the disk and
# the cores are busy with other programs. A second of its own, without files, is felt even so.
_LONG_IMPORT_NS = 1_000 * _MS
_STARTS = "Thread.start"
_TO_PROCESS = "Compute in a process (`ProcessPoolExecutor`), or in pieces with {} between."
_PAUSES = {s.TRACK_GREENLETS_PREFIX: "`gevent.sleep(0)`"}
_ASYNCHRONOUS = "Use an asynchronous library for it, or a thread: "
_TO_THREAD = {
    s.TRACK_LOOP_PREFIX: f"{_ASYNCHRONOUS}`await asyncio.to_thread(...)`.",
    s.TRACK_TRIO_PREFIX: f"{_ASYNCHRONOUS}`await trio.to_thread.run_sync(...)`.",
    s.TRACK_GREENLETS_PREFIX: "Let gevent patch it (`gevent.monkey.patch_all()`, before all "
    "else), or use a thread: `gevent.get_hub().threadpool.apply(...)`.",
}
_MOST_STEPS = 2_000  # only the longest are examined


@dataclass(frozen=True, slots=True)
class _Step:
    """A long step on a loop, and what its thread did in it."""

    slice: int
    lane: int
    start_ns: int
    duration_ns: int
    own_ns: int  # without GC, without what the kernel or other threads took
    split: Split


def _long_steps(facts: Facts) -> list[_Step]:
    model, least = facts.model, _LONG_STEP_NS * facts.patience
    slices = model.trace.slices
    rows = [
        i
        for i in facts.long_loop_slices
        if model.owners.kind[i] != SELECT
        and slices.end_ns[i] - slices.start_ns[i] >= least
        and model.lane[i] >= 0
    ]
    rows.sort(key=lambda i: slices.start_ns[i] - slices.end_ns[i])
    found = []
    for i in rows[:_MOST_STEPS]:
        lane, start, end = model.lane[i], slices.start_ns[i], slices.end_ns[i]
        thread = facts.ledger.thread_of_loop[lane]
        own, split = end - start, Split(Counter(), Counter())
        if thread >= 0:
            split = facts.split(thread, window(start, end))
            own -= split.of(NOT_ITS_FAULT) + facts.collecting_ns(thread, window(start, end))
            own -= sum(ns for row, ns in split.calls.items() if is_quick(facts, row))
            # A new thread says at once that it runs, unless others have the CPU or the GIL.
            own -= sum(ns for (_, name, _), ns in split.waits.items() if name == _STARTS)
        # What runs inside (an eager task's first step) is a step of its own.
        own -= sum(
            slices.end_ns[j] - slices.start_ns[j]
            for j in rows
            if slices.parent[j] == i and model.lane[j] == lane
        )
        least_of_all = least
        if is_import(facts, thread, start, end):
            own -= sum(ns for row, ns in split.calls.items() if is_of_file(facts, row))
            least_of_all = _LONG_IMPORT_NS * facts.patience
        if own >= least_of_all:
            found.append(_Step(i, lane, start, end - start, own, split))
    return found


def loop_findings(facts: Facts) -> Iterator[Finding]:
    """Long steps, and blocking calls in steps that are not reported for their length."""
    occupants = _by_occupant(facts)
    yield from _blocked(facts, occupants)
    yield from _blocking_calls(facts, occupants)


type _Occupants = dict[tuple[int, str, str], list[tuple[_Step, Behind]]]


def _by_occupant(facts: Facts) -> _Occupants:
    """By (process, name, site) of what ran: its long steps and who waited, where that is a
    fault."""
    steps = _long_steps(facts)
    waits = facts.during(
        [Interval(p.lane, p.start_ns, p.start_ns + p.duration_ns) for p in steps]
    )
    grouped: _Occupants = defaultdict(list)
    for step, behind in zip(steps, waits, strict=True):
        name, site, _ = facts.runs(step.slice)
        grouped[facts.model.loops[step.lane].process, name, site].append((step, behind))
    for who, found in grouped.items():
        if _lost(found) < _WAITED_NS:
            grouped[who] = _with_overdue(facts, found)
        if _lost(grouped[who]) < _WAITED_NS:
            grouped[who] = _with_arrivals(facts, found)
    slow = _SLOW_STEP_NS * facts.patience
    return {
        who: found
        for who, found in grouped.items()
        if _lost(found) >= _WAITED_NS
        and (
            len(found) >= _OFTEN
            or any(step.own_ns >= slow for step, _ in found)
            or _held_up(facts, found) >= _CROWD_NS * facts.patience
        )
    }


def _with_overdue(
    facts: Facts, found: list[tuple[_Step, Behind]]
) -> list[tuple[_Step, Behind]]:
    """The steps with those behind them whose timers were due, where that lost enough."""
    late = [
        (step, overdue(facts, step.lane, step.start_ns, step.start_ns + step.duration_ns))
        for step, _ in found[:_MOST_OVERDUE]
    ]
    return late if _lost(late) >= _OVERDUE_NS else found


def _with_arrivals(
    facts: Facts, found: list[tuple[_Step, Behind]]
) -> list[tuple[_Step, Behind]]:
    """The steps after which the loop had several callbacks to run at once, for what had come
    or become due meanwhile: since when, no trace tells, so the step's own time is the cost."""
    least = _BLOCKS_NS * facts.patience
    late = [
        (step, Behind(step.duration_ns, n, ARRIVED))
        for step, _ in found[:_MOST_OVERDUE]
        if step.own_ns >= least
        and (n := arrived(facts, step.lane, step.start_ns + step.duration_ns)) >= _ARRIVED
    ]
    is_enough = len(late) >= _OFTEN and _lost(late) >= _CROWD_NS * facts.patience
    return late if is_enough else found


def _held_up(facts: Facts, found: list[tuple[_Step, Behind]]) -> int:
    """How long tasks waited behind the steps that did not make them ready."""
    slices, owned = facts.model.trace.slices, facts.model.owners
    lost = _lost(found)
    for step, _ in found if lost >= _CROWD_NS else ():
        end_ns = step.start_ns + step.duration_ns
        low = bisect_left(slices.start_ns, step.start_ns)
        is_task = owned.kind[step.slice] == LOOP_TASK
        own = owned.task_group[owned.owner[step.slice]] if is_task else -1
        for i in range(low, bisect_left(slices.start_ns, end_ns, low)):
            if owned.kind[i] == READY and own >= 0 and _waker_group(owned.code[i]) == own:
                waited = min(slices.end_ns[i], end_ns) - slices.start_ns[i]
                lost -= waited * step.own_ns // step.duration_ns
    return lost


def _waker_group(code_: int) -> int:
    return code_ & ((1 << WAKER_SHIFT) - 1) if code_ >> WAKER_SHIFT == WAKER_GROUP else -1


def _lost(found: list[tuple[_Step, Behind]]) -> int:
    """How long others waited behind the steps, as far as the steps' own time was the cause."""
    return sum(behind.ns * step.own_ns // step.duration_ns for step, behind in found)


def _blocked(facts: Facts, occupants: _Occupants) -> Iterator[Finding]:
    """A task or callback occupies the loop for long while others are ready to run.

    One that computes for a second or more without an await never yields.
    """
    for (_, name, site), found in occupants.items():
        worst = max(found, key=lambda pair: pair[0].own_ns)[0]
        computed = max(step.split.of(COMPUTING) for step, _ in found)
        never = computed >= _ENDLESS_STEP_NS * facts.patience
        waiting = max((behind for _, behind in found), key=lambda behind: behind.tasks)
        lost = _lost(found)
        what = _what_they_do(facts, [step for step, _ in found])
        who = code(name, site)
        once = f"{duration(worst.own_ns)} ({at(facts, worst.start_ns)})"
        if never:
            text = f"{who} never yields: it ran for {once} without giving the loop a turn"
        else:
            text = f"{who} blocks the {facts.model.nouns.loop} for up to {once}"
        if len(found) > 1:
            total = duration(sum(step.own_ns for step, _ in found))
            text += (
                f"; {len(found)} of its steps took more than {duration(_LONG_STEP_NS)}, "
                f"{total} in total"
            )
        behind = waited(facts, waiting.tasks, lost, waiting.how)
        if waiting.how == ARRIVED:
            behind = (
                f"as soon as it was over, the loop had up to {waiting.tasks} callbacks to run "
                f"at once, for data that had arrived and timers that were due"
            )
        text += f"{what}; {behind}."
        kind = "task never yields" if never else "loop blocked"
        loop = facts.model.loops[worst.lane].kind
        step = _TO_THREAD[loop]
        if never or _computes(found, THREAD_RUNNING):
            step = _TO_PROCESS.format(_PAUSES.get(loop, "awaits"))
        elif _computes(found, NATIVE):
            step = f"Use {step[step.rindex('a thread: ') :]}"  # a library would, too
        yield Finding(kind, lost, text, _evidence(facts, worst, site), step)


def _computes(found: list[tuple[_Step, Behind]], state: int) -> bool:
    """Whether the steps compute for most of their own time, with the GIL or without: with it
    a thread would not help."""
    computed = sum(step.split.states[state] for step, _ in found)
    return computed * 2 > sum(step.own_ns for step, _ in found)


def _what_they_do(facts: Facts, steps: Iterable[_Step]) -> str:
    """`; it spends 98 % of that time in `sleep` (app.py:38)`: by states, computing by samples.

    All steps count: the longest may be long for another reason than the rest.
    """
    known = [step for step in steps if facts.ledger.thread_of_loop[step.lane] >= 0]
    own = Split(Counter(), Counter())
    for step in known:
        own.states.update(
            {k: ns for k, ns in step.split.states.items() if k not in NOT_ITS_FAULT}
        )
        own.calls.update(step.split.calls)
        own.waits.update(step.split.waits)
    where = ""
    if own.of(COMPUTING) * 2 > sum(own.states.values()):
        stacks = [
            stack
            for step in known
            for stack in facts.stacks(
                facts.model.threads[facts.ledger.thread_of_loop[step.lane]].tid,
                [(step.start_ns, step.start_ns + step.duration_ns)],
            )
        ]
        where = sampled(*hot(facts.hot_places, stacks))
    activity = did(facts, own, where)
    return f"; it spends {activity}" if activity else ""


def _evidence(facts: Facts, step: _Step, site: str) -> Evidence:
    loop = facts.model.loops[step.lane]
    _, _, task = facts.runs(step.slice)
    return Evidence(
        step.start_ns,
        step.duration_ns,
        f"{loop.kind}{loop.thread_name}",
        task,
        loop.tid,
        site,
        pid=facts.model.pid(loop.process),
    )


def _blocking_calls(facts: Facts, occupants: _Occupants) -> Iterator[Finding]:
    """Blocking calls on a loop's thread, in steps that are not reported for their length."""
    model, table = facts.model, facts.model.states
    lanes = facts.ledger.lane_of_thread
    if not lanes:
        return
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)  # by call: (row, slice)
    told: dict[tuple[int, int, int], bool] = {}  # by loop and what it runs
    for row in facts.rows_of((IO, SLEEP), _LONG_CALL_NS * facts.patience):
        if table.who[row] not in lanes:
            continue
        i = facts.on_loop_at(table.who[row], table.start_ns[row])
        if i < 0 or model.owners.kind[i] not in (LOOP_TASK, LOOP_CALLBACK):
            continue
        key = model.lane[i], model.owners.kind[i], model.owners.owner[i]
        if key not in told:
            told[key] = (model.loops[key[0]].process, *facts.runs(i)[:2]) in occupants
        if not told[key] and not is_quick(facts, table.row[row]):
            found[table.row[row]].append((row, i))
    usual = (
        Counter(
            table.row[row] for row in facts.rows_of((IO, SLEEP), 0) if table.row[row] in found
        )
        if found
        else Counter()
    )
    for call, rows in found.items():
        if is_harmless(facts, call, rows[0][0]):
            continue
        total = sum(table.end_ns[row] - table.start_ns[row] for row, _ in rows)
        worst, i = max(rows, key=lambda pair: table.end_ns[pair[0]] - table.start_ns[pair[0]])
        longest = table.end_ns[worst] - table.start_ns[worst]
        often = len(rows) >= _OFTEN and len(rows) * _TYPICAL >= usual[call]
        if total < _CALLS_NS or not (often or longest >= _SLOW_STEP_NS * facts.patience):
            continue
        waits = facts.during(
            [Interval(model.lane[j], table.start_ns[r], table.end_ns[r]) for r, j in rows]
        )
        lost = sum(wait.ns for wait in waits)
        if lost < _WAITED_NS:
            continue
        name, site = facts.call(call)
        who, where, task = facts.runs(i)
        loop = model.loops[model.lane[i]]
        text = (
            f"{code(who, where)} calls {code(name, site)}, which blocks the "
            f"{model.nouns.loop}: {plural(len(rows), 'time')} for more than "
            f"{duration(_LONG_CALL_NS)}, {duration(total)} in total, the longest "
            f"{duration(longest)} ({at(facts, table.start_ns[worst])}); "
            f"{waited(facts, max(wait.tasks for wait in waits), lost)}."
        )
        evidence = Evidence(
            table.start_ns[worst], longest, loop.thread_name, task, loop.tid, site,
            pid=model.pid(loop.process),
        )  # fmt: skip
        step = _TO_THREAD[loop.kind]
        yield Finding("blocking call on the loop thread", lost, text, evidence, step)
