"""What an await leaves open: refused where the trace knows it, else counted."""

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Protocol

from tests.support.validator.lanes import Rules, rules_of
from tests.support.validator.slices import Slice
from tests.support.validator.strict import Strict
from tests.support.validator.waits import NO_LOCK, NO_OWNER, NO_WAKER
from tracer import schema as s

# Whoever awaits one of asyncio's own is told which, and whether it was got.
NAMED = ("Lock", "Event", "Condition", "Semaphore", "Barrier", "Queue.get", "Queue.put")
_WAKERS = (s.ARG_WAKER, s.ARG_WAKER_TASK, s.ARG_WAKER_THREAD)


class Lived(Protocol):
    @property
    def slices(self) -> list[Slice]: ...


def check_awaits(
    trace: Strict, tasks: Iterable[Lived], locks: dict[tuple[int, int], list[Slice]]
) -> Counter[str]:
    """Reasons, each with the await's name: "nobody is known to have ended it: await Event"."""
    rules = rules_of(trace)
    unknown: Counter[str] = Counter()
    for task in tasks:
        for each, after in pairwise(task.slices):
            said = rules[id(each.begin.process)]
            if each.name.startswith(s.AWAIT_PREFIX) and _is_told(each, after, said):
                unknown.update(_open(each, after, locks))
    return unknown


def _is_told(each: Slice, after: Slice, said: Rules) -> bool:
    """It was ended by somebody who was recorded."""
    end_ns = after.start_ns
    return each.end_ns == end_ns and not said.excuses(end_ns, end_ns + 1)


def _open(each: Slice, after: Slice, locks: dict[tuple[int, int], list[Slice]]) -> list[str]:
    name, args = each.name, each.args
    found = []
    if not any(of in after.begin.args for of in _WAKERS):
        found.append(f"{NO_WAKER}: {name}")
    if s.ARG_LOCK not in args:
        is_named = name.removeprefix(s.AWAIT_PREFIX) in NAMED
        return [*found, f"{NO_LOCK}: {name}"] if is_named else found
    assert s.ARG_ACQUIRED in args, f"an await that does not say whether it was got: {each}"
    if name == s.AWAIT_PREFIX + "Lock" and s.ARG_OWNER_TASK not in args:
        for hold in locks.get((each.begin.process.pid, int(args[s.ARG_LOCK])), ()):
            is_open = hold.end_ns is None or each.start_ns < hold.end_ns
            assert not (hold.start_ns <= each.start_ns and is_open), (
                f"an await of a lock without owner while {hold.name!r} has it: {each.begin}"
            )
        found.append(f"{NO_OWNER}: {name}")
    return found
