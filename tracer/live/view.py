"""Two answers of a live recording -> what happened between them. Pure functions."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

type Counters = Mapping[str, Any]
type Buckets = dict[int, int]  # end in ns, 0: none -> how many


@dataclass(frozen=True)
class Lag:
    """How long tasks were ready before they ran: ends of buckets, at most a quarter above."""

    count: int
    p50_ns: int | None
    p99_ns: int | None
    max_ns: int | None


@dataclass(frozen=True)
class LoopRow:
    name: str
    runs: bool
    ran_ns: int
    busy_ns: int  # not in its poll
    lag: Lag
    ready: int
    ready_longest_ns: int  # the task that is ready now
    tasks: int
    steps: int
    now: str  # what it runs …
    now_ns: int  # … for how long


@dataclass(frozen=True)
class CoroutineRow:
    coro: str
    site: str
    live: int
    steps: int
    running_ns: int
    ready_ns: int
    longest_step_ns: int  # since the recording began


@dataclass(frozen=True)
class LockRow:
    kind: str
    site: str
    waiters: int
    waits_since_ns: int  # the waiter that waits longest
    owner: str | None
    owner_site: str
    waits: int  # that ended
    waited_ns: int


@dataclass(frozen=True)
class WaitRow:
    who: str
    is_task: bool
    what: str
    site: str
    ns: int


@dataclass(frozen=True)
class Collections:
    count: int
    pause_ns: int
    collected: int


@dataclass(frozen=True)
class Gil:
    held_ns: int
    waited_ns: int
    holder: str


@dataclass(frozen=True)
class View:
    """Everything but `…_now`, waits and totals is of the interval."""

    pid: int
    argv: str
    python: str
    mode: str
    up_ns: int
    interval_ns: int
    rss_bytes: int
    tasks: int
    ready: int
    threads: int
    thread_states_ns: dict[str, int]
    threads_now: dict[str, int]
    gil: Gil | None
    gc: Collections
    loops: tuple[LoopRow, ...]
    coroutines: tuple[CoroutineRow, ...]
    locks: tuple[LockRow, ...]
    waits: tuple[WaitRow, ...]
    waits_omitted: int
    recorder_ns: int
    dropped: int  # since the recording began


NOTHING: Counters = {
    "now_ns": None,
    "recorder": {"overhead_ns": 0},
    "thread_states_ns": {},
    "gil": None,
    "gc": (),
    "loops": (),
    "coroutines": (),
    "locks": (),
}


def view(before: Counters | None, now: Counters) -> View:
    """`before` None: since the recording began."""
    old = NOTHING if before is None else before
    began = now["duration_ns"] if before is None else now["now_ns"] - before["now_ns"]
    return View(
        pid=now["pid"],
        argv=now["argv"],
        python=now["python"],
        mode=now["mode"],
        up_ns=now["duration_ns"],
        interval_ns=began,
        rss_bytes=now["memory"]["rss_bytes"],
        tasks=now["tasks"]["live"],
        ready=now["tasks"]["ready"],
        threads=len(now["threads"]) + now["threads_omitted"],
        thread_states_ns={
            state: _grown(ns, old["thread_states_ns"].get(state, 0))
            for state, ns in now["thread_states_ns"].items()
        },
        threads_now=_count(row["state"].partition(":")[0] for row in now["threads"]),
        gil=_gil(old, now),
        gc=_collections(old, now),
        loops=tuple(_loops(old, now)),
        coroutines=tuple(_coroutines(old, now)),
        locks=tuple(_locks(old, now)),
        waits=tuple(map(_wait, now["waits"])),
        waits_omitted=now["waits_omitted"],
        recorder_ns=_grown(now["recorder"]["overhead_ns"], old["recorder"]["overhead_ns"]),
        dropped=now["recorder"]["dropped"],
    )


def _grown(now: int, before: int) -> int:
    """A state that lasts is known a little late, and may have been another one."""
    return max(0, now - before)


def _count(words: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for word in words:
        name = word.removesuffix(" wait") if word == "lock wait" else word
        found[name] = found.get(name, 0) + 1
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _gil(old: Counters, now: Counters) -> Gil | None:
    gil, before = now["gil"], old["gil"] or {"held_ns": 0, "waited_ns": 0}
    if gil is None:
        return None
    names = {row["tid"]: row["name"] for row in now["threads"]}
    return Gil(
        _grown(gil["held_ns"], before["held_ns"]),
        _grown(gil["waited_ns"], before["waited_ns"]),
        names.get(gil["holder"], ""),
    )


def _collections(old: Counters, now: Counters) -> Collections:
    def total(c: Counters) -> tuple[int, int, int]:
        rows = c["gc"]
        return (
            sum(row["pause_ns"]["count"] for row in rows),
            sum(row["pause_ns"]["total"] for row in rows),
            sum(row["collected"] for row in rows),
        )

    return Collections(*map(_grown, total(now), total(old)))


def _loops(old: Counters, now: Counters) -> Iterator[LoopRow]:
    before = {row["loop"]: row for row in old["loops"]}
    for row in now["loops"]:
        was = before.get(row["loop"], {"ran_ns": 0, "idle_ns": 0, "steps": 0})
        ran = _grown(row["ran_ns"], was["ran_ns"])
        idle = _grown(row["idle_ns"], was["idle_ns"])
        step = row["now"] or {"coro": "", "ns": 0}
        yield LoopRow(
            name=row["name"],
            runs=row["runs"],
            ran_ns=ran,
            busy_ns=_grown(ran, idle),
            lag=_lag(was.get("lag_buckets", ()), row),
            ready=row["ready"],
            ready_longest_ns=row["ready_longest_ns"],
            tasks=row["tasks"],
            steps=_grown(row["steps"], was["steps"]),
            now=step["coro"],
            now_ns=step["ns"],
        )


def _lag(before: Iterable[tuple[int, int]], row: Mapping[str, Any]) -> Lag:
    buckets: Buckets = {end: count for end, count in row["lag_buckets"]}
    for end, count in before:
        buckets[end] = buckets.get(end, 0) - count
    counts = [(end, count) for end, count in buckets.items() if count > 0]
    counts.sort(key=lambda item: item[0] or 1 << 63)
    longest = row["lag_ns"]["max"]
    return Lag(
        sum(count for _, count in counts),
        *(_quantile(counts, share, longest) for share in (0.5, 0.99, 1.0)),
    )


def _quantile(buckets: list[tuple[int, int]], share: float, longest: int) -> int | None:
    wanted = share * sum(count for _, count in buckets)
    seen = 0
    for end, count in buckets:
        seen += count
        if seen >= wanted:
            return min(end or longest, longest)
    return None


def _coroutines(old: Counters, now: Counters) -> Iterator[CoroutineRow]:
    before = _by_place(old["coroutines"])
    for key, row in _by_place(now["coroutines"]).items():
        was = before.get(key, _Sums())
        yield CoroutineRow(
            *key,
            row.live,
            _grown(row.steps, was.steps),
            _grown(row.running_ns, was.running_ns),
            _grown(row.ready_ns, was.ready_ns),
            row.longest_ns,
        )


@dataclass
class _Sums:
    live: int = 0
    steps: int = 0
    running_ns: int = 0
    ready_ns: int = 0
    longest_ns: int = 0


def _by_place(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], _Sums]:
    """Functions of one name and place are one."""
    found: dict[tuple[str, str], _Sums] = {}
    for row in rows:
        sums = found.setdefault((row["coro"], row["site"]), _Sums())
        sums.live += row["live"]
        sums.steps += row["running_ns"]["count"]
        sums.running_ns += row["running_ns"]["total"]
        sums.ready_ns += row["ready_ns"]["total"]
        sums.longest_ns = max(sums.longest_ns, row["running_ns"]["max"])
    return found


def _locks(old: Counters, now: Counters) -> Iterator[LockRow]:
    """Those that somebody waits for, or waited for in the interval."""
    before = {row["lock"]: row["waited_ns"] for row in old["locks"]}
    rows = []
    for row in now["locks"]:
        was = before.get(row["lock"], {"count": 0, "total": 0})
        rows.append(
            LockRow(
                kind=row["kind"].removeprefix("lock wait: "),
                site=row["site"],
                waiters=row["waiters"],
                waits_since_ns=row["waits_since_ns"],
                owner=row["owner"],
                owner_site=row["owner_site"],
                waits=_grown(row["waited_ns"]["count"], was["count"]),
                waited_ns=_grown(row["waited_ns"]["total"], was["total"]),
            )
        )
    rows = [row for row in rows if row.waiters or row.waits]
    yield from sorted(rows, key=lambda row: (-row.waiters, -row.waited_ns))


def _wait(row: Mapping[str, Any]) -> WaitRow:
    is_task = "task" in row
    who = row["task"] if is_task else row["thread"]
    return WaitRow(who, is_task, row["what"], row["site"], row["ns"])
