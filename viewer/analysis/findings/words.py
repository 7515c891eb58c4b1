"""How findings say durations, places and names: as somebody would in a sentence."""

import re
from collections.abc import Iterable, Sequence

from viewer.analysis.findings.facts import Facts, Split
from viewer.analysis.findings.hot import Hot
from viewer.render.units import duration, moment, plural, share, shorten
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
from viewer.trace.sites import via

__all__ = [
    "at",
    "code",
    "did",
    "duration",
    "names",
    "place",
    "plural",
    "sampled",
    "share",
    "stem",
]

_LIBRARY = re.compile(r"^.*/(?:site-packages|dist-packages|lib/python3\.\d+)/")
_LONG = 48
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


def place(site: str) -> str:
    """`file.py:12` of a "file:line function" site; of a library module its whole name.

    Where the user's code was inside a library there, the library's function comes second.
    """
    where = site.rpartition(" ")[0] if " " in site else site
    module = _LIBRARY.sub("", where)
    found = module if module != where else where.rpartition("/")[2]
    return f"{found}, via `{shorten(called, _LONG)}`" if (called := via(site)) else found


def code(name: str, site: str = "") -> str:
    """`name` in quotes, and where it is."""
    where = f" ({place(site)})" if site else ""
    return f"`{shorten(name, _LONG)}`{where}"


def at(facts: Facts, time_ns: int) -> str:
    """`at 552 ms`: since the start of the trace."""
    return f"at {moment(max(time_ns - facts.model.start_ns, 0))}"


def stem(name: str) -> str:
    """The name of a thread without what numbers it: workers of a pool have it in common."""
    return re.sub(r"\d+", "N", name).removesuffix(" (N)")


def names(found: Iterable[str]) -> str:
    """`a`, `a` and `b`, or 20 × `worker-N`."""
    found = sorted(set(found))
    stems = sorted({stem(name) for name in found})
    if len(found) <= 2:
        return " and ".join(f"`{shorten(name, _LONG)}`" for name in found)
    if len(stems) == 1:
        return f"{len(found)} threads `{shorten(stems[0], _LONG)}`"
    return f"{len(found)} threads"


def did(facts: Facts, split: Split, computing_in: str = "", most: int = 2) -> str:
    """`98 % in sleep (app.py:24), 2 % computing in …`: what a time was spent with."""
    total = sum(split.states.values())
    parts: list[tuple[int, str]] = [
        (ns, _STATES[state]) for state, ns in split.states.items() if state not in (IO, SLEEP)
    ]
    if computing_in:
        parts = [
            (ns, f"{what} in {computing_in}" if what == _STATES[THREAD_RUNNING] else what)
            for ns, what in parts
        ]
    for row, ns in split.calls.items():
        name, site = facts.call(row)
        parts.append((ns, f"in {code(name, site)}"))
    parts.sort(key=lambda part: (-part[0], part[1]))
    worth: Sequence[str] = [
        f"{share(ns, total)} {what}"
        for ns, what in parts[:most]
        if ns * 100 >= total * _WORTH_SAYING
    ]
    return ", ".join(worth)


def sampled(found: list[Hot], total: int, most: int = 2) -> str:
    """`rank` (data.py:32, 72 % of 76 CPU samples), `make_key` …; "" of too few samples."""
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
