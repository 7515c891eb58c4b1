"""One form for whatever some wait for and others have: claims, holds, how many at a time."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from viewer.analysis.ledger.circles import Who

# Most claims end as somebody else's hold does, and as many have it for most of the time in
# which somebody waits: a rate has idle times.
_FULL = _HANDED = 7, 10
_JUST_NS = 5_000_000  # whoever hands on ends a moment later


class Timed(Protocol):
    """Whatever has a begin and an end."""

    @property
    def start_ns(self) -> int: ...
    @property
    def end_ns(self) -> int: ...


class Known(Enum):
    """How it is known who has it."""

    ENDED = "whoever ended a wait had it until then"
    ANSWERED = "whoever answered worked on it since the answer before"
    MADE = "a task was made for the wait as another one ended"
    ENDS = "a claim ends as somebody like those who ask ends or asks anew"


@dataclass(slots=True)
class Hold:
    """`who` had a slot or a turn until somebody else got it, or the answer came."""

    who: Who
    start_ns: int
    end_ns: int

    @property
    def ns(self) -> int:
        return self.end_ns - self.start_ns


class Claim(NamedTuple):
    """Somebody had to wait for it. Since `handed_ns` it may have been free: who looks again
    and again (`looks`) learns of it later."""

    who: Who
    start_ns: int
    end_ns: int
    site: str
    handed_ns: int
    looks: int = 1

    @property
    def ns(self) -> int:
        return self.end_ns - self.start_ns


class Resource(NamedTuple):
    """`size`: how many have it at a time, 0 unknown; both lists are in order of begin."""

    known: Known
    claims: list[Claim]
    holds: list[Hold]
    size: int

    @property
    def ns(self) -> int:
        """What all who had to wait lost."""
        return sum(claim.ns for claim in self.claims)

    @property
    def worst(self) -> Claim:
        return max(self.claims, key=lambda claim: claim.ns)

    @property
    def mean_ns(self) -> int:
        """How long one has it."""
        return sum(hold.ns for hold in self.holds) // len(self.holds)

    @property
    def had(self) -> Iterator[tuple[Who, int, int]]:
        """Who had it, from when to when."""
        return ((hold.who, hold.start_ns, hold.end_ns) for hold in self.holds)


class Load(NamedTuple):
    """For so long so many had it, while so many waited."""

    ns: int
    had: int
    waiting: int


def loads(holds: Iterable[Timed], claims: Iterable[Timed] = ()) -> Iterator[Load]:
    """How many have it and how many wait, whenever that changes."""
    changes = [
        change
        for n, times in enumerate((holds, claims))
        for time in times
        for change in ((time.start_ns, 1 - n, n), (time.end_ns, n - 1, -n))
    ]
    changes.sort()
    had, waiting, before = 0, 0, 0
    for time_ns, more, waits in changes:
        if time_ns > before:
            yield Load(time_ns - before, had, waiting)
        had, waiting, before = had + more, waiting + waits, time_ns


def most_at_once(holds: Iterable[Hold]) -> int:
    return max((load.had for load in loads(hold for hold in holds if hold.ns > 0)), default=0)


def size_of(claims: Sequence[Claim], holds: Sequence[Hold]) -> int:
    """How many have it at a time: as many for most of the time in which somebody waits, and
    most claims end when somebody else's hold does. 0: it is not such a thing."""
    return _usual(claims, holds) if _are_handed_on(claims, holds) else 0


def _are_handed_on(claims: Sequence[Claim], holds: Sequence[Hold]) -> bool:
    ends = sorted((hold.end_ns, hold.who) for hold in holds)
    handed = 0
    for claim in claims:
        low = bisect_left(ends, (claim.handed_ns, ("", 0)))
        high = bisect_right(ends, (claim.end_ns + _JUST_NS, ("~", 0)))
        handed += any(who != claim.who for _, who in ends[low:high])
    return handed * _HANDED[1] >= len(claims) * _HANDED[0]


def _usual(claims: Sequence[Claim], holds: Sequence[Hold]) -> int:
    """How many have it for most of the time in which somebody waits; 0 where that changes."""
    spent: Counter[int] = Counter()
    for load in loads(holds, claims):
        if load.waiting > 0:
            spent[load.had] += load.ns
    (size, ns), *_ = spent.most_common(1) or [(0, 0)]
    return size if ns * _FULL[1] >= spent.total() * _FULL[0] else 0
