"""The phrases that findings are made of."""

from collections import Counter
from collections.abc import Iterable, Sequence

from tracer.units import duration, moment, plural, share
from viewer.analysis.findings.basis.facts import Facts, Split
from viewer.analysis.findings.basis.hot import Hot
from viewer.analysis.processes.family import Family
from viewer.trace.columns import (
    GIL_WAIT,
    IDLE_WAIT,
    IO,
    LOCK_WAIT,
    NATIVE,
    OFF_CPU,
    PREEMPTED,
    SLEEP,
    THREAD_RUNNING,
)
from viewer.trace.loops import Nouns
from viewer.words import code, shorten, stems

_LONG = 48
_NAMED = 4
_WORTH_SAYING = 5  # per cent of a time
_WORTH_SAMPLES = 15  # per cent of CPU samples
_FEW = 3  # samples that prove nothing
_STATES = {
    THREAD_RUNNING: "computing",
    NATIVE: "computing without the GIL",
    LOCK_WAIT: "waiting for a lock",
    IDLE_WAIT: "waiting for work or a result",
    GIL_WAIT: "waiting for the GIL",
    PREEMPTED: "preempted by the kernel",
    OFF_CPU: "off the CPU",
}
_WAITING = {LOCK_WAIT: "waiting for a", IDLE_WAIT: "waiting in"}


def middle(values: Iterable[int]) -> int:
    """The median: what something took as a rule."""
    from statistics import median  # it takes longer to import than this file

    return int(median(values))


def at(facts: Facts, time_ns: int) -> str:
    """`at 552 ms`: since the start of the trace."""
    return f"at {moment(max(time_ns - facts.model.start_ns, 0))}"


def in_total(facts: Facts, lost_ns: int, longest_ns: int, start_ns: int) -> str:
    """`1.2 s in total, the longest 600 ms (at 20 ms)`: of waits; when the longest began. Of
    one alone `600 ms (at 20 ms)`."""
    lost, longest = duration(lost_ns), duration(longest_ns)
    is_one = lost == longest or lost_ns < longest_ns  # a part of one wait may be no loss
    said = longest if is_one else f"{lost} in total, the longest {longest}"
    return f"{said} ({at(facts, start_ns)})"


def waited(nouns: Nouns, tasks: int, ns: int, how: str = "ready") -> str:
    """Who was ready meanwhile: at most so many tasks at a time, and all their waiting."""
    ready = plural(tasks, f"{how} {nouns.task}")
    if tasks == 1:
        return f"{ready} waited behind it, {duration(ns)} in total"
    return f"up to {ready} waited behind it, {duration(ns)} summed over all of them"


def names(found: Iterable[str]) -> str:
    """`a`, `a` and `b`, 20 threads `worker-N`, or 3 threads `a`, `b` and `c`."""
    found = sorted(set(found))
    alike = found if len(found) <= 2 else sorted({*stems(found)})
    said = [f"`{shorten(name, _LONG)}`" for name in alike]
    if len(said) > _NAMED:
        return f"{len(found)} threads"
    listed = " and ".join(part for part in (", ".join(said[:-1]), said[-1]) if part)
    return listed if len(found) <= 2 else f"{len(found)} threads {listed}"


def processes(facts: Facts, found: Iterable[int]) -> str:
    """`a`, `a` and `b`, or `a`, `b` and 3 other processes."""
    named = [code(Family.of(facts.model).name(process)) for process in sorted({*found})]
    if len(named) <= 2:
        return " and ".join(named)
    others = plural(len(named) - 2, "other process", "other processes")
    return f"{named[0]}, {named[1]} and {others}"


def did(
    facts: Facts, split: Split, computing_in: str = "", of: str = "of that time", most: int = 2
) -> str:
    """`98 % of that time in `sleep` (app.py:24), 2 % computing in …`: how a time was spent."""
    total = sum(split.states.values())
    told = Counter(split.states)
    for (state, _, _), ns in split.waits.items():
        told[state] -= ns
    parts: list[tuple[int, str]] = [
        (ns, _STATES[state]) for state, ns in told.items() if state not in (IO, SLEEP) and ns
    ]
    for (state, name, site), ns in split.waits.items():
        parts.append((ns, f"{_WAITING[state]} {code(name, site)}"))
    if computing_in:
        how = max((THREAD_RUNNING, NATIVE), key=lambda state: told[state])
        parts = [
            (ns, f"{what} in {computing_in}" if what == _STATES[how] else what)
            for ns, what in parts
        ]
    for row, ns in split.calls.items():
        name, site = facts.call(row)
        parts.append((ns, f"in {code(name, site)}"))
    parts.sort(key=lambda part: (-part[0], part[1]))
    worth: Sequence[str] = [
        f"{share(ns, total)} {'' if n else f'{of} '}{what}"
        for n, (ns, what) in enumerate(parts[:most])
        if ns * 100 >= total * _WORTH_SAYING
    ]
    return ", ".join(worth)


def sampled(found: list[Hot], total: int, most: int = 2) -> str:
    """`rank` (data.py:32, 72 % of 76 CPU samples), `make_key` …; "" from too few samples."""
    worth = [
        row
        for row in found[:most]
        if row.samples * 100 >= total * _WORTH_SAMPLES and row.samples >= _FEW
    ]
    parts = []
    for n, row in enumerate(worth):
        part = share(row.samples, total)
        of = "" if n else f" of {total} CPU samples"
        parts.append(f"{code(row.function, row.site)[:-1]}, {part}{of})")
    return " and ".join(parts)
