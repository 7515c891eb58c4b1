"""How long steps took by themselves: an eager task's first step is inside another one."""

from array import array

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
        inside = engine.keyed_sums(slices.start_ns, slices.end_ns, around, model.owners.code)
        if not inside.key:
            return slices.end_ns
        ends = array("q", slices.end_ns)
        spent = dict(zip(inside.key, inside.total, strict=True))  # steps have one code
        steps, running = memoryview(array("i", sorted(spent))), model.task_keys(RUNNING)
        states = engine.pick(every, running, memoryview(b"\1" * tasks))
        begun = engine.latest(
            engine.take(slices.start_ns, states, 0),
            engine.take(running, states, -1),
            engine.take(slices.start_ns, steps, 0),
            engine.take(model.task_keys(LOOP_TASK), steps, -1),  # a callback has no state
            tasks,
        )
        for step, state in zip(steps, engine.take(states, begun, -1), strict=True):
            ends[step] -= spent[step]
            if state >= 0 and slices.start_ns[state] == slices.start_ns[step]:
                ends[state] -= spent[step]
        return memoryview(ends)
