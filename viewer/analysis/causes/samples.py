"""Which functions computed: the CPU samples of windows of time."""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

from viewer.analysis.ledger.resource import Windows
from viewer.analysis.profiles.cpu import stack_places
from viewer.analysis.profiles.profile import Place, within_task
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


class Samples:
    """The samples of a trace by thread."""

    def __init__(self, model: Model) -> None:
        self.model = model

    @cached_property
    def _of_thread(self) -> dict[tuple[int, int], list[tuple[int, int]]]:
        """(time, stack), by (pid, tid)."""
        events = self.model.trace.events
        found: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
        columns = events.sample_pid, events.sample_tid, events.sample_time_ns
        for pid, tid, time, stack in zip(*columns, events.sample_stack, strict=True):
            found[pid, tid].append((time, stack))
        for samples in found.values():
            samples.sort()
        return found

    @cached_property
    def _stacks(self) -> list[tuple[Place, ...]]:
        return [telling(stack) for stack in stack_places(self.model)]

    def hot(self, thread: int, windows: Windows) -> tuple[Hot, ...]:
        """The functions of a thread's samples in these windows; () without samples."""
        seen = self.seen(thread, windows)
        return hottest(seen) if seen else ()

    def seen(self, thread: int, windows: Windows) -> Counter[tuple[Place, ...]]:
        """The stacks of a thread's samples in these windows, as `telling` gives them."""
        track = self.model.threads[thread]
        samples = self._of_thread.get((track.pid, track.tid), [])
        seen: Counter[tuple[Place, ...]] = Counter()
        if samples and windows:
            # There are fewer samples than there may be windows.
            at = bisect_left(samples, (windows.from_ns[0], -1))
            while at < len(samples) and samples[at][0] < windows.until_ns[-1]:
                time, stack = samples[at]
                last = bisect_right(windows.from_ns, time) - 1
                if time < windows.until_ns[last]:
                    seen[self._stacks[stack]] += 1
                at += 1
        return seen
