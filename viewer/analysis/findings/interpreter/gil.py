"""The GIL: shared by several threads that compute, or kept by one from the others."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from heapq import nlargest
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, duration, share
from viewer.analysis.findings.basis.facts import (
    LOST_NS,
    NOT_ITS_FAULT,
    Evidence,
    Facts,
    Finding,
)
from viewer.analysis.findings.basis.hot import hot
from viewer.analysis.findings.basis.words import names, sampled
from viewer.analysis.ledger.resource import window
from viewer.analysis.ledger.rows import has_gil
from viewer.analysis.resources.herds import Herds
from viewer.analysis.states import keys, numbers
from viewer.analysis.threads import Holder, ThreadRow
from viewer.trace.columns import GIL_WAIT, THREAD_RUNNING
from viewer.words import code, stem

_MOST = 500  # threads that are looked at one by one
# Half a second of waiting in all; less is the price of threads that now and then compute. As
# much less is enough as the kernel gave them less of a processor, down to a tenth of a second,
# where they ran for longer than they waited.
_LEAST_NS = 100 * MS
# What many threads compute beside their waits for answers is less in all: they only meet.
_WORK_NS = 300 * MS
# A thread computes when it ran for a tenth of a second, and it shares the GIL with its equals
# when it waited for a tenth of the time it wanted to run, and one of them for a quarter. A hog
# waits less.
_RAN_NS = 100 * MS
_SHARED = 10
_MUCH = 4
_EQUAL = 5  # who makes others wait for less than a fifth of another's time is its victim
_HURT = 4  # a thread that computes little is named when it waited for such a part of its time
_HURT_NS = 50 * MS


class _Saturated:
    """The findings of a model, found once: those about pools ask for them too."""

    def __init__(self, facts: Facts) -> None:
        self.findings = tuple(_found(facts))


def gil_saturated(facts: Facts) -> Iterator[Finding]:
    """Two or more threads compute at the same time and wait for each other."""
    yield from facts.model.derive(_Saturated, lambda: _Saturated(facts)).findings


class _Thread(NamedTuple):
    """A row, how long the thread ran, and how long others kept the GIL while it waited."""

    row: ThreadRow
    ran: int
    waited: int


def _found(facts: Facts) -> Iterator[Finding]:
    # Nobody lost more than all waited.
    if sum(facts.threads.measure(s.GIL_WAIT)) < _LEAST_NS * facts.patience:
        return
    by_pid: dict[int, list[ThreadRow]] = defaultdict(list)
    # Who is woken in vain again and again looks, and does not compute: see "thundering herd".
    looking = {facts.model.threads[thread].tid for thread in Herds.of(facts).threads}
    for row in _rows(facts):
        if row.tid not in looking:
            by_pid[row.pid].append(row)
    for pid, every in by_pid.items():
        since_ns = _contended_since(facts, every[0].process)
        threads, kept = list[_Thread](), Counter[int]()
        for row in (_ran_since(facts, row, since_ns) for row in every):
            times = [(holder.tid, _kept(holder)) for holder in row.held.holders]
            threads.append(_Thread(row, row.states[s.RUNNING], sum(ns for _, ns in times)))
            for tid, ns in times:
                kept[tid] += ns
        computing = _equals(threads, kept)
        if len(computing) < 2 or not _wait_much(computing):
            continue
        tids = {one.row.tid for one in computing}
        lost = sum(kept[tid] for tid in tids)
        ran, waited = _ran(computing), sum(one.waited for one in computing)
        taken = sum(one.row.states.get(s.PREEMPTED, 0) for one in computing)
        least = max(LOST_NS * ran // (ran + taken), _LEAST_NS)
        if lost < least * facts.patience or (lost < LOST_NS and waited > ran):
            continue
        if ran < _WORK_NS:
            continue
        if _collected_ns(facts, pid, tids) * 2 > ran:
            continue  # see "GC in the hot path"
        stacks = [
            stack
            for tid in tids
            for time_ns, stack in facts.samples_of(tid)
            if time_ns >= since_ns
        ]
        if sum(facts.importing[stack] for stack in stacks) * 2 > len(stacks):
            continue
        yield _finding(facts, pid, threads, computing, stacks, lost)


def _contended_since(facts: Facts, process: int) -> int:
    """A moment before a thread of a process first waited for the GIL. What ran before, at a
    start most often, made nobody wait."""
    model, table = facts.model, facts.model.states
    waits = facts.rows_of((GIL_WAIT,), MS)
    of = (row for row in waits if model.thread_process[table.who[row]] == process)
    first = next(of, -1)
    return table.start_ns[first] - _RAN_NS if first >= 0 else 0


def _ran_since(facts: Facts, row: ThreadRow, since_ns: int) -> ThreadRow:
    """The row, as if the thread had not run before."""
    table = facts.model.states
    thread = facts.ledger.thread(row.process, row.tid)
    if thread < 0 or row.threads > 1 or row.states[s.RUNNING] < _RAN_NS:
        return row
    if table.first_ns[thread] >= since_ns:
        return row
    ran = facts.split(thread, window(since_ns, table.last_ns[thread])).states[THREAD_RUNNING]
    return row._replace(states=row.states | {s.RUNNING: ran})


def _rows(facts: Facts) -> Sequence[ThreadRow]:
    """All threads; of very many, those that ran or wanted to run longest: each row has all
    who held the GIL meanwhile."""
    numbers = facts.threads.numbers
    if len(numbers) <= _MOST:
        return facts.threads
    ran, waited = map(facts.threads.measure, (s.RUNNING, s.GIL_WAIT))
    wanted = {n: ran[n] + waited[n] for n in numbers}
    longest = {*nlargest(_MOST, numbers, key=wanted.__getitem__)}
    return facts.threads.with_numbers([n for n in numbers if n in longest])


def _collected_ns(facts: Facts, pid: int, tids: set[int]) -> int:
    """How long the garbage collector ran on these threads, without what the others took."""
    found = 0
    for (process, tid), rows in facts.collections.items():
        thread = facts.ledger.thread(process, tid)
        if facts.model.pid(process) == pid and tid in tids and thread >= 0:
            runs = facts.model.collections.at(rows)
            taken = facts.meanwhile_ns(runs, {thread}, NOT_ITS_FAULT)
            found += sum(run.end_ns - run.start_ns for run in runs) - sum(taken)
    return found


def _kept(holder: Holder) -> int:
    """How long the holder had the GIL, without what the kernel did to it."""
    states = holder.states
    return holder.ns - states.get(s.PREEMPTED, 0) - states.get(s.OFF_CPU, 0)


def _equals(threads: list[_Thread], kept: Counter[int]) -> list[_Thread]:
    """The threads that compute at the same time. Those of one name count as one, the busiest
    of them or, where each is there for a request only, all. `kept` says by tid how long a
    thread had the GIL while others waited."""
    teams = defaultdict[str, list[_Thread]](list)
    for one in threads:
        teams[stem(one.row.name)].append(one)
    found = list[list[_Thread]]()
    for team in teams.values():
        alone = any(_shares([one], _SHARED) for one in team)
        if alone or _shares(team, _SHARED):
            least = max(one.ran for one in team) // _EQUAL if alone else 0
            found.append([one for one in team if one.ran >= least])
    most = max((sum(kept[one.row.tid] for one in team) for team in found), default=0)
    return [
        one
        for team in found
        if sum(kept[one.row.tid] for one in team) * _EQUAL >= most
        for one in team
    ]


def _ran(threads: list[_Thread]) -> int:
    return sum(one.ran for one in threads)


def _shares(threads: list[_Thread], part: int) -> bool:
    """Whether they compute, and waited for such a part of the time they wanted to run."""
    ran, waited = _ran(threads), sum(one.waited for one in threads)
    return ran >= _RAN_NS and waited * part >= ran + waited


def _wait_much(computing: list[_Thread]) -> bool:
    return any(_shares([one], _MUCH) for one in computing) or _shares(computing, _MUCH)


def _finding(
    facts: Facts, pid: int, threads: list[_Thread], computing: list[_Thread],
    stacks: list[int], lost: int,
) -> Finding:  # fmt: skip
    ran, waited = _ran(computing), sum(one.waited for one in computing)
    where = sampled(*hot(facts.hot_places, stacks))
    text = (
        f"GIL saturated: {names(one.row.name for one in computing)} compute at the same time"
        f"{f' in {where}' if where else ''} and share one GIL: they ran for {duration(ran)} "
        f"and waited {duration(waited)} for it, so they do the work of one thread."
    )
    known = {id(one) for one in computing}
    hurt = [one for one in threads if id(one) not in known and _is_hurt(one)]
    if hurt:
        most = max(hurt, key=_waited)
        text += (
            f" {code(most.row.name)} waited {duration(most.waited)} for it, "
            f"{share(most.waited, most.waited + most.ran)} of the time it wanted to run."
        )
    text += " Compute in processes (`ProcessPoolExecutor`), or in fewer threads."
    worst = max(hurt or computing, key=_waited).row
    at = worst.worst
    start, ns = (at.start_ns, at.ns) if at is not None else (facts.model.start_ns, 0)
    evidence = Evidence(start, ns, worst.name, tid=worst.tid, pid=pid)
    return Finding("GIL saturated", lost, text, evidence)


def _waited(one: _Thread) -> int:
    return one.waited


def _is_hurt(one: _Thread) -> bool:
    return one.waited >= _HURT_NS and one.waited * _HURT >= one.waited + one.ran


# A hog keeps the GIL for whole switch intervals (5 ms); threads that take turns wait less. The
# hog itself hardly waits: at most a third of what it makes others wait.
_TURN_NS = MS
_SELF = 3
_HOG_NS = 40 * MS  # eight intervals
_TURNS = 5  # fewer waits occur when a program starts; a long one counts as several
_LONG_TURN_NS = 10 * MS
_PART = 5  # … and it costs a victim a fifth of its working time, and a tenth of its life:
_LIFE = 10  # … without what the kernel took: a few milliseconds now and then hurt nobody
_NOTED = 10  # preemption is mentioned when it is a tenth of the rest
_ELSEWHERE = "Compute in a process, or in code that releases the GIL."


def gil_hog(facts: Facts) -> Iterator[Finding]:
    """One thread computes and releases the GIL only when forced to; others wait for it."""
    model, threads = facts.model, facts.threads
    least = _HOG_NS * facts.patience
    # Nobody waits longer for a thread than it had the GIL.
    if max(_with_gil_ns(facts), default=0) < least:
        return
    blamed: dict[tuple[int, int], list[tuple[int, str, int, int]]] = defaultdict(list)
    away, turns = Counter[tuple[int, int]](), Counter[tuple[int, int]]()
    waited = threads.measure(s.GIL_WAIT)
    counts = threads.measure("gil_waits")
    for row in threads.with_numbers(
        [i for i in threads.numbers if counts[i] and waited[i] >= counts[i] * _TURN_NS]
    ):
        kept = row.gil_wait_ns - sum(map(_taken, row.held.holders))
        if kept < row.gil_waits.count * _TURN_NS:
            continue
        idle = row.idle_ns + sum(row.states[state] for state in ("io", s.SLEEP, s.PREEMPTED))
        for holder in row.held.holders:
            taken = _taken(holder)
            working = row.wall_ns - idle - taken
            away[row.pid, holder.tid] += taken
            ns = holder.ns - taken
            life = row.wall_ns - row.states[s.PREEMPTED] - taken
            hurts = ns * _PART >= working and ns * _LIFE >= life
            if hurts and ns >= least:
                blamed[row.pid, holder.tid].append((ns, row.name, row.tid, working))
                long = row.gil_waits.max_ns // _LONG_TURN_NS
                turns[row.pid, holder.tid] += max(row.gil_waits.count, long)
    if not blamed:
        return
    pids, tids = model.pids(model.thread_process), model.threads.tids
    by_id = {(pids[i], tids[i]): i for i in threads.numbers}
    for hog, victims in blamed.items():
        lost = sum(ns for ns, *_ in victims)
        own = waited[by_id[hog]] if hog in by_id else 0
        takes_turns = own * _SELF > lost + away[hog]
        if turns[hog] < _TURNS or takes_turns:
            continue
        pid, tid = hog
        name = model.thread_names[by_id[hog]] if hog in by_id else f"thread {tid}"
        where = sampled(*hot(facts.hot_places, [stack for _, stack in facts.samples_of(tid)]))
        _, _, victim, _ = max(victims)
        (row,) = threads.with_numbers([by_id[pid, victim]])
        worst = row.worst
        assert worst is not None
        kept = sum(
            holder.states.get(state, 0)
            for holder in worst.held.holders
            for state in (s.RUNNING, "io")
        )
        they, summed = ("they", ", summed over all of them") if victims[1:] else ("it", "")
        text = (
            f"{code(name)} hogs the GIL: {names(who for _, who, _, _ in victims)} waited "
            f"{duration(lost)} for it{summed} ({share(lost, sum(w for *_, w in victims))} of "
            f"the time {they} wanted to run), the longest {duration(kept)}"
        )
        text += f"; {code(name)} computes in {where}" if where else ""
        if away[hog] * _NOTED >= lost:
            text += f" (not counted: {duration(away[hog])} while the kernel had preempted it)"
        evidence = Evidence(worst.start_ns, worst.ns, row.name, tid=victim, pid=pid)
        yield Finding("GIL hog", lost, f"{text}.", evidence, _ELSEWHERE)


def _with_gil_ns(facts: Facts) -> Sequence[int]:
    """By thread the time that it held the GIL."""
    model, table = facts.model, facts.model.states
    return model.trace.engine.tally(
        table.start_ns,
        table.end_ns,
        keys(model, has_gil, table.who, numbers(range(len(model.threads)))),
        memoryview(bytes(len(table.state))),
        len(model.threads),
        1,
    ).total


def _taken(holder: Holder) -> int:
    """How long the kernel kept the holder from releasing the GIL."""
    return holder.states.get(s.PREEMPTED, 0) + holder.states.get(s.OFF_CPU, 0)
