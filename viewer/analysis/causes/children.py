"""Which task an await that is still open at the end of the trace is for."""

from bisect import bisect_right
from collections import defaultdict
from functools import cached_property

from tracer import schema as s
from viewer.analysis.causes.lanes import Lanes
from viewer.trace.columns import AWAIT

_ONE = (s.AWAIT_TASK_PREFIX, s.AWAIT_GREENLET_PREFIX)  # + its name
_SEVERAL = ("gather", "wait", "as_completed", "TaskGroup", "nursery")


class Children:
    """Tasks that live at the end, by who made them and by their name."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes, self._ledger, self._model = lanes, lanes.ledger, lanes.model

    def awaited(self, task: int, i: int) -> int:
        """For which task that lives the open await of a task is (slice i); -1 unknown.

        An await of several is for those that its task made last. Of these it is the one that
        has been in its present wait for longest: the others still do something.
        """
        slices, owned = self._model.trace.slices, self._model.owners
        if not slices.unfinished[i]:
            return -1
        what, process = self._lanes.name_of_slice(i), owned.task_process[task]
        prefix = next((prefix for prefix in _ONE if what.startswith(prefix)), "")
        if prefix:
            having = self._by_name.get((process, what.removeprefix(prefix)), [])
            return having[0] if len(having) == 1 and having[0] != task else -1
        if what.removeprefix(s.AWAIT_PREFIX) not in _SEVERAL:
            return -1
        made = self._by_maker.get((process, owned.task_id[task]), [])
        steps = [self._state(task, slices.start_ns[owned.task_head[child]]) for child in made]
        last = [child for child, at in zip(made, steps, strict=True) if at == max(steps)]
        return min(last, key=self._present_ns, default=-1)

    def _state(self, task: int, at_ns: int) -> int:
        """In which of its states a task was."""
        starts = self._model.trace.slices.start_ns
        return bisect_right(self._lanes.rows_of_task(task), at_ns, key=starts.__getitem__)

    def _present_ns(self, task: int) -> int:
        """Since when it has waited; later than everything while it does not."""
        i = self._lanes.rows_of_task(task)[-1]
        is_wait = self._model.owners.kind[i] == AWAIT
        return self._model.trace.slices.start_ns[i] if is_wait else self._model.end_ns

    @cached_property
    def _living(self) -> list[int]:
        tasks = range(len(self._model.owners.task_id))
        slices, rows_of = self._model.trace.slices, self._lanes.rows_of_task
        living = (
            task for task in tasks if (rows := rows_of(task)) and slices.unfinished[rows[-1]]
        )
        return [task for task in living if not self._ledger.how_it_ended(task)]

    @cached_property
    def _by_maker(self) -> dict[tuple[int, int], list[int]]:
        owned, found = self._model.owners, defaultdict[tuple[int, int], list[int]](list)
        for task in self._living:
            found[owned.task_process[task], owned.task_parent[task]].append(task)
        return found

    @cached_property
    def _by_name(self) -> dict[tuple[int, str], list[int]]:
        owned, found = self._model.owners, defaultdict[tuple[int, str], list[int]](list)
        for task in self._living:
            found[owned.task_process[task], self._model.task_name(task)].append(task)
        return found
