"""Which functions computed: the CPU samples of windows of time."""

from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple, overload

from viewer.analysis.ledger.resource import Windows
from viewer.analysis.profiles.cpu import stack_places
from viewer.analysis.profiles.profile import Place, within_task
from viewer.trace.columns import Column, Pairs
from viewer.trace.engine import BEST, Engine
from viewer.trace.model import Model

_MOSTLY = 2, 3  # a callee with this share of its caller's samples is named instead
_WORTH = 1, 10  # a function with less than this share of the samples is not named
_MOST = 2


class Hot(NamedTuple):
    """A function: `samples` of the `of` CPU samples of the time were in it or below it.

    `line` is the line of most of them.
    """

    function: str
    file: str
    line: int
    samples: int
    of: int


def hottest_of(several: Iterable[tuple[Hot, ...]]) -> tuple[Hot, ...]:
    """From times that were examined one by one: the functions that most of them name."""
    samples: Counter[tuple[str, str]] = Counter()
    best: dict[tuple[str, str], Hot] = {}
    of = 0
    for hot in several:
        of += hot[0].of if hot else 0
        for row in hot:
            key = row.function, row.file
            samples[key] += row.samples
            best[key] = max(best.get(key, row), row, key=lambda hot: hot.samples)
    return tuple(
        best[key]._replace(samples=count, of=of) for key, count in samples.most_common(_MOST)
    )


def telling(stack: tuple[Place, ...]) -> tuple[Place, ...]:
    """Outermost first: the program's own part of a stack, and the library function it called.

    A stack without any (a thread of the library) stays whole. For what a loop ran, neither the
    loop nor its callers count.
    """
    stack = within_task(stack) or stack[:1]
    # A lambda or comprehension is part of the function around it.
    while len(stack) > 1 and stack[0].function.endswith(">") and stack[1].is_own:
        stack = stack[1:]
    own = [n for n, place in enumerate(stack) if place.is_own]
    if not own:
        return tuple(reversed(stack))
    return tuple(reversed(stack[max(own[0] - 1, 0) : own[-1] + 1]))


def hottest(stacks: Counter[tuple[Place, ...]]) -> tuple[Hot, ...]:
    """The innermost function that most samples share, or those that it branches into.

    Stacks are outermost first, each with its number of samples.
    """
    of = sum(stacks.values())
    inside, depth = stacks, 0
    chain: list[Place] = []
    while True:
        callees: dict[tuple[str, str], Counter[tuple[Place, ...]]] = defaultdict(Counter)
        for stack, count in inside.items():
            if depth < len(stack):
                callees[stack[depth].function, stack[depth].path][stack] += count
        here = sum(inside.values())
        best = sorted(callees.values(), key=lambda s: -sum(s.values()))
        if best and sum(best[0].values()) * _MOSTLY[1] >= here * _MOSTLY[0]:
            inside, depth = best[0], depth + 1
            chain.append(_place(inside, depth - 1))
            continue
        worth = [s for s in best[:_MOST] if sum(s.values()) * _WORTH[1] >= of * _WORTH[0]]
        # Several callees are named when they are most of it; else their caller is.
        if sum(sum(s.values()) for s in worth) * _MOSTLY[1] < here * _MOSTLY[0]:
            worth = []
        if worth:
            return tuple(_hot(_place(s, depth), sum(s.values()), of) for s in worth)
        return (_hot(chain[-1], here, of),) if chain else ()


def own_of(stacks: Counter[tuple[Place, ...]]) -> Hot | None:
    """The program's own function that most of the samples are in or below, innermost; None:
    none has half of them."""
    of, functions = sum(stacks.values()), defaultdict[tuple[str, str], Counter[Place]](Counter)
    for stack, count in stacks.items():
        place = next((place for place in reversed(stack) if place.is_own), None)
        if place is not None:
            functions[place.function, place.path][place] += count
    lines = max(functions.values(), key=Counter.total, default=Counter[Place]())
    if lines.total() * 2 < max(of, 1):
        return None
    return _hot(max(lines, key=lambda place: (lines[place], -place.line)), lines.total(), of)


def _place(stacks: Counter[tuple[Place, ...]], depth: int) -> Place:
    """The function at that depth, with the line most of the samples were in."""
    lines: Counter[Place] = Counter()
    for stack, count in stacks.items():
        lines[stack[depth]] += count
    return max(lines, key=lambda place: (lines[place], -place.line))


def _hot(place: Place, samples: int, of: int) -> Hot:
    return Hot(place.function, place.path, place.line, samples, of)


class Sampled(Sequence[tuple[int, int]]):
    """(time, stack) of samples, in order of time. There may be a million."""

    def __init__(self, engine: Engine, time_ns: Column, stack: Column) -> None:
        self.engine, self.time_ns, self.stack = engine, time_ns, stack

    def __len__(self) -> int:
        return len(self.time_ns)

    @overload
    def __getitem__(self, at: int) -> tuple[int, int]: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[tuple[int, int]]: ...
    def __getitem__(self, at: int | slice) -> tuple[int, int] | Sequence[tuple[int, int]]:
        if isinstance(at, slice):
            return [*zip(self.time_ns[at], self.stack[at], strict=True)]
        return self.time_ns[at], self.stack[at]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self.time_ns, self.stack, strict=True)

    @property
    def counts(self) -> dict[int, int]:
        """How many there are of each stack, in the order in which they come."""
        return _counts(self.engine, self.stack)

    def within(self, windows: Windows) -> dict[int, int]:
        """The same of those in these windows."""
        if not windows:
            return {}
        engine, ends = self.engine, (windows.from_ns[0], windows.until_ns[-1])
        low, high = (bisect_left(self.time_ns, at_ns) for at_ns in ends)
        time_ns = self.time_ns[low:high]
        all_, since = (memoryview(bytes(4 * n)).cast("i") for n in (high - low, len(windows)))
        window = engine.latest(windows.from_ns, since, time_ns, all_, 1)
        until_ns = engine.take(windows.until_ns, window, 0)
        rows = engine.longer(time_ns, until_ns, memoryview(b"\1" * len(all_)), 1)
        return _counts(engine, engine.take(self.stack[low:high], rows, -1))


NO_SAMPLES = Sampled(BEST, memoryview(array("q")), memoryview(array("i")))


def _counts(engine: Engine, column: Column) -> dict[int, int]:
    """How often there is each value, in the order of the first ones."""
    alike, none = engine.pairs(column, column), memoryview(bytes(8 * len(column)))
    since, kinds = none.cast("q"), none[: len(column)]
    count = engine.tally(since, since, alike.number, kinds, len(alike.head), 1).count
    return dict(zip(engine.take(column, alike.head, -1), count, strict=True))


def sampled(model: Model, keys: Pairs) -> list[Sampled]:
    """The samples of a trace by a key of them."""
    events, engine = model.trace.events, model.trace.engine
    order = engine.ranked(engine.upto(0, len(keys.number)), events.sample_time_ns, 0)
    number, time_ns = (
        engine.take(column, order, -1) for column in (keys.number, events.sample_time_ns)
    )
    none = memoryview(bytes(len(order)))
    lanes = engine.lanes(time_ns, time_ns, none, number, len(keys.head))
    stack = engine.take(events.sample_stack, engine.take(order, lanes.row, -1), -1)
    return [
        Sampled(engine, lanes.start_ns[low:high], stack[low:high])
        for low, high in pairwise(lanes.offset)
    ]


class Samples:
    """The samples of a trace by thread."""

    def __init__(self, model: Model) -> None:
        self.model = model

    @cached_property
    def _of_thread(self) -> dict[tuple[int, int], Sampled]:
        """By (pid, tid)."""
        pids, tids = self.model.trace.events.sample_pid, self.model.trace.events.sample_tid
        keys = self.model.trace.engine.pairs(pids, tids)
        found = zip(keys.head, sampled(self.model, keys), strict=True)
        return {(pids[head], tids[head]): its for head, its in found}

    @cached_property
    def _stacks(self) -> list[tuple[Place, ...]]:
        return [telling(stack) for stack in stack_places(self.model)]

    def hot(self, thread: int, windows: Windows) -> tuple[Hot, ...]:
        """The functions of a thread's samples in these windows; () without samples."""
        seen = self.seen(thread, windows)
        return hottest(seen) if seen else ()

    def seen(self, thread: int, windows: Windows) -> Counter[tuple[Place, ...]]:
        """The stacks of a thread's samples in these windows, as `telling` gives them."""
        track, seen = self.model.threads[thread], Counter[tuple[Place, ...]]()
        samples = self._of_thread.get((track.pid, track.tid))
        for stack, count in samples.within(windows).items() if samples else ():
            seen[self._stacks[stack]] += count
        return seen
