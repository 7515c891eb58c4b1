"""Tasks, callbacks and calls that block an event loop."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.calls import (
    is_of_import,
    is_quick,
    is_set_up,
    long_calls,
    pieces,
)
from viewer.analysis.findings.basis.facts import (
    COMPUTING,
    Behind,
    Evidence,
    Facts,
    Finding,
)
from viewer.analysis.findings.basis.words import at, in_total, waited
from viewer.analysis.findings.loops.steps import (
    Step,
    evidence_of,
    long_steps,
    next_step,
    step_for_calls,
    what_they_do,
)
from viewer.analysis.findings.loops.together import blocked_together
from viewer.analysis.findings.servers.accepted import LateConnections
from viewer.analysis.findings.servers.overdue import (
    ARRIVED,
    ASKED,
    CONNECTED,
    arrived,
    asked,
    connected,
    overdue,
)
from viewer.analysis.ledger.ledger import Interval
from viewer.analysis.states import every, keys
from viewer.trace.columns import (
    IO,
    LOOP_CALLBACK,
    LOOP_TASK,
    READY,
    SLEEP,
    STATE_MASK,
    WAKER_GROUP,
    WAKER_SHIFT,
    Column,
)
from viewer.words import code

# Four of the interpreter's switch intervals: switching does not explain such a pause, and who
# needs fifty answers a second misses one. Once may be chance: it takes three …
_LONG_STEP_NS = 20 * MS
_OFTEN = 3
# … or one as long as asyncio's own debug mode complains of (loop.slow_callback_duration).
_SLOW_STEP_NS = 100 * MS
# … or one that cost those who waited half a second in all. Tasks that it made itself do not
# count: a task that makes many does not hold them up.
_CROWD_NS = 500 * MS
# A step this long meets no await that waits: no reader of the code expects that.
_ENDLESS_STEP_NS = 1_000 * MS
# A blocked loop that nobody waits for is no fault: less waiting than one long step is ignored.
# Where no step is that long, a single call must have cost a fifth of a second: one waiter
# behind it, as when a program begins, is not worth it.
_WAITED_NS = 20 * MS
_ONCE_NS = 200 * MS
# Where nobody was ready: tasks slept on for a fifth of a second in all, though they were due.
_OVERDUE_NS = 200 * MS
# Or sockets had data and timers were due, two or more each time, as soon as it was over.
_BLOCKS_NS = 50 * MS
_ARRIVED = 2
_MOST_OVERDUE = 100  # steps of an occupant that are examined for it, the longest ones
# A blocking call of 5 ms is longer than any hand-over of the GIL; a few may be the disk's.
_LONG_CALL_NS = 5 * MS
_CALLS_NS = 50 * MS  # the least that a call's site must cost in total
_TYPICAL = 4  # fewer than one long call in four: the call itself is quick


def loop_findings(facts: Facts) -> Iterator[Finding]:
    """Long steps, and blocking calls in steps that are not reported for their length."""
    steps = long_steps(facts)
    occupants = _by_occupant(facts, steps)
    yield from _blocked(facts, occupants)
    yield from blocked_together(facts, steps, occupants)
    yield from _blocking_calls(facts, occupants)


type _Occupants = dict[tuple[int, str, str], list[tuple[Step, Behind]]]


def _by_occupant(facts: Facts, every: list[Step]) -> _Occupants:
    """By (process, name, site) of what ran: its long steps and who waited, where that is a
    fault."""
    steps = [step for step in every if step.own_ns >= _LONG_STEP_NS * facts.patience]
    waits = facts.during(
        [Interval(p.lane, p.start_ns, p.start_ns + p.duration_ns) for p in steps]
    )
    grouped: _Occupants = defaultdict(list)
    crowd = _CROWD_NS * facts.patience
    for step, behind in zip(steps, waits, strict=True):
        name, site, _ = facts.runs(step.slice)
        grouped[facts.model.loops[step.lane].process, name, site].append((step, behind))
    for who, found in grouped.items():
        if _lost(found) < _WAITED_NS:
            grouped[who] = _with(overdue, facts, found, _OVERDUE_NS)
        is_late = bool(LateConnections.of(facts).by_thread)
        outside = _with(connected, facts, found, crowd) if is_late else found
        if _lost(outside) > _lost(grouped[who]):
            grouped[who] = outside
        if _lost(grouped[who]) < _WAITED_NS:
            grouped[who] = _with_arrivals(facts, found)
        threads = _with(asked, facts, found, crowd)
        if _lost(threads) > _lost(grouped[who]):
            grouped[who] = threads
    slow = _SLOW_STEP_NS * facts.patience
    return {
        who: found
        for who, found in grouped.items()
        if _lost(found) >= _WAITED_NS
        and (
            len(found) >= _OFTEN
            or any(step.own_ns >= slow for step, _ in found)
            or _held_up(facts, found) >= crowd
        )
    }


def _with(
    others: Callable[[Facts, int, int, int], Behind],
    facts: Facts,
    found: list[tuple[Step, Behind]],
    least_ns: int,
) -> list[tuple[Step, Behind]]:
    """The steps with `others` that were late because of them, where that lost enough."""
    late = [
        (step, others(facts, step.lane, step.start_ns, step.start_ns + step.duration_ns))
        for step, _ in found[:_MOST_OVERDUE]
    ]
    return late if _lost(late) >= least_ns else found


def _with_arrivals(
    facts: Facts, found: list[tuple[Step, Behind]]
) -> list[tuple[Step, Behind]]:
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


def _held_up(facts: Facts, found: list[tuple[Step, Behind]]) -> int:
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


def _lost(found: list[tuple[Step, Behind]]) -> int:
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
        what = what_they_do(facts, [step for step, _ in found])
        who = code(name, site)
        nouns = facts.model.nouns_on(worst.lane)
        once = f"{duration(worst.own_ns)} ({at(facts, worst.start_ns)})"
        if never:
            text = f"{who} never yields: it ran for {once} without giving the loop a turn"
        else:
            text = f"{who} blocks the {nouns.loop} for up to {once}"
        if len(found) > 1:
            total = duration(sum(step.own_ns for step, _ in found))
            text += (
                f"; {len(found)} of its steps took more than {duration(_LONG_STEP_NS)} while "
                f"others waited, {total} in total"
            )
        behind = waited(nouns, waiting.tasks, lost, waiting.how)
        if waiting.how == ARRIVED:
            behind = (
                f"as soon as it was over, the loop had up to {waiting.tasks} callbacks to run "
                f"at once, for data that had arrived and timers that were due"
            )
        if waiting.how == CONNECTED:
            behind = (
                f"up to {plural(waiting.tasks, CONNECTED)} waited until it was over, "
                f"{duration(lost)} summed over all of them"
            )
        if waiting.how == ASKED:
            many = waiting.tasks > 1
            behind = (
                f"{f'up to {waiting.tasks} threads' if many else 'a thread'} waited for what "
                f"{'they' if many else 'it'} had given to the {nouns.loop}, {duration(lost)} "
                f"in total"
            )
        about = _waited_at(facts, [step for step, _ in found])
        text += f"{what}{_held_by(facts, about)}; {behind}."
        kind = "task never yields" if never else "loop blocked"
        step = next_step(facts, [step for step, _ in found], never)
        yield Finding(kind, lost, text, evidence_of(facts, worst, site), step, about=about)


def _waited_at(facts: Facts, steps: list[Step]) -> frozenset[str]:
    """The line at which the steps spent half of their time or more in a call or wait."""
    ns = Counter[str]()
    for step in steps:
        for (_, _, site), waited_ns in step.split.waits.items():
            ns[site] += waited_ns
        for call, waited_ns in step.split.calls.items():
            ns[facts.call(call)[1]] += waited_ns
    whole = sum(step.own_ns for step in steps)
    return frozenset(site for site, waited_ns in ns.items() if site and waited_ns * 2 >= whole)


def _held_by(facts: Facts, sites: frozenset[str]) -> str:
    """`; `importer` (app.py:12) holds that lock meanwhile`: who had the lock that one waits
    for at these lines, and took it where."""
    for row in facts.locks.at_least("total_ns", _LONG_STEP_NS) if sites else ():
        waiting = {waiter.who for waiter in row.waiters if waiter.site in sites}
        others = [one for one in row.holders if one.who not in waiting]
        if waiting and others:
            return f"; {code(others[0].who, others[0].site)} holds that lock meanwhile"
    return ""


def _that_cost(facts: Facts, rows: Column) -> Column:
    """Of rows of calls those whose call took long enough in total to be worth a look."""
    table, engine, calls = facts.model.states, facts.model.trace.engine, facts.model.states.row
    count = len(table.call_name)
    key = keys(
        facts.model, lambda state: state & STATE_MASK in (IO, SLEEP), calls, every(count)
    )
    none = memoryview(bytes(len(key)))
    total = engine.tally(table.start_ns, table.end_ns, key, none, count, 1).total
    return engine.pick(rows, calls, memoryview(bytes(map(_CALLS_NS.__le__, total))))


def _blocking_calls(facts: Facts, occupants: _Occupants) -> Iterator[Finding]:
    """Blocking calls on a loop's thread, in steps that are not reported for their length."""
    model, table = facts.model, facts.model.states
    lanes = facts.ledger.lane_of_thread
    if not lanes:
        return
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)  # by call: (row, slice)
    told: dict[tuple[int, int, int], bool] = {}  # by loop and what it runs
    for row in _that_cost(facts, long_calls(facts, _LONG_CALL_NS * facts.patience)):
        if table.who[row] not in lanes:
            continue
        i = facts.on_loop_at(table.who[row], table.start_ns[row])
        if i < 0 or model.owners.kind[i] not in (LOOP_TASK, LOOP_CALLBACK):
            continue
        key = model.lane[i], model.owners.kind[i], model.owners.owner[i]
        if key not in told:
            told[key] = (model.loops[key[0]].process, *facts.runs(i)[:2]) in occupants
        if not told[key]:
            found[table.row[row]].append((row, i))
    usual = (
        Counter(
            table.row[row] for row in facts.rows_of((IO, SLEEP), 0) if table.row[row] in found
        )
        if found
        else Counter()
    )
    for call, rows in found.items():
        took = {row: table.busy_end_ns[row] - table.start_ns[row] for row, _ in rows}
        total = sum(took.values())
        worst, i = max(rows, key=lambda pair: took[pair[0]])
        longest = took[worst]
        often = len(rows) >= _OFTEN and len(rows) * _TYPICAL >= usual[call]
        if total < _CALLS_NS or not (often or longest >= _SLOW_STEP_NS * facts.patience):
            continue
        if is_quick(facts, call) or is_of_import(facts, call, rows[0][0]):
            continue
        if is_set_up(facts, call):
            continue
        waits = facts.during(
            [Interval(model.lane[j], *piece) for r, j in rows for piece in pieces(facts, r)]
        )
        lost = sum(wait.ns for wait in waits)
        if lost < (_WAITED_NS if often else _ONCE_NS):
            continue
        name, site = facts.call(call)
        who, where, task = facts.runs(i)
        loop, nouns = model.loops[model.lane[i]], model.nouns_on(model.lane[i])
        text = (
            f"{code(who, where)} calls {code(name, site)}, which blocks the {nouns.loop}: "
            f"{plural(len(rows), 'time')} for more than {duration(_LONG_CALL_NS)}, "
            f"{in_total(facts, total, longest, table.start_ns[worst])}; "
            f"{waited(nouns, max(wait.tasks for wait in waits), lost)}."
        )
        evidence = Evidence(
            table.start_ns[worst], longest, loop.thread_name, task, loop.tid, site,
            pid=model.pid(loop.process),
        )  # fmt: skip
        step = step_for_calls(loop.kind)
        yield Finding("blocking call on the loop thread", lost, text, evidence, step)
