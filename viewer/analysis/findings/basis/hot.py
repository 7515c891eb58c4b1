"""Where CPU time went, by samples: the lines of the program that a finding names."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from viewer.analysis.profiles.cpu import stack_places
from viewer.analysis.profiles.profile import Place, within_task
from viewer.trace.model import Model

_LOCALS = ".<locals>"


class Hot(NamedTuple):
    """A function of the program, with the line most samples were in."""

    function: str
    path: str
    line: int
    samples: int

    @property
    def site(self) -> str:
        return f"{self.path}:{self.line} {self.function}"


def places(model: Model) -> list[Place]:
    """By stack the innermost place in the program's own files; else the innermost of all.

    For what a loop ran, neither the loop nor its callers count. Code inside a function (a
    lambda, a comprehension) counts as the function, at the line that ran it.
    """
    found = []
    for whole in stack_places(model):
        stack = within_task(whole) or whole[:1]
        own = [place for place in stack if place.is_own]
        chosen = own[0] if own else (stack[0] if stack else Place("[unknown]"))
        outer = chosen.function.partition(_LOCALS)[0]
        if outer != chosen.function:
            same = (
                place for place in own if (place.function, place.path) == (outer, chosen.path)
            )
            chosen = next(same, Place(outer, chosen.path, chosen.line))
        found.append(chosen)
    return found


def hot(of_stack: list[Place], stacks: Iterable[int]) -> tuple[list[Hot], int]:
    """The functions of these samples, most samples first, and how many samples there are."""
    counts, lines, total = Counter[tuple[str, str]](), Counter[Place](), 0
    for stack in stacks:
        place = of_stack[stack]
        counts[place.function, place.path] += 1
        lines[place] += 1
        total += 1
    found = []
    for (function, path), samples in counts.items():
        of = [p for p in lines if (p.function, p.path) == (function, path)]
        best = max(of, key=lambda p: (lines[p], -p.line))
        module = path.rpartition("/")[2].removesuffix(".py") + "."
        found.append(Hot(function.removeprefix(module), path, best.line, samples))
    found.sort(key=lambda row: (-row.samples, row.function, row.path))
    return found, total
