"""Compares a trace with what its program knows about itself; one line per disagreement."""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tests.random_programs import facts
from tests.random_programs.check_tasks import check_tasks
from tests.random_programs.evidence import SLACK_NS, Evidence, Found
from tests.random_programs.facts import Facts
from tests.support.validator.slices import Slice
from tests.support.validator.strict import Event
from tests.support.validator.user import Said
from tracer import schema as s

SHORT_NS = 2_900_000  # waits of the parts that time out last 3 ms


@dataclass(frozen=True, slots=True)
class Wrong:
    """`kind` is one word for all disagreements of a sort, as in OPEN_FAULTS."""

    kind: str
    part: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.part}: {self.text}"


def check(data: bytes, truth: Facts) -> list[Wrong]:
    """All disagreements. If the trace itself is invalid, that is one of kind `invalid`."""
    try:
        trace = Evidence(data, truth.pid)
    except AssertionError as error:
        return [Wrong("invalid", "trace", str(error))]
    return [Wrong(*row) for look in CHECKS for row in look(trace, truth)]


def _waits(trace: Evidence, truth: Facts) -> Found:
    for row in truth.waits:
        if not row.is_cut:
            for kind, text in _wait(trace, row):
                yield kind, row.part, f"{row.name} of {row.tid}: {text}"


def _wait(trace: Evidence, row: facts.Wait) -> Iterator[tuple[str, str]]:
    lane = trace.states.get(row.tid, [])
    at = _wait_at(trace, row)
    if at is None:
        if row.seen_ns or not _was_late(trace, row):
            near = trace.near(lane, row.asked_ns, row.done_ns)
            kind = "call not named" if row.outcome is None else "wait not named"
            yield kind, f"asked and seen, but the thread has {near}"
        return
    last = _last_piece(trace, row, at)
    wait, end_ns = lane[at], trace.end_ns(lane[last])
    if wait.start_ns < row.asked_ns - SLACK_NS:
        yield "wait too early", f"{row.asked_ns - wait.start_ns} ns before it was asked for"
    if row.woke_ns and end_ns < row.woke_ns - SLACK_NS:
        yield "wait too short", f"ends {row.woke_ns - end_ns} ns before anybody ended it"
    if end_ns > row.done_ns + SLACK_NS:
        yield "wait too long", f"ends {end_ns - row.done_ns} ns after the thread went on"
    if row.outcome is None:
        return
    if (acquired := lane[last].args.get(s.ARG_ACQUIRED)) != row.outcome:
        yield "acquired", f"acquired is {acquired}, not {row.outcome}"
    owner = wait.args.get(s.ARG_OWNER)
    if owner != (row.owner or None):
        kind = "owner missing" if owner is None else "owner wrong"
        yield kind, f"owner is {owner}, not {row.owner or 'absent'}"
    releases = [
        each for piece in {at, last} for each in _releases(trace, lane[piece + 1 : piece + 3])
    ]
    if not row.waker:
        if releases:
            yield "release wrong", f"nobody ended it, but there is {releases[0]}"
    elif not any(
        trace.tid_of(each) == row.waker
        and row.woke_ns - SLACK_NS <= each.time_ns <= (row.woken_ns or row.done_ns) + SLACK_NS
        for each in releases
    ):
        others = [(trace.tid_of(each), each.time_ns - row.woke_ns) for each in releases]
        kind = "release wrong" if others else "release missing"
        yield kind, f"no arrow from {row.waker} (-> thread, ns after: {others})"


def _last_piece(trace: Evidence, row: facts.Wait, at: int) -> int:
    """A join waits until the thread has said that it ends, and then until it is gone."""
    lane = trace.states[row.tid]
    if row.name.endswith(("join", "shutdown")) and row.outcome:
        last = trace.state_at(row.tid, row.done_ns)
        lock = lane[at].args.get(s.ARG_LOCK)
        same = [i for i in range(at, last + 1) if lane[i].args.get(s.ARG_LOCK) == lock]
        return max(same)
    return at


def _wait_at(trace: Evidence, row: facts.Wait) -> int | None:
    """Its index in the thread's lane: where it was seen, else the only one of that name."""
    lane = trace.states.get(row.tid, [])
    if row.seen_ns:
        at = trace.state_at(row.tid, row.seen_ns)
        return at if at >= 0 and lane[at].name == row.name else None
    first = trace.state_at(row.tid, row.asked_ns - SLACK_NS) + 1
    last = trace.state_at(row.tid, row.done_ns)
    found = [at for at in range(first, last + 1) if lane[at].name == row.name]
    return found[0] if len(found) == 1 else None


def _was_late(trace: Evidence, row: facts.Wait) -> bool:
    """The time-out ended before the thread began to wait: something else delayed it."""
    stopped_ns = sum(
        min(trace.end_ns(each), row.done_ns) - max(each.start_ns, row.asked_ns)
        for each in trace.states.get(row.tid, [])
        if each.name != s.RUNNING
        and each.start_ns < row.done_ns
        and trace.end_ns(each) > row.asked_ns
    )
    named = [each for each in trace.states.get(row.tid, []) if each.name == row.name]
    inside = [each for each in named if row.asked_ns <= each.start_ns <= row.done_ns]
    return not inside and stopped_ns >= SHORT_NS


def _releases(trace: Evidence, after: list[Slice]) -> list[Event]:
    """What ended the wait before these states: arrows into the next, or past a GIL wait."""
    targets = after[:1]
    if after and after[0].name == s.GIL_WAIT:
        targets = after
    sources = [trace.sources.get(flow) for each in targets for flow in each.begin.ends_flows]
    return [each for each in sources if each is not None and each.name != s.THREAD_START]


def _holds(trace: Evidence, truth: Facts) -> Found:
    for row in truth.holds:
        wait = truth.waits[row.wait]
        at = None if wait.is_cut else _wait_at(trace, wait)
        if at is None or row.from_ns >= row.until_ns:
            continue
        lock = trace.states[wait.tid][at].args.get(s.ARG_LOCK)
        known = trace.summary.locks.get((trace.pid, int(lock or 0)))
        if not known:
            yield "hold missing", row.part, f"lock {lock} has no holds"
        elif not any(
            each.args.get(s.ARG_OWNER) == row.tid
            and each.start_ns <= row.from_ns + SLACK_NS
            and trace.end_ns(each) >= row.until_ns - SLACK_NS
            for each in known.holds
        ):
            near = trace.near(known.holds, row.from_ns, row.until_ns)
            length = (row.until_ns - row.from_ns) // 1000
            yield "hold missing", row.part, f"{row.tid} had {lock} for {length} µs: {near}"


def _threads(trace: Evidence, truth: Facts) -> Found:
    began: dict[int, Event] = {}
    ended = set()
    for event in trace.strict.events:
        tid = trace.tid_of(event)
        if event.name == s.THREAD_EXIT and event.category == s.CAT_THREAD:
            ended.add(tid)
        for flow in event.ends_flows:
            source = trace.sources.get(flow)
            if source is not None and source.name == s.THREAD_START:
                began[tid] = source
    names = {
        track.tid: track.thread_name for track in trace.strict.tracks.values() if track.tid
    }
    for row in truth.threads:
        who = f"thread {row.tid} {row.name!r}"
        if row.tid not in names:
            yield "thread missing", row.part, f"{who} has no track"
            continue
        if names[row.tid] != row.name:
            yield "thread name", row.part, f"{who} is called {names[row.tid]!r}"
        if row.tid not in began:
            yield "thread start", row.part, f"{who}: no arrow to it"
        elif trace.tid_of(began[row.tid]) != row.starter:
            other = trace.tid_of(began[row.tid])
            yield "thread start", row.part, f"{who}: started by {other}, not {row.starter}"
        if row.is_over and row.tid not in ended and not _still_leaves(trace, row.tid):
            yield "thread end", row.part, f"{who}: no {s.THREAD_EXIT!r}"


def _still_leaves(trace: Evidence, tid: int) -> bool:
    """Until 3.12 join() returns before the thread is gone: the recording may end before it."""
    states = trace.states.get(tid, [])
    return sys.version_info < (3, 13) and bool(states) and states[-1].end_ns is None


def _said(trace: Evidence, truth: Facts) -> Found:
    whole = [each for each in trace.summary.user.regions if s.ARG_CONTINUES not in each.args]
    regions, logs = _by_name(whole), _by_name(trace.summary.user.logs)
    for row in truth.said:
        what = f"{'log' if row.is_log else 'region'} {row.name!r}"
        found = (logs if row.is_log else regions).get(row.name, [])
        if len(found) != 1:
            yield "said", row.part, f"{what} is there {len(found)} times"
            continue
        (said,) = found
        owner = (said.tid, trace.task_names.get(said.task, set()))
        if said.tid != row.tid or (row.task and row.task not in owner[1]):
            yield "said where", row.part, f"{what} is of {owner}, not {row.tid or row.task!r}"
        end_ns = trace.last_ns if said.end_ns is None else said.end_ns
        if said.start_ns < row.from_ns - SLACK_NS or end_ns > row.until_ns + SLACK_NS:
            yield "said when", row.part, f"{what}: {said} is not within {row}"
        if said.args.get(s.ARG_EXCEPTION, "") != row.exception:
            yield "said", row.part, f"{what}: exception {said.args}, not {row.exception!r}"
        if row.path and not _is_inside(said, regions.get(row.path[-1], [])):
            yield "said nesting", row.part, f"{what} is not inside {row.path[-1]!r}"
    for name, count in Counter(truth.often).items():
        if len(logs.get(name, [])) != count:
            have = len(logs.get(name, []))
            yield "said", name, f"log {name!r} is there {have} times, not {count}"
    for name, values in truth.counters.items():
        raw = trace.summary.user.counters.get(name, [])  # negative ones as unsigned numbers
        counted = [each - (each >= 1 << 63) * (1 << 64) for each in raw]
        if counted != values:
            yield "counter", name, f"{counted}, not {values}"


def _by_name(said: list[Said]) -> dict[str, list[Said]]:
    found: dict[str, list[Said]] = {}
    for each in said:
        found.setdefault(each.name, []).append(each)
    return found


def _is_inside(said: Said, around: list[Said]) -> bool:
    return any(
        (each.tid, each.task) == (said.tid, said.task)
        and each.start_ns <= said.start_ns
        and (each.end_ns is None or each.end_ns >= (said.end_ns or said.start_ns))
        for each in around
    )


def _collections(trace: Evidence, truth: Facts) -> Found:
    """The thread collected, or did not because another thread was collecting."""
    on_threads = [
        (trace.tid_of(event), event.time_ns, event.name)
        for event in trace.strict.events
        if event.type == s.TYPE_SLICE_BEGIN
        and event.category == s.CAT_GC
        and trace.tid_of(event)
    ]
    for row in truth.collections:
        mine = [
            name
            for tid, ns, name in on_threads
            if tid == row.tid and row.from_ns - SLACK_NS <= ns <= row.until_ns + SLACK_NS
        ]
        others = [tid for tid, ns, _ in on_threads if tid != row.tid and ns <= row.until_ns]
        if f"{s.GC_PREFIX}{row.generation}" not in mine and not others:
            yield "collection", row.part, f"gc.collect({row.generation}) of {row.tid}: {mine}"


CHECKS = (_waits, _holds, _threads, _said, _collections, check_tasks)
