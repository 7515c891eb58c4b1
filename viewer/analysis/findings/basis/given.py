"""Coroutines that a thread gave to a loop: the task that was made of each, and its end."""

from bisect import bisect_left, bisect_right

from tracer import schema as s
from viewer.analysis.findings.basis.facts import Facts
from viewer.analysis.findings.basis.waits import LongWaits
from viewer.analysis.findings.basis.words import at
from viewer.analysis.resources.waits import Wait
from viewer.words import code

_MS = 1_000_000
_TASKS = 50_000  # more are not searched
# Whoever waits gets an exception at once, but for those that end the loop as well.
_BEFORE_NS = 200 * _MS
_AT_ONCE_NS = 100 * _MS


def failed_before(facts: Facts, task: int, wait: Wait) -> str:
    """`failed (SystemExit) at 252 ms, and that ended `loop-thread` with its loop`: a task that
    owes a result, long before a wait for it was over; "" where it did not."""
    waits = LongWaits.of(facts)
    end_ns = waits.ends_ns(("task", task))
    is_over = wait.end_ns - end_ns >= _BEFORE_NS
    how = facts.ledger.how_it_ended(task) if is_over else ""
    if not how.startswith(s.FAILED_PREFIX):
        return ""
    thread = facts.ledger.thread_of_task(task)
    with_it = thread >= 0 and abs(waits.ends_ns(("thread", thread)) - end_ns) < _AT_ONCE_NS
    name = code(facts.model.thread_names[thread]) if with_it else ""
    failed = f"failed ({how.removeprefix(s.FAILED_PREFIX)}) {at(facts, end_ns)}"
    return failed + (f", and that ended {name} with its loop" if with_it else "")


class Births:
    """The tasks of a model in order of their begin."""

    def __init__(self, facts: Facts) -> None:
        self.facts, owned = facts, facts.model.owners
        starts = facts.model.trace.slices.start_ns
        heads = owned.task_head if len(owned.task_head) <= _TASKS else ()
        self._born = sorted((starts[head], task) for task, head in enumerate(heads))

    def of(self, wake: int, until_ns: int) -> int:
        """The one task that began in the callback which a thread handed to a loop with this
        `wake`, and which ran before a time; -1 unknown."""
        model, flows = self.facts.model, self.facts.ledger.flows
        events, slices = model.trace.events, model.trace.slices
        for flow, is_end in flows.at(wake):
            target = flows.other_end(flow, is_end) if not is_end else -1
            loop = model.track_lane[events.track[target]] if target >= 0 else -1
            if loop < 0:
                continue
            thread = self.facts.ledger.thread_of_loop[loop]
            step = self.facts.on_loop_at(thread, events.time_ns[target]) if thread >= 0 else -1
            if step >= 0 and slices.start_ns[step] < until_ns:
                return self._between(thread, slices.start_ns[step], slices.end_ns[step])
        return -1

    def _between(self, thread: int, start_ns: int, end_ns: int) -> int:
        low = bisect_left(self._born, (start_ns, -1))
        high = bisect_right(self._born, (end_ns, -1))
        process = self.facts.model.thread_process[thread]
        found = [
            task for _, task in self._born[low:high]
            if self.facts.model.owners.task_process[task] == process
        ]  # fmt: skip
        return found[0] if len(found) == 1 else -1
