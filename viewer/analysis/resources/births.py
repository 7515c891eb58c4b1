"""Coroutines that a thread gave to a loop: the task that was made of each, and its end."""

from bisect import bisect_left, bisect_right

from viewer.analysis.resources.waits import Waits

_TASKS = 50_000  # more are not searched


class Births:
    """The tasks of a model in order of their begin."""

    def __init__(self, waits: Waits) -> None:
        self.reading, self.model = waits.reading, waits.model
        owned, starts = self.model.owners, self.model.trace.slices.start_ns
        heads = owned.task_head if len(owned.task_head) <= _TASKS else ()
        self._born = sorted((starts[head], task) for task, head in enumerate(heads))

    def of(self, wake: int, until_ns: int) -> int:
        """The one task that began in the callback which a thread handed to a loop with this
        `wake`, and which ran before a time; -1 unknown."""
        model, ledger = self.model, self.reading.ledger
        events, slices = model.trace.events, model.trace.slices
        for flow, is_end in ledger.flows.at(wake):
            target = ledger.flows.other_end(flow, is_end) if not is_end else -1
            loop = model.track_lane[events.track[target]] if target >= 0 else -1
            if loop < 0:
                continue
            thread = ledger.thread_of_loop[loop]
            step = (
                self.reading.on_loop_at(thread, events.time_ns[target]) if thread >= 0 else -1
            )
            if step >= 0 and slices.start_ns[step] < until_ns:
                return self._between(thread, slices.start_ns[step], slices.end_ns[step])
        return -1

    def _between(self, thread: int, start_ns: int, end_ns: int) -> int:
        low = bisect_left(self._born, (start_ns, -1))
        high = bisect_right(self._born, (end_ns, -1))
        process = self.model.thread_process[thread]
        found = [
            task for _, task in self._born[low:high]
            if self.model.owners.task_process[task] == process
        ]  # fmt: skip
        return found[0] if len(found) == 1 else -1
