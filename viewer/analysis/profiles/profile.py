"""A profile: stacks with numbers, from a trace or from a pprof file."""

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from tracer.errors import UsageError
from viewer.trace.sites import is_library

_SITE = re.compile(r"(.*?):(\d+)(?: (.*))?", re.DOTALL)
_LOOP, _HANDLE = "/asyncio/base_events.py", "/asyncio/events.py"
_NOTING = ("._call_soon", ".call_soon", ".call_soon_threadsafe")
_LIBRARIES = ("/lib/python3.", "/site-packages/", "/dist-packages/")
_LIBRARY = re.compile(r"^.*/(?:site-packages|dist-packages|lib/python3\.\d+)/")


class Place(NamedTuple):
    """A line of a function, named `module.function` where the path shows the module.

    `path` is "" and `line` 0 where unknown. A tuple, since millions of them are hashed.
    """

    function: str
    path: str = ""
    line: int = 0

    @property
    def is_own(self) -> bool:
        """Whether it is in a file of the program, not of a library."""
        return self.path.endswith(".py") and not any(part in self.path for part in _LIBRARIES)


class Sample(NamedTuple):
    """Innermost frame first. `values` are in the order of the profile's types, labels are
    sorted."""

    frames: tuple[Place, ...]
    values: tuple[int, ...]
    labels: tuple[tuple[str, str | int], ...] = ()


class Profile(NamedTuple):
    """`types` are (name, unit); the last one is shown first. Times are in ns."""

    types: tuple[tuple[str, str], ...]
    samples: tuple[Sample, ...]
    period: tuple[str, str, int] = ("", "", 0)  # name, unit, number
    start_unix_ns: int = 0
    duration_ns: int = 0
    comments: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """The total of the last type."""
        return sum(sample.values[-1] for sample in self.samples)


def showing(profile: Profile, type_: str) -> Profile:
    """The profile with another type last. Raises UsageError where it has none of that name."""
    names = [name for name, _unit in profile.types]
    if type_ not in names:
        raise UsageError(f"this profile has no {type_!r}. It has: {', '.join(names)}.")
    order = [i for i, name in enumerate(names) if name != type_] + [names.index(type_)]
    return profile._replace(
        types=tuple(profile.types[i] for i in order),
        samples=tuple(
            sample._replace(values=tuple(sample.values[i] for i in order))
            for sample in profile.samples
        ),
    )


type Key = tuple[tuple[Place, ...], tuple[tuple[str, str | int], ...]]


class Sums:
    """Counts and amounts by stack and labels; becomes the samples of a profile."""

    def __init__(self) -> None:
        self.counts: Counter[Key] = Counter()
        self.amounts: Counter[Key] = Counter()

    def add(
        self,
        frames: tuple[Place, ...],
        labels: dict[str, str | int],
        amount: int,
        count: int = 1,
    ) -> None:
        key = (frames, tuple(sorted(labels.items())))
        self.counts[key] += count
        self.amounts[key] += amount

    def samples(self) -> tuple[Sample, ...]:
        """The largest amount first, then in order of stack: equal traces give equal files.

        Below a library the label `site` has the line of the user's code that called it.
        """
        keys = sorted(self.counts, key=lambda key: (-self.amounts[key], repr(key)))
        return tuple(
            Sample(
                frames,
                (self.counts[frames, labels], self.amounts[frames, labels]),
                tuple(sorted((*labels, *_site(frames)))),
            )
            for frames, labels in keys
        )


@lru_cache(maxsize=1 << 16)
def _site(frames: tuple[Place, ...]) -> tuple[tuple[str, str], ...]:
    """The label of the innermost frame of the user's code, if a library runs below it."""
    for n, place in enumerate(frames):
        if place.line and place.path and not is_library(f"{place.path}:"):
            return (("site", f"{place.path.rpartition('/')[2]}:{place.line}"),) if n else ()
    return ()


def place_of(site: str) -> Place:
    """The parts of "file:line function"; any other text is a function's name."""
    match = _SITE.fullmatch(site)
    if match is None or not match[3]:
        return Place(site)
    return Place(qualified(match[3], match[1]), match[1], int(match[2]))


@lru_cache(maxsize=1 << 16)
def places_of(stack: str) -> tuple[Place, ...]:
    """The lines of a `stack` argument, innermost first."""
    return tuple(place_of(line) for line in stack.split("\n") if line)


def within_task(frames: tuple[Place, ...]) -> tuple[Place, ...]:
    """What ran inside the innermost callback of an event loop, without the frames of the loop
    that call it; all frames where no loop ran."""
    inner = 0
    if frames and _is_of(frames[0], _HANDLE, ("Handle.__init__",)):
        inner = 1
    while inner < len(frames) and _is_of(frames[inner], _LOOP, _NOTING):
        inner += 1
    for depth in range(inner, len(frames)):
        if _is_of(frames[depth], _HANDLE, ("Handle._run",)):
            return frames[inner:depth]
    return frames[inner:]


def _is_of(place: Place, path: str, names: tuple[str, ...]) -> bool:
    return place.path.endswith(path) and place.function.endswith(names)


def qualified(function: str, path: str) -> str:
    """`module.function`: the whole module name for installed files, else the file's name."""
    if not path.endswith(".py"):
        return function
    module = _LIBRARY.sub("", path)
    if module == path:
        module = path.rpartition("/")[2]
    module = module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return f"{module}.{function}"


class Total(NamedTuple):
    """What a function has by itself (flat) and with everything it called (cumulative)."""

    function: Place  # with the line that has the most
    flat: int
    cumulative: int


def totals(samples: Iterable[Sample], which: int = -1) -> tuple[Total, ...]:
    """By function, the largest flat first; a recursive one counts once per stack."""
    flat: Counter[tuple[str, str]] = Counter()
    cumulative: Counter[tuple[str, str]] = Counter()
    lines: dict[tuple[str, str], Counter[int]] = {}
    for sample in samples:
        value = sample.values[which]
        for depth, place in enumerate(sample.frames):
            key = (place.function, place.path)
            # A line where time was spent outweighs every line that only called.
            lines.setdefault(key, Counter())[place.line] += value << (0 if depth else 40)
        if sample.frames:
            flat[sample.frames[0].function, sample.frames[0].path] += value
        for key in {(place.function, place.path) for place in sample.frames}:
            cumulative[key] += value
    keys = sorted(cumulative, key=lambda key: (-abs(flat[key]), -abs(cumulative[key]), key))
    return tuple(
        Total(
            Place(*key, max(lines[key].items(), key=lambda item: (item[1], -item[0]))[0]),
            flat[key],
            cumulative[key],
        )
        for key in keys
    )
