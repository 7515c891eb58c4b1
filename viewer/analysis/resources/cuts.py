"""Awaits of tasks that a time-out, a cancel scope or a cancellation cut short."""

from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple, Self

from tracer import schema as s
from tracer.units import MS
from viewer.analysis.causes.part import GIVEN_UP, Kind
from viewer.analysis.resources.waits import Waits, longest_awaits
from viewer.analysis.states import mentioned
from viewer.analysis.waited import For, waited_for
from viewer.trace.sites import is_library

# Of awaits that last so long; of too many, the longest ones.
_LONG_NS = 20 * MS
_MOST = 1_000
# What wakes a task whose await is cut short, of asyncio, anyio and trio.
_CUTS = (
    " Timeout._on_timeout", " CancelScope._deliver_cancellation", " TaskGroup._abort",
    " Task._attempt_abort",
)  # fmt: skip
_OF_TRIO = (" Task._attempt_abort",)
_FAILED = (" TaskGroup._abort",)
_TIMER = "timer"
_NOT_TIMERS = (Kind.WAKER, Kind.IO)
_OVER = (Kind.TIMER, Kind.TIMEOUT)
_PAUSES = (" sleep", ".sleep")


class By(Enum):
    TIMER = auto()  # the time that it had was over
    LIBRARY = auto()  # cancelled its task, as where a client has left
    PROGRAM = auto()  # cancelled its task, or another task of its group had failed


class Cut(NamedTuple):
    """An await (slice) that was cut short."""

    task: int
    i: int
    start_ns: int
    end_ns: int
    by: By

    @property
    def ns(self) -> int:
        return self.end_ns - self.start_ns


class Cuts:
    """The long awaits of a model that were cut short, in order of begin."""

    @classmethod
    def of(cls, waits: Waits) -> Self:
        """Those of the model, found once."""
        return waits.model.derive(cls, lambda: cls(waits))

    def __init__(self, waits: Waits) -> None:
        self.model, self.waits = waits.model, waits
        has_scopes = mentioned(waits.model, *_CUTS)
        # Where no scope is in the trace, only what others never end tells of a cut.
        asked = self.model.trace.awaiting(bool if has_scopes else _may_tell)
        awaits = (
            longest_awaits(waits.reading, asked, _LONG_NS, _MOST) if asked is not None else ()
        )
        cuts = (self.cut(task, i) for task, i in awaits)
        self.all = [cut for cut in cuts if cut is not None]

    def cut(self, task: int, i: int) -> Cut | None:
        """How a task's await (slice i) was cut short; None if it was not, or is not over."""
        trace, tree = self.model.trace, self.waits.tree
        after = tree.lanes.after_await(task, i)
        if after < 0:
            return None
        start, end = trace.slices.start_ns[i], trace.slices.end_ns[i]
        event = trace.slices.event[after]
        stack = trace.text_of_event(event, s.ARG_STACK)
        is_sleep = _is_sleep(tree.lanes.name_of_slice(i)) or _pauses(
            self.waits.reading.stack(i)
        )
        if _has(stack, _CUTS):
            if trace.text_of_event(event, s.ARG_WAKER) != _TIMER:
                return Cut(task, i, start, end, _by(stack))
            # A sleep of trio is a scope that ends itself.
            is_own = is_sleep and _has(stack, _OF_TRIO)
            return None if is_own else Cut(task, i, start, end, By.TIMER)
        ended = tree.ended_by(task, i)
        is_over = is_sleep and ended.kind in _OVER
        if self.waits.timed_out(ended, task, i) or (
            ended.kind is Kind.TIMEOUT and not is_over
        ):
            return Cut(task, i, start, end, By.TIMER)
        if is_over:
            return None
        # Nobody but a timer ends a sleep that is over.
        is_cancelled = (is_sleep and ended.kind in _NOT_TIMERS) or tree.is_in_vain(task, i)
        if ended.kind in GIVEN_UP or is_cancelled:
            return Cut(task, i, start, end, _by(stack))
        return None


@lru_cache(maxsize=4096)
def _has(stack: str, parts: tuple[str, ...]) -> bool:
    return any(part in stack for part in parts)


@lru_cache(maxsize=4096)
def _pauses(stack: str) -> bool:
    """Whether an await, however its library calls it, is a sleep."""
    return stack.partition("\n")[0].endswith(_PAUSES)


@lru_cache(maxsize=4096)
def _by(stack: str) -> By:
    """Who cancelled a task, by the stack in which that was woken."""
    frames = stack.split("\n")
    is_own = _has(stack, _FAILED) or not all(is_library(frame) for frame in frames)
    return By.PROGRAM if is_own else By.LIBRARY


def _may_tell(name: str) -> bool:
    what = name.removeprefix(s.AWAIT_PREFIX)
    return waited_for(what) in (For.CLOCK, For.OUTSIDE, For.CHILD) or what.startswith(
        "executor"
    )


def _is_sleep(name: str) -> bool:
    return name == f"{s.AWAIT_PREFIX}{s.SLEEP}"
