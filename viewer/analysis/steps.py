"""How long steps took by themselves: an eager task's first step is inside another one."""

from itertools import compress
from operator import eq

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
        """By slice its end; for a step, and the state of its task in it, earlier by the steps
        that ran inside it."""
        model, slices, engine = self.model, self.model.trace.slices, self.model.trace.engine
        every, tasks = engine.upto(0, len(slices.start_ns)), len(model.owners.task_id)
        around = engine.group_keys(model.owners.kind, slices.parent, every, LOOP_TASK)
        if engine.bounds(around)[1] < 0:
            return slices.end_ns
        one, running = memoryview(bytes(len(every))), model.task_keys(RUNNING)
        inside = engine.tally(slices.start_ns, slices.end_ns, around, one, len(every), 1).total
        ends = engine.between(inside, slices.end_ns)
        steps = engine.distinct(around, len(every))
        states = engine.pick(every, running, memoryview(b"\1" * tasks))
        begun = engine.latest(
            engine.take(slices.start_ns, states, 0),
            engine.take(running, states, -1),
            engine.take(slices.start_ns, steps, 0),
            engine.take(model.task_keys(LOOP_TASK), steps, -1),  # a callback has no state
            tasks,
        )
        found = engine.take(states, begun, -1)
        starts = (engine.take(slices.start_ns, rows, -1) for rows in (found, steps))
        less = zip(found, engine.take(inside, steps, 0), strict=True)
        for state, ns in compress(less, map(eq, *starts)):
            ends[state] -= ns
        return ends
