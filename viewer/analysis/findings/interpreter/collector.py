"""The garbage collector: it runs too often or too long, or waits in a finaliser."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tracer import schema as s
from tracer.units import MS, duration, plural, share
from viewer.analysis.causes.path import RunPath
from viewer.analysis.findings.basis.facts import (
    BLOCKED,
    COMPUTING,
    NOT_ITS_FAULT,
    Evidence,
    Facts,
    Finding,
)
from viewer.analysis.findings.basis.hot import hot
from viewer.analysis.findings.basis.words import at, did, sampled, waited
from viewer.analysis.ledger.ledger import Interval
from viewer.analysis.ledger.resource import parts, windows_of
from viewer.analysis.states import numbers, stack_of
from viewer.trace.columns import (
    GIL_WAIT,
    IO,
    LOCK_WAIT,
    LOOP_CALLBACK,
    LOOP_TASK,
    SLEEP,
    STATE_MASK,
    Column,
)
from viewer.trace.garbage import Collection, Collections
from viewer.trace.sites import place_of
from viewer.words import code, stem

_NOTED = 10  # preemption is mentioned when it is a tenth of the rest
# Collections take 5 % of the running time and a tenth of a second, which is the most that one
# who waits can lose to them, or one lasts 50 ms; and tasks of the loop wait for
# them for 50 ms, or other threads for half a second or a fifth of the recording, or the end of
# the program for half a second and a quarter of its path. Less of that, which they cost the
# thread itself, is the price of its garbage. One or two calls of `gc.collect()` at a
# line are those of a start or an end (before a fork, for one), and no hot path.
_GC_PART = 20
_GC_NS = 100 * MS
_PAUSE_NS = 50 * MS
_OTHERS_NS = 500 * MS
_OTHERS_PART = 5
_ENDS_NS = 500 * MS
_ENDS_PART = 4
_CALLED = 3
_MOST_PAUSES = 5_000  # only the longest are examined
_DO_NOT_CALL = "Do not call `gc.collect()` there."
_FEWER_CYCLES = "Make fewer objects in reference cycles; `gc.freeze()` after start-up."
# Fewer than an object in each collection: it looks at what lives on, and finds no garbage.
_NO_GARBAGE = (
    "Next to nothing of what it looks at is garbage: `gc.freeze()` once the program has "
    "loaded what it keeps, or a higher `gc.set_threshold()`."
)


def gc_in_hot_path(facts: Facts) -> Iterator[Finding]:
    """The collector runs so often, or so long, that the work around it suffers."""
    alike: dict[tuple[int, str, str], list[Finding]] = defaultdict(list)
    engine, every = facts.model.trace.engine, facts.model.collections
    took = engine.between(every.start_ns, every.end_ns)
    for (process, tid), of_thread in facts.collections.items():
        rows = _in_the_path(every, of_thread)
        if sum(engine.take(took, rows, 0)) >= _PAUSE_NS:
            thread = facts.ledger.thread(process, tid)
            for finding in _collections(facts, process, tid, thread, rows):
                sites = filter(None, map(every.called_at.__getitem__, rows))
                at_line = next(sites, "")
                alike[process, stem(facts.model.thread_names[thread]), at_line].append(finding)
    for found in alike.values():
        found.sort(key=lambda finding: -finding.severity_ns)
        worst, *others = found
        if others:
            lost = sum(finding.severity_ns for finding in found)
            text = (
                f"{worst.text[:-1]}. {plural(len(others), 'other thread')} like it "
                f"{'do' if others[1:] else 'does'} the same: {duration(lost)} lost in all."
            )
            worst = worst._replace(severity_ns=lost, text=text)
        yield worst


def _in_the_path(every: Collections, rows: Column) -> Column:
    """Without those that a line called only once or twice."""
    called = Counter(map(every.called_at.__getitem__, rows))
    if all(site is None or times >= _CALLED for site, times in called.items()):
        return rows
    return numbers(
        row
        for row in rows
        if (site := every.called_at[row]) is None or called[site] >= _CALLED
    )


def _collections(
    facts: Facts, process: int, tid: int, thread: int, rows: Column
) -> Iterator[Finding]:
    model, engine, every = facts.model, facts.model.trace.engine, facts.model.collections
    took = engine.between(every.start_ns, every.end_ns)
    runs = every.at(engine.ranked(rows, took, 1)[:_MOST_PAUSES])
    own = [run.end_ns - run.start_ns for run in runs]
    if thread >= 0:
        taken = facts.meanwhile_ns(runs, {thread}, NOT_ITS_FAULT)
        own = [ns - away_ns for ns, away_ns in zip(own, taken, strict=True)]
    total, longest = sum(own), max(own)
    away = sum(run.end_ns - run.start_ns for run in runs) - total
    part = total / max(total + away, 1)
    whole = model.end_ns - model.start_ns
    name = f"thread {tid}"
    if thread >= 0:
        name = model.thread_names[thread]
        since, until = model.states.first_ns[thread], model.states.last_ns[thread]
        running = sum(
            row.states[s.RUNNING] + row.states[s.NATIVE]
            for row in facts.threads
            if (row.pid, row.tid) == (model.pid(process), tid)
        )
        whole = running or until - since
    loop = facts.ledger.lane_of_thread.get(thread, -1)
    waits = (
        facts.during([Interval(loop, run.start_ns, run.end_ns) for run in runs])
        if loop >= 0
        else []
    )
    # As far as the collections themselves were the cause.
    ready = int(sum(wait.ns for wait in waits) * part)
    others = int(_gil_waits(facts, thread, runs) * part)
    if others < min(_OTHERS_NS, (model.end_ns - model.start_ns) // _OTHERS_PART):
        others = 0
    end = _of_the_path_ns(facts, thread)
    lost = max(ready + others, end)
    often = total >= _GC_NS * facts.patience and total * _GC_PART >= whole
    pause = longest >= _PAUSE_NS * facts.patience
    if lost < _PAUSE_NS or not (often or pause):
        return
    worst = runs[max(range(len(runs)), key=own.__getitem__)]
    text = (
        f"Garbage collection takes {share(total, whole)} of the running time of {code(name)}: "
        f"{plural(len(rows), 'collection')}, {duration(total)} "
        f"{'in total' if len(runs) == len(rows) else f'in the longest {len(runs):,}'}, "
        f"the longest {duration(longest)} ({at(facts, worst.start_ns)})"
    )
    if away * _NOTED >= total:
        by = "the kernel or other threads"
        text += f" (not counted: {duration(away)} while {by} had stopped them)"
    inside: Counter[tuple[str, str]] = Counter()
    for run, ns in zip(runs, own, strict=True):
        i = facts.on_loop_at(thread, run.start_ns)
        if i >= 0 and model.owners.kind[i] in (LOOP_TASK, LOOP_CALLBACK):
            inside[facts.runs(i)[:2]] += ns
    site = ""
    if inside:
        (who, site), ns = max(inside.items(), key=lambda item: (item[1], item[0]))
        text += f"; {share(ns, total)} of that time it interrupted {code(who, site)}"
    text += _called([*map(every.called_at.__getitem__, rows)])
    own_runs = [run for run in runs if run.called_at is None]
    stacks = facts.stacks(tid, [(run.start_ns, run.end_ns) for run in own_runs])
    where = sampled(*hot(facts.hot_places, stacks), most=1)
    if where:
        text += f"; the objects made in {where} trigger it"
    cycles = sum(engine.take(every.collected, rows, 0))
    if cycles:
        text += f"; it freed {plural(cycles, 'object')} in reference cycles"
    if ready:
        many = max(wait.tasks for wait in waits)
        text += f"; {waited(facts.model.nouns_on(loop), many, ready)}"
    if others:
        text += f"; meanwhile other threads waited {duration(others)} for the GIL"
    if end:
        text += f"; the end of the program waited {duration(end)} for them"
    evidence = Evidence(
        worst.start_ns, worst.end_ns - worst.start_ns, "GC", tid=tid, site=site,
        pid=model.pid(process),
    )  # fmt: skip
    called = any(run.called_at is not None for run in runs)
    step = _FEWER_CYCLES if cycles >= len(rows) else _NO_GARBAGE
    step = _DO_NOT_CALL if called else step
    yield Finding("GC in the hot path", lost, f"{text}.", evidence, step)


def _called(by: list[str | None]) -> str:
    """Where gc.collect() was called for collections."""
    sites = Counter(site for site in by if site is not None).most_common()
    if not sites:
        return ""
    called = sum(count for _, count in sites)
    which = "all" if called == len(by) else f"{called:,}"
    where = f" in {code(place_of(sites[0][0]).function, sites[0][0])}" if sites[0][0] else ""
    others = f" and {plural(len(sites) - 1, 'other place')}" if len(sites) > 1 else ""
    return f"; `gc.collect()` called{where}{others} began {which} of them"


def _of_the_path_ns(facts: Facts, thread: int) -> int:
    """How much of the path to the program's end its collections are; 0 if that is little."""
    path = RunPath.of(facts.model)
    windows = path.windows.get(thread)
    if windows is None or path.ns < _ENDS_NS:
        return 0
    carved, whole = (
        facts.ledger.collecting.carve(thread, windows),
        path.ns_without(NOT_ITS_FAULT),
    )
    ns = sum(facts.split(thread, of).of(COMPUTING) for key, of in parts(carved) if key >= 0)
    return ns if ns >= _ENDS_NS and ns * _ENDS_PART >= whole else 0


def _gil_waits(facts: Facts, thread: int, runs: list[Collection]) -> int:
    """How long other threads waited for the GIL during collections of one thread."""
    if thread < 0:
        return 0
    process = facts.model.thread_process
    others = {i for i, of in enumerate(process) if of == process[thread]} - {thread}
    return sum(facts.meanwhile_ns(runs, others, {GIL_WAIT}))


# A collection computes. Where its finalisers wait, a fifth of a second in all is worth a word.
_LONG_NS = 10 * MS
_LOST_NS = 200 * MS
_LOOKED_AT = 100  # states
_MOST = 200  # collections of a thread that are looked at, the longest ones


def slow_finalisers(facts: Facts) -> Iterator[Finding]:
    """Finalisers wait within collections, so whoever happens to collect waits for them."""
    model, every = facts.model, facts.model.collections
    is_any = memoryview(bytes(b"\1" * len(every)))
    longest = {*model.trace.engine.longer(every.start_ns, every.end_ns, is_any, _LONG_NS)}
    for (process, tid), rows in facts.collections.items() if longest else ():
        long = [every[row] for row in rows if row in longest]
        if sum(run.end_ns - run.start_ns for run in long) < _LOST_NS:
            continue
        thread = facts.ledger.thread(process, tid)
        if thread < 0:
            continue
        long = sorted(long, key=lambda run: run.start_ns - run.end_ns)[:_MOST]
        long.sort(key=lambda run: run.start_ns)
        times = [(run.start_ns, run.end_ns) for run in long]
        split = facts.split(thread, windows_of(times))
        lost = split.of(BLOCKED)
        if lost < _LOST_NS:
            continue
        worst = max(long, key=lambda run: run.end_ns - run.start_ns)
        name = model.thread_names[thread]
        finaliser = _finaliser(facts, thread, worst)
        by = f" (such as {code(place_of(finaliser).function, finaliser)})" if finaliser else ""
        how = f", {said}" if (said := did(facts, split)) else ""
        text = (
            f"GC in the hot path: finalisers{by} wait in {plural(len(long), 'collection')} on "
            f"{code(name)}, {duration(lost)} in total, the longest collection "
            f"{duration(worst.end_ns - worst.start_ns)} ({at(facts, worst.start_ns)})"
            f"{how}. Whatever runs when a collection is due waits for them. Close such "
            f"objects by hand (`with`, `close()`), and do not leave blocking work to "
            f"`__del__`."
        )
        evidence = Evidence(
            worst.start_ns, worst.end_ns - worst.start_ns, name, tid=tid,
            site=finaliser, pid=model.pid(process),
        )  # fmt: skip
        about = frozenset((finaliser,) if finaliser else ())
        yield Finding("GC in the hot path", lost, text, evidence, about=about)


def _finaliser(facts: Facts, thread: int, run: Collection) -> str:
    """The frame of a `__del__` that waits in a collection; "" where no stack has one."""
    table, rows = facts.model.states, facts.ledger.rows_of_threads
    for n in rows.begun(thread, run.start_ns, run.end_ns)[:_LOOKED_AT]:
        row = rows.row[n]
        if table.state[row] & STATE_MASK in (SLEEP, IO, LOCK_WAIT):
            stack = stack_of(facts.model, row)
            found = next((f for f in stack.split("\n") if f.endswith("__del__")), "")
            if found:
                return found
    return ""
