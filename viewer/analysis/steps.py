"""How long steps took by themselves: an eager task's first step is inside another one."""

from array import array
from bisect import bisect_left
from collections.abc import Iterator

from viewer.analysis.states import numbers
from viewer.trace.columns import LOOP_TASK, RUNNING, Column
from viewer.trace.model import Model


class Steps:
    """The steps of a model's tasks."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.own_end_ns = self._own_ends()

    @classmethod
    def of(cls, model: Model) -> "Steps":
        return model.derive(cls, lambda: cls(model))

    def _own_ends(self) -> Column:
        """By slice its end; for a step, earlier by the steps that ran inside it."""
        slices, owned, engine = (
            self.model.trace.slices,
            self.model.owners,
            self.model.trace.engine,
        )
        every = numbers(range(len(slices.start_ns)))
        around = engine.group_keys(owned.kind, slices.parent, every, LOOP_TASK)
        inside = engine.keyed_sums(slices.start_ns, slices.end_ns, around, owned.code)
        if not inside.key:
            return slices.end_ns
        ends = array("q")
        ends.frombytes(slices.end_ns.cast("B"))
        for row, ns in zip(inside.key, inside.total, strict=True):
            for same in (row, *self._running(row)):
                ends[same] -= ns
        return memoryview(ends)

    def _running(self, step: int) -> Iterator[int]:
        """The state of the task in this step; a callback has none."""
        starts, owned = self.model.trace.slices.start_ns, self.model.owners
        if owned.kind[step] != LOOP_TASK:
            return
        at = bisect_left(starts, starts[step])
        while at < len(starts) and starts[at] == starts[step]:
            if owned.kind[at] == RUNNING and owned.owner[at] == owned.owner[step]:
                yield at
            at += 1
